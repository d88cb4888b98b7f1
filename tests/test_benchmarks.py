# SPDX-License-Identifier: Apache-2.0
"""The benchmarks measure rightly: rivals with the right picks, pairs, fits and tables."""

from __future__ import annotations

import json
import math
import platform
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fisher_select as fs

torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT.parent / "shared" / "golden"
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package

from benchmarks import machine, record, run  # noqa: E402
from benchmarks.bait_memory import state_bytes  # noqa: E402
from benchmarks.bait_scaling import fit_exponent  # noqa: E402
from benchmarks.engine import Settings, run_bait  # noqa: E402
from benchmarks.pairing import (  # noqa: E402
    AnswerError,
    Pairs,
    alternate,
    median_seconds,
    require_same_picks,
)
from benchmarks.problems import CHUNK_ROWS, make_problem  # noqa: E402
from benchmarks.rivals.published_bait import PublishedBait, softmax_factors  # noqa: E402

SOFTMAX = [
    "bait_softmax",
    "bait_softmax_small_lambda",
    "bait_softmax_paper",
    "bait_binary",
    "bait_ten_classes",
]
DENSE = ["bait_dense_factors", "bait_forward_only", "bait_regression"]


# ------------------------------------------------------------------------------- the rival
@pytest.mark.parametrize("products", ["published", "hoisted"])
@pytest.mark.parametrize("name", SOFTMAX + DENSE)
def test_rival_gives_the_golden_picks(name, products):
    path = GOLDEN / f"{name}.npz"
    if not path.exists():
        pytest.skip("the golden files are not beside the checkout")
    with np.load(path) as case:
        if name in SOFTMAX:
            factors = softmax_factors(case["X"], case["P"], torch.float64)
        elif "V" in case:
            factors = torch.from_numpy(case["V"]).mT.contiguous()
        else:
            factors = torch.from_numpy(case["X"])[:, None, :]
        found = PublishedBait(
            factors,
            labeled=case["labeled"],
            batch_size=int(case["batch"]),
            lam=float(case["lam"]),
            normalization=str(case["normalization"]),
            products=products,
        ).run(oversample=float(case["oversample"]))
        assert found.forward == case["forward"].tolist()
        assert found.kept == case["kept"].tolist()


@pytest.mark.parametrize("labeled", [0, 12])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rival_gives_the_picks_of_the_reference(labeled, dtype):
    problem = make_problem(150, 6, 4, labeled=labeled, seed=3)
    theirs = PublishedBait(
        softmax_factors(problem.features, problem.outputs, dtype),
        labeled=problem.labeled,
        batch_size=8,
    ).run()
    ours = run_bait(problem, batch_size=8, backend="reference")
    assert theirs.forward == ours.forward
    assert theirs.kept == ours.selection.indices.tolist()
    assert len(theirs.pick_seconds) == 16
    assert set(theirs.seconds) == {"setup", "forward", "backward"}


def test_rival_takes_the_lowest_row_of_equals_and_any_chunk():
    problem = make_problem(40, 5, 3, seed=1)
    twice = softmax_factors(problem.features, problem.outputs, torch.float64).repeat(2, 1, 1)
    solver = PublishedBait(twice, batch_size=40)
    solver.chunk = 8  # copies have the same place in other chunks: their sums round alike
    forward = solver.run(oversample=1.0).forward
    assert all(row < 40 or row - 40 in forward[:k] for k, row in enumerate(forward))
    whole = PublishedBait(twice, batch_size=40).run(oversample=1.0).forward
    assert [row % 40 for row in forward] == [row % 40 for row in whole]


def test_softmax_factors_square_to_the_fisher_information():
    problem = make_problem(5, 3, 4)
    features, outputs = problem.features.astype(float), problem.outputs.astype(float)
    outputs /= outputs.sum(axis=1, keepdims=True)
    factors = softmax_factors(features, outputs, torch.float64).numpy()
    for x, p, factor in zip(features, outputs, factors, strict=True):
        information = np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
        assert np.allclose(factor.T @ factor, information, rtol=0, atol=1e-14)


# ------------------------------------------------------------------------------ the inputs
def test_problems_are_repeatable_and_well_formed():
    first, second = (make_problem(CHUNK_ROWS + 3, 4, 5, labeled=9, seed=2) for _ in range(2))
    assert np.array_equal(first.features, second.features)
    assert first.features.dtype == first.outputs.dtype == np.float32
    assert np.allclose(first.outputs.sum(axis=1), 1.0, atol=1e-6)
    assert len(np.unique(first.labeled)) == 9
    regression = make_problem(10, 4, 1)
    assert regression.likelihood == "gaussian"
    with pytest.raises(ValueError, match="regression pool"):
        _ = regression.outputs


# --------------------------------------------------------------------------- the measuring
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.25])
def test_fit_recovers_a_known_exponent(exponent):
    sizes = [5, 10, 20, 40]
    times = [3e-3 * size**exponent for size in sizes]
    assert math.isclose(fit_exponent(sizes, times), exponent, abs_tol=1e-12)


@pytest.mark.parametrize(("sizes", "times"), [([1], [1.0]), ([1, 2], [1.0])])
def test_fit_wants_two_sizes_with_their_times(sizes, times):
    with pytest.raises(ValueError, match="two or more sizes"):
        fit_exponent(sizes, times)


