# SPDX-License-Identifier: Apache-2.0
"""The examples inside other frameworks run; one whose host is missing is a visible skip."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "adapters"
LOOPS = {
    "baal": "baal",
    "modal": "modAL",
    "monai_label": "monailabel",
    "scikit_activeml": "skactiveml",
    "small_text": "small_text",
}
"""The package of each example that runs ten rounds inside its host."""

pytestmark = pytest.mark.slow


def main_of(name: str) -> Any:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        *LOOPS,
        "label_studio",
        "patchcore",
    }


@pytest.mark.parametrize("name", LOOPS)
def test_ten_rounds_inside_a_host(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hosts call what their own dependencies deprecated
        pytest.importorskip(LOOPS[name])
        scores = main_of(name)()
    assert len(scores) == 10
    assert scores[-1] > max(scores[0], 0.85)


def test_label_studio(tmp_path: Path) -> None:
    scores = main_of("label_studio")(tmp_path)
    assert len(scores) == 10
    assert scores[-1] > max(scores[0], 0.85)
    assert {path.name for path in tmp_path.iterdir()} == {"tasks.json", "export.json"}


def test_patchcore() -> None:
    pytest.importorskip("torch")
    assert main_of("patchcore")() > 0.9
