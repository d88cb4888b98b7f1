# SPDX-License-Identifier: Apache-2.0
"""The examples inside other frameworks run; one whose host is missing is a visible skip."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "adapters"
HOSTS = {"scikit_activeml": ("skactiveml",)}

pytestmark = [pytest.mark.slow]


def run(name: str) -> Any:
    """What the example's `main` returns."""
    for module in HOSTS[name]:
        pytest.importorskip(module)
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]()


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(HOSTS)


@pytest.mark.parametrize("name", ["scikit_activeml"])
def test_ten_rounds_learn(name: str) -> None:
    scores = run(name)
    assert len(scores) == 10
    assert scores[-1] > max(scores[0], 0.88)
