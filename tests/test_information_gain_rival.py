# SPDX-License-Identifier: Apache-2.0
"""The rival that information gain is measured against gives the right scores."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import fisher_select as fs

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT.parent / "shared" / "golden" / "information_gain.npz"
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package

from benchmarks import run  # noqa: E402
from benchmarks.information_gain_rival import Size, make_gain_problem  # noqa: E402
from benchmarks.rivals.printed_information_gain import (  # noqa: E402
    PrintedInformationGain,
    Step,
)

STEPS: tuple[Step, ...] = ("printed", "closed_form", "together")


@pytest.mark.parametrize("step", STEPS)
def test_rival_gives_the_golden_scores(step: Step) -> None:
    if not GOLDEN.exists():
        pytest.skip("the golden files are not beside the checkout")
    with np.load(GOLDEN) as file:
        golden = dict(file)
    frequencies = np.bincount(golden["y_eval"], minlength=5) / len(golden["y_eval"])
    for kind, class_weights in (("eig", np.ones(5)), ("aeig", frequencies)):
        solver = PrintedInformationGain(
            golden["X_eval"],
            class_weights,
            golden["W"],
            golden["b"],
            learning_rate=float(golden["lr"]),
            step=step,
        )
        scores = solver.scores(golden["X_pool"][:6])
        np.testing.assert_allclose(scores, golden[kind][:6], rtol=0, atol=1e-9)


@pytest.mark.parametrize("step", STEPS)
def test_rival_agrees_with_the_reference_in_float32(step: Step) -> None:
    problem = make_gain_problem(Size(8, 50, 6, 4, rival_rows=0, rounds=0, seed=1))
    solver = PrintedInformationGain(
        problem.eval_features,
        problem.frequencies,
        problem.weight,
        problem.bias,
        learning_rate=0.01,
        step=step,
    )
    expected = fs.information_gain_scores(
        problem.features,
        eval_features=problem.eval_features,
        eval_labels=problem.eval_labels,
        weight=problem.weight,
        bias=problem.bias,
        learning_rate=0.01,
        backend="reference",
    )
    np.testing.assert_allclose(solver.scores(problem.features), expected, rtol=0, atol=1e-6)


def test_the_benchmark_runs_and_checks_the_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--quick", "--backend", "reference", "--out", str(tmp_path)]
    quick += ["--only", "information_gain"]
    assert run.main(quick) == 0
    assert "scores equal to 1e-06" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    honest = fs.information_gain_scores
    monkeypatch.setattr(fs, "information_gain_scores", lambda *a, **k: honest(*a, **k) + 1e-5)
    assert run.main(quick) == 1
    assert "more than 1e-06" in capsys.readouterr().err
