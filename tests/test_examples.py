# SPDX-License-Identifier: Apache-2.0
"""The example scripts run, and what they show holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

pytestmark = pytest.mark.slow


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The scripts seed torch, as scripts do; the other tests' generator is left alone."""
    import torch

    with torch.random.fork_rng():
        yield


def test_every_script_is_run_here() -> None:
    assert {p.stem for p in EXAMPLES.glob("*.py")} == {
        "mask_profile",
        "multi_label",
        "regression",
    }


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
