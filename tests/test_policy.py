# SPDX-License-Identifier: Apache-2.0
"""Policies: values against torch, files that are whole or refused, other data sets."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import policy

from fisher_select.observation import Observation
from fisher_select.policy import Policy, View


def observation(count: int = 40, size: int = 5) -> Observation:
    draw = np.random.default_rng(3)
    return Observation(
        draw.random(size).astype(np.float32), draw.random((count, 3)).astype(np.float32)
    )


def test_values_are_those_of_the_network() -> None:
    torch = pytest.importorskip("torch")
    known, (state, actions) = policy(), observation()
    inputs = np.concatenate([np.tile(state, (len(actions), 1)), actions], axis=1)
    h = torch.from_numpy(inputs)
    for k, (weight, bias) in enumerate(zip(known.weights, known.biases, strict=True)):
        h = torch.nn.functional.linear(h, torch.from_numpy(weight), torch.from_numpy(bias))
        h = h.relu() if k < 2 else h
    np.testing.assert_allclose(
        known.q_values(Observation(state, actions)), h[:, 0].numpy(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("count", [1, 2, 31, 33, 10_000])
def test_equal_actions_have_equal_values(count: int) -> None:
    state, actions = observation(count)
    values = policy(hidden=32).q_values(Observation(state, np.concatenate([actions, actions])))
    assert values.shape == (2 * count,)
    np.testing.assert_array_equal(values[:count], values[count:])


@pytest.mark.parametrize(
    "change",
    [{"weights": 0}, {"biases": 2}, {"view": View("margin", state_size=5)}],
    ids=["a weight", "a bias", "the view"],
)
def test_the_digest_is_of_what_decides_the_picks(change: dict[str, Any]) -> None:
    known = policy()
    assert replace(known, metadata={"other": 1}).digest == known.digest
    for name, value in change.items():
        if isinstance(value, int):
            arrays = [array.copy() for array in getattr(known, name)]
            arrays[value][..., 0] += 1e-3
            change[name] = tuple(arrays)
    assert replace(known, **change).digest != known.digest


# --------------------------------------------------------------------------------- files
def test_a_policy_comes_back_from_its_file(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    known = policy(view=View("margin", "data", 7))
    known.save(tmp_path / "a.pt")
    back = Policy.load(str(tmp_path / "a.pt"))
    assert (back.view, back.metadata, back.digest) == (known.view, {"seed": 0}, known.digest)
    seen = observation(size=7)
    np.testing.assert_array_equal(back.q_values(seen), known.q_values(seen))
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    policy().save(path)
    whole = path.read_bytes()
    wanted = f"^{re.escape(str(path))}: not a complete policy file "
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=wanted):
            Policy.load(path)
    path.write_bytes(b"not a policy, just some text")
    with pytest.raises(ValueError, match=wanted):
        Policy.load(path)
    # One bit at a time: the archive's checksums tell, or the policy is the same.
    draw = np.random.default_rng(0)
    for place in draw.choice(len(whole), 60, replace=False):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with suppress(ValueError):
            assert Policy.load(path).weights[0].shape == (8, 8)


def test_other_contents_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    policy().save(path)
    whole = torch.load(path, weights_only=True)
    short = [whole["weights"][0]]
    infinite = [*whole["biases"][:2], torch.tensor([torch.inf])]
    for other, message in [
        ({"format": "fisher_select.policy.0"}, "format 'fisher_select.policy.0'"),
        ({"weights": short}, "weights must be layers that fit a state of 5 and an action of 3"),
        ({"biases": infinite}, "weights must be finite"),
        ({"view": {"score": "luck"}}, "score must be one of"),
        ({"view": {"colour": "red"}}, "unexpected keyword argument 'colour'"),
        ({"metadata": "{"}, "Expecting property name"),
        ({"weights": "none"}, ""),
    ]:
        torch.save(whole | other, path)
        with pytest.raises(ValueError, match=f"not a complete policy file .*{message}"):
            Policy.load(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="not a complete policy file"):
        Policy.load(path)


class Runs:
    """What a pickle may do."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def test_nothing_in_a_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.save({"format": Runs()}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="not a complete policy file"):
        Policy.load(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_or_folder_says_so(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(OSError, match=r"cannot read .*none\.pt: no such file"):
        Policy.load(tmp_path / "none.pt")
    with pytest.raises(OSError, match=r"cannot write .*a\.pt: no such file"):
        policy().save(tmp_path / "none" / "a.pt")


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"score": "entropy"}, "score must be one of 'confidence', 'margin', 'positive', got"),
        ({"space": "pixel"}, "space must be one of 'latent', 'data', got 'pixel'"),
        ({"state_size": 0}, "state_size must be at least 1, got 0"),
    ],
)
def test_a_bad_view_is_named(view: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        View(**view)
