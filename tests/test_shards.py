# SPDX-License-Identifier: Apache-2.0
"""Shards of a pool without processes: ranks are threads that meet at a barrier.

Picks must be those of one process, whatever the shards: the decisions are the engine's, and
what torch.distributed adds is in test_distributed.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from problems import KINDS, arguments, features, softmax_rows
from thread_ranks import Stop, ThreadRanks, on_threads, sharded

import fisher_select as fs
from fisher_select.ranks import agree


def assert_same(found: Sequence[fs.Selection], expected: fs.Selection) -> None:
    for picks in found:
        np.testing.assert_array_equal(picks.indices, expected.indices)
        np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
        assert expected.objective is not None
        noise = 1e-12 * abs(expected.objective[0])  # each step subtracts from what was
        np.testing.assert_allclose(picks.objective, expected.objective, rtol=1e-9, atol=noise)
        np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-6)


@pytest.mark.parametrize("sizes", [[90], [1, 89], [30, 2, 58], [9, 40, 1, 40]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str, sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    call = arguments(kind, 90, 5, 3) | {"labeled": np.arange(0, 90, 9), "batch_size": 8}
    assert_same(sharded(monkeypatch, sizes, call), fs.bait(**call))


@pytest.mark.parametrize(
    "options",
    [
        {"normalization": "paper", "lam": 1e-3},
        {"use_pool_fisher": False},
        {"oversample": 1.0},
        {"rank": 2},
        {"batch_size": 80, "oversample": 5.0},
    ],
    ids=str,
)
def test_options(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    call = arguments("softmax", 90, 4, 5, dtype=np.float32) | {"batch_size": 6} | options
    assert_same(sharded(monkeypatch, [20, 50, 20], call), fs.bait(**call))


def test_a_shard_with_no_free_row(monkeypatch: pytest.MonkeyPatch) -> None:
    call = arguments("softmax", 40, 4, 3) | {"batch_size": 6, "labeled": np.arange(10, 25)}
    assert_same(sharded(monkeypatch, [10, 15, 15], call), fs.bait(**call))
    # And one that runs out of them.
    call |= {"batch_size": 25}
    assert_same(sharded(monkeypatch, [10, 15, 2, 13], call), fs.bait(**call))


@hypothesis.given(seed=st.integers(0, 10**6), ranks=st.integers(2, 4), copies=st.integers(2, 5))
@hypothesis.settings(max_examples=15, deadline=None)
def test_ties_across_shards_go_to_the_lowest_row(seed: int, ranks: int, copies: int) -> None:
    """Every row comes several times, on whichever ranks."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.repeat(np.arange(12), copies))
    X, P = features(rng, 12, 3)[rows], softmax_rows(rng, 12, 3)[rows]
    cuts = np.sort(rng.choice(np.arange(1, len(rows)), ranks - 1, replace=False))
    sizes = np.diff([0, *cuts, len(rows)])
    call = {"X": X, "P": P, "batch_size": 5}
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = sharded(monkeypatch, sizes.tolist(), call)
    assert_same(found, fs.bait(**call))


@pytest.mark.parametrize("lam", [1e-4, 1e-6])
def test_all_ranks_refresh_together(lam: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where float32 is not enough, by a rank's own scores, all rebuild their state."""
    rng = np.random.default_rng(3)
    X = (50 * rng.standard_normal((120, 6))).astype(np.float32)
    call = {"X": X, "P": softmax_rows(rng, 120, 4), "batch_size": 20, "lam": lam}
    expected = fs.bait(**call)
    found = sharded(monkeypatch, [5, 100, 15], call)
    assert found[0].refreshes > 0
    assert_same(found, expected)


@pytest.mark.parametrize("gradient", ["rank_one", "full"])
def test_log_det(gradient: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = arguments("softmax", 80, 5, 4) | {"batch_size": 9, "labeled": np.arange(30, 37)}
    call |= {"gradient": gradient}
    del call["fisher"]
    assert_same(sharded(monkeypatch, [3, 40, 37], call, "max_det"), fs.max_det(**call))


# ------------------------------------------------------------------------- state and errors
@pytest.mark.parametrize("picks", [1, 7, 15])
def test_a_broken_run_is_resumed_with_other_shards(
    picks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "picks.json"
    call = arguments("softmax", 90, 5, 3) | {"batch_size": 8, "labeled": np.arange(9)}
    with pytest.raises(Stop):
        sharded(monkeypatch, [60, 30], call, state=state, stop_after=picks)
    expected = fs.bait(**call)
    assert expected.forward_indices is not None
    kept = json.loads(state.read_text())["rows"]
    assert kept == expected.forward_indices[:picks].tolist()
    assert_same(sharded(monkeypatch, [20, 30, 40], call, state=state), expected)
    assert not state.exists()


def test_a_state_of_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "picks.json"
    call = arguments("softmax", 60, 5, 3) | {"batch_size": 8}
    with pytest.raises(Stop):
        sharded(monkeypatch, [30, 30], call, state=state, stop_after=3)
    with pytest.raises(ValueError, match=r"state: .* is of another selection: lam was 1\.0"):
        sharded(monkeypatch, [30, 30], call | {"lam": 2.0}, state=state)
    with pytest.raises(ValueError, match=r"state: .* is of other data: row \d+ gained"):
        sharded(monkeypatch, [30, 30], call | {"X": 1.01 * call["X"]}, state=state)
    text = state.read_text()
    twice = text.replace('"rows": [', '"rows": [1, 1,').replace(
        '"gains": [', '"gains": [0.5, 0.5,'
    )
    for damaged in ("", text[:-20], "[1, 2]", text.replace('"rows": [', '"rows": [-1,'), twice):
        state.write_text(damaged)
        with pytest.raises(ValueError, match=r"rank 0: state: .* is not a file of picks"):
            sharded(monkeypatch, [30, 30], call, state=state)


def test_ranks_agree_on_the_first_error() -> None:
    def work(ranks: ThreadRanks) -> Any:
        said = []
        for value in (ranks.rank, [TypeError("a"), 1, OSError("b")][ranks.rank]):
            try:
                said.append(agree(ranks, value))
            except TypeError as error:
                said.append(str(error))
        return said

    assert on_threads(3, work) == [[[0, 1, 2], "rank 0: a"]] * 3