def test_pairs_alternate_and_take_the_ratio_pair_by_pair():
    calls = []
    clock = iter([4.0, 1.0, 9.0, 3.0, 20.0, 4.0])

    def side(name):
        def call():
            calls.append(name)
            return next(clock)

        return call

    pairs = alternate(side("rival"), side("ours"), rounds=3, settle=0.0)
    assert calls == ["rival", "ours"] * 3
    assert pairs == Pairs(rival=(4.0, 9.0, 20.0), ours=(1.0, 3.0, 4.0))
    assert pairs.speedup == 4.0  # of 4, 3, 5; the ratio of the medians would be 3
    assert pairs.cost == 0.25
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        alternate(side("rival"), side("ours"), rounds=0)


def test_median_seconds_leaves_the_first_call_out():
    calls = []
    assert median_seconds(lambda: calls.append(1), repeats=3) >= 0.0
    assert len(calls) == 4


def test_other_picks_are_an_error_that_names_the_step():
    require_same_picks("run", np.array([3, 1]), [3, 1])
    with pytest.raises(AnswerError, match=r"run: picks differ from step 1 on"):
        require_same_picks("run", [3, 1, 2], [3, 2, 1])
    with pytest.raises(AnswerError, match=r"from step 2 on"):
        require_same_picks("run", [3, 1, 2], [3, 1])


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ({"seconds": {"forward": 100.0}}, r"stages add up to 100\.000 s"),
        ({"indices": np.array([0, 1, 1, 2])}, "wanted 4 picks, got 3"),
        ({"forward_indices": np.array([0])}, "none of the forward picks"),
        ({"forward_indices": None}, "no forward_indices"),
    ],
)
def test_an_impossible_answer_of_ours_is_an_error(monkeypatch, lie, message):
    problem = make_problem(60, 4, 3)
    honest = run_bait(problem, batch_size=4, backend="reference")
    assert 0.0 < honest.pick_seconds < honest.wall
    monkeypatch.setattr(fs, "bait", lambda *_, **__: replace(honest.selection, **lie))
    with pytest.raises(AnswerError, match=message):
        run_bait(problem, batch_size=4, backend="reference")


def test_state_bytes_counts_floats_and_doubles():
    assert state_bytes(100, 5, 2) == 2 * 100 * 4 * 4 + 4 * 100 * 8


# ------------------------------------------------------------------- records and the table
def test_table_shows_figure_target_measured_reached_and_command():
    rows = [
        record.at_least("a speed", 1234.4, 1000, detail="2 s to 2 ms"),
        record.at_most("a cost", 1.4, 1.3),
        record.informative("an aside", 2.0),
    ]
    found = record.Record("name", {"n": 1}, rows, {"times": [1.0]}, ["a remark"])
    provenance = machine.provenance("python -m benchmarks.run --only name", quick=True)
    table = record.render_table([record.as_json(found, provenance)])
    command = "`python -m benchmarks.run --only name`"
    assert f"| a speed | >= 1,000 x | 1,234 x (2 s to 2 ms) | yes | {command} |" in table
    assert f"| a cost | <= 1.3 x | 1.4 x | no | {command} |" in table
    assert f"| an aside |  | 2 x |  | {command} |" in table
    assert "- `name`: a remark" in table
    assert provenance["machine"]["cpu"] in table
    assert "smoke test" in table


@pytest.mark.parametrize(
    ("value", "shown"), [(12.34, "12.3 s"), (0.01, "10 ms"), (3.2e-5, "32 us")]
)
def test_durations_carry_a_fitting_unit(value, shown):
    assert record.seconds(value) == shown


def test_one_command_writes_records_and_table_without_names_or_paths(tmp_path, capsys):
    arguments = ["--quick", "--backend", "reference", "--only", "bait_end_to_end"]
    assert run.main([*arguments, "--out", str(tmp_path)]) == 0
    text = (tmp_path / "bait_end_to_end.json").read_text(encoding="utf-8")
    table = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    written = json.loads(text)
    assert written["figures"][0]["reached"] is None  # quick sizes judge nothing
    assert len(written["raw"]["pairs"]["ours_s"]) == 2
    assert {"machine", "versions", "blas", "commit", "command", "date"} <= set(written)
    assert "same 20 forward picks and 10 survivors" in table
    for private in filter(None, (platform.node(), str(tmp_path), str(ROOT))):
        assert private not in text
        assert private not in table
    assert not list(tmp_path.glob("*.partial"))

    assert run.main(arguments) == 0  # no folder: the table goes to the terminal
    assert "| figure | target | measured | reached | command |" in capsys.readouterr().out


def test_a_wrong_answer_is_not_recorded_and_is_an_exit_code(tmp_path, monkeypatch, capsys):
    def wrong(_settings: Settings) -> record.Record:
        raise AnswerError("picks differ from step 0 on")

    monkeypatch.setitem(run.BENCHMARKS, "bait_pick", wrong)
    folder = tmp_path / "not" / "there"
    assert run.main(["--quick", "--only", "bait_pick", "--out", str(folder)]) == 1
    assert not list(folder.iterdir())
    said = capsys.readouterr().err
    assert "picks differ from step 0 on" in said
    assert said.endswith("nothing was measured, and no file was written\n")


def test_a_folder_that_cannot_be_made_is_said_before_measuring(tmp_path, capsys):
    (tmp_path / "taken").touch()
    with pytest.raises(SystemExit, match="2"):
        run.main(["--quick", "--only", "bait_pick", "--out", str(tmp_path / "taken")])
    assert f"--out: cannot make folder {tmp_path / 'taken'}: File exists" in (
        capsys.readouterr().err
    )
