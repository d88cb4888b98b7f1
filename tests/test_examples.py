# SPDX-License-Identifier: Apache-2.0
"""The example scripts run, and what they show holds."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fisher_select import strategies

pytest.importorskip("torch")
pytest.importorskip("sklearn")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

pytestmark = pytest.mark.slow


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names in their annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The scripts seed torch, as scripts do; the other tests' generator is left alone."""
    import torch

    with torch.random.fork_rng():
        yield


def test_every_script_is_run_here() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {p.stem for p in EXAMPLES.glob("*.py")} == tested - {"every_script_is_run_here"}


def test_regression() -> None:
    errors = load("regression").main()
    assert len(errors) == 5
    assert errors[-1] < errors[0]
    assert errors[-1] < 0.9  # 1 is the error of the mean


def test_multi_label() -> None:
    shares = load("multi_label").main()
    assert len(shares) == 4
    assert shares[-1] > max(shares[0], 0.85)


def test_mask_profile(tmp_path: Path) -> None:
    picture = tmp_path / "profile.png"
    profile = load("mask_profile").main(picture)
    assert profile.shares[-1] == 1.0
    assert sum(profile.kept) == round(0.05 * sum(profile.sizes))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_select_arrays() -> None:
    found = load("select_arrays").main()
    assert found["bait"][0] == found["random"][0]  # the same first model
    assert found["bait"][-1] > found["bait"][0] + 0.05
    assert found["bait"][-1] > 0.85


def test_torch_model() -> None:
    picks = load("torch_model").main()
    assert len(picks) == 20
    assert picks.indices.min() >= 100  # the first hundred have labels


def test_expert_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a label it stops at once; then the expert answers three times more."""
    example = load("expert_file")
    assert example.main(tmp_path, demo=False) == 0
    assert len((tmp_path / "to_label.csv").read_text().splitlines()) == 1 + 10
    example.fill(tmp_path / "to_label.csv")
    assert example.main(tmp_path, demo=False) == 10
    assert example.main(tmp_path, demo=True) == 25
    assert "wait for a label" in capsys.readouterr().out


def test_large_pool(tmp_path: Path) -> None:
    picks = load("large_pool").main(tmp_path)
    assert len(set(picks.indices.tolist())) == 20
    assert picks.indices.max() < 9 * 1797


def test_imbalance() -> None:
    found = {strategy: labels for strategy, (labels, _) in load("imbalance").main().items()}
    assert found["aeig"] > found["random"]


def test_compare_strategies(tmp_path: Path) -> None:
    page = load("compare_strategies").main(tmp_path)
    text = page.read_text(encoding="utf-8")
    for strategy in ("bait", "margin", "random"):
        assert f"{strategy}</th>" in text


def test_embeddings() -> None:
    found = load("embeddings").main()
    assert found["k_center"][0] < found["random"][0]
    assert found["k_center, then badge"][1] > found["k_center"][1]


def test_mc_dropout() -> None:
    picked, overall = load("mc_dropout").main()
    assert picked > 2 * overall


def test_own_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry is one for the process, and the other tests list it."""
    monkeypatch.setattr(strategies, "_REGISTRY", dict(strategies._REGISTRY))
    accuracies = load("own_strategy").main()
    assert len(accuracies) == 3
    assert min(accuracies.values()) > 0.75


def test_torchrun_shards() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(EXAMPLES / "torchrun_shards.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 ranks picked" in done.stdout
    assert "one process picks the same" in done.stdout
