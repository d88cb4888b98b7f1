# SPDX-License-Identifier: Apache-2.0
"""The GPU benchmarks measure rightly: models of work, cases, the budget, failures.

No device is needed: what runs here runs at smoke sizes, on whatever backends there are.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fisher_select as fs

torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package

from benchmarks.gpu import __main__ as runner  # noqa: E402
from benchmarks.gpu import child, distance, last_layer, plan, work  # noqa: E402
from benchmarks.gpu.bait import BLOCKS, WHOLE  # noqa: E402
from benchmarks.gpu.bench import Bench  # noqa: E402
from benchmarks.gpu.plan import PLAN, Budget, Case  # noqa: E402
from benchmarks.gpu.pools import make_device_problem  # noqa: E402
from benchmarks.gpu.row import Measured, Row  # noqa: E402
from benchmarks.pairing import AnswerError  # noqa: E402

FLOORS = work.Floors(copy_bytes_per_s=100.0, gemm_flops_per_s=1000.0, gemm64_flops_per_s=1.0)


# -------------------------------------------------------------------- bytes and flops, by hand
def test_work_of_a_softmax_pick() -> None:
    # n = 5, d = 3, C = 3: c = r = 2, D = 6. X: 15 floats. G, H: 3 entries a row, read and
    # written. Q, P: half of 36 doubles each. GEMM: [5, 3] x [3, 8].
    found = work.trace_pick(5, 3, classes=2, rank=2)
    assert found.bytes == 15 * 4 + 2 * 2 * 15 * 4 + 2 * 18 * 8
    assert found.flops == 2 * 5 * 3 * 8


def test_work_of_a_block_diagonal_pick() -> None:
    # Ten blocks of 3 x 3: one entry of G and H a row and block, two columns of the panel each.
    found = work.trace_pick(5, 3, classes=1, rank=1, groups=10)
    assert found.bytes == 15 * 4 + 2 * 2 * 50 * 4 + 10 * 9 * 8
    assert found.flops == 2 * 5 * 3 * 20
    assert BLOCKS.pick() == work.trace_pick(1_280_000, 384, classes=1, rank=1, groups=1000)
    assert WHOLE.pick() == work.trace_pick(50_000, 512, classes=9, rank=9)


def test_work_of_the_other_operations() -> None:
    # X 15, links 10, G read and written 10 floats; half of Q [6, 6]; [5, 3] x [3, 2].
    log_det = work.log_det_pick(5, 3, classes=2)
    assert log_det == work.Work(35 * 4 + 18 * 8, 2 * 5 * 3 * 2)
    # Seven rows of 3 floats once, 4 picks of 20 bytes a row, two whole rows.
    assert work.distance_picks(7, 3, picks=4, full=2).bytes == 7 * 12 + 4 * 7 * 20 + 2 * 12
    gradients = work.distance_picks(7, 3, picks=4, full=2, outputs=5)
    assert gradients.bytes == 7 * 32 + 4 * 7 * 20 + 2 * 32
    gain = work.information_gain(7, 2, 3, 4)
    assert gain == work.Work(9 * 3 * 4, 2 * 14 * 3 + 35 * 14 * 4)
    assert work.one_reading(25) == work.Work(100)


def test_the_floor_is_the_larger_one() -> None:
    assert work.Work(bytes=200.0, flops=1000.0).seconds(FLOORS) == 2.0
    assert work.Work(bytes=50.0, flops=3000.0).seconds(FLOORS) == 3.0
    assert Bench(floors=None).floor(work.Work(1.0)) is None


# ------------------------------------------------------------------------------------ judging
def test_a_row_judges_what_is_wanted_and_known() -> None:
    row = Row("a pick", 2.0, wanted_seconds=3.0, floor_seconds=1.2, wanted_share=0.5)
    assert row.share == 0.6
    assert row.reached is True
    assert replace(row, wanted_seconds=2.0).reached is False
    assert replace(row, floor_seconds=0.9).reached is False
    assert replace(row, floor_seconds=None).reached is True
    assert replace(row, wanted_seconds=None, floor_seconds=None).reached is None
    assert Row("a pick", 2.0, rival="them", rival_seconds=8.0).speedup == 4.0
    assert Measured([row], {}, {}).unjudged().rows[0].reached is None


def test_times_leave_the_first_call_out_and_fit_into_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([3.0, 1.0, 2.0, 4.0, 5.0, 6.0])
    monkeypatch.setattr(Bench, "time", lambda *_: next(clock))
    assert Bench(seconds=13.0).times(list) == [1.0, 2.0]  # 6.5 s hold two of 3 s
    clock = iter([9.0, 8.0])
    assert Bench(seconds=13.0).times(list) == [8.0]
    clock = iter([0.1, *range(9)])
    assert Bench(seconds=13.0).times(list, most=3) == [0, 1, 2]


# ------------------------------------------------------------------------------------- cases
def test_the_plan_names_the_cases() -> None:
    assert [case.name for case in PLAN] == list(child.CASES)
    assert PLAN[0].name == "floors"  # the others' shares rest on it


@pytest.mark.parametrize("case", child.CASES)
def test_every_case_runs_at_its_smoke_size(case: str, engine: str) -> None:
    floors = {"copy_bytes_per_s": 1e9, "gemm_flops_per_s": 1e9, "gemm64_flops_per_s": 1e9}
    task = {"case": case, "backend": engine, "quick": True, "seconds": 0.0, "floors": floors}
    found = child.measure(task)
    real = engine == "cuda" and fs.backends.explain()["cuda"] != fs.backends.EMULATED
    assert found["clock"] == ("CUDA events" if real else "wall clock")
    assert found["rows"]
    for row in found["rows"]:
        assert row["seconds"] > 0
        assert row["reached"] is None  # smoke sizes judge nothing
    if case != "bait_published":
        assert all(row["share"] > 0 for row in found["rows"] if row["floor_seconds"])
    json.dumps(found)


def test_pools_are_repeatable_and_well_formed() -> None:
    first, second = (
        make_device_problem(50, 4, 3, torch.device("cpu"), labeled=7, seed=2) for _ in range(2)
    )
    assert torch.equal(first.features, second.features)
    assert torch.equal(first.outputs, second.outputs)
    assert first.features.dtype == first.outputs.dtype == torch.float32
    assert torch.allclose(first.outputs.sum(dim=1), torch.ones(50), atol=1e-6)
    assert len(np.unique(first.labeled)) == 7


def test_wrong_picks_are_noticed(monkeypatch: pytest.MonkeyPatch, cpu: str) -> None:
    bench = Bench(backend=cpu, quick=True, seconds=0.0)
    honest = fs.k_center
    monkeypatch.setattr(
        fs,
        "k_center",
        lambda *a, **k: replace(found := honest(*a, **k), indices=np.sort(found.indices)),
    )
    with pytest.raises(AnswerError, match=r"k-centre: row \d+ was picked, row \d+ is farther"):
        distance.k_center(bench)
    monkeypatch.setattr(fs, "top_k_mask", lambda _, k, **__: np.arange(k))
    with pytest.raises(AnswerError, match=r"mask: torch\.topk keeps larger entries"):
        last_layer.mask(bench)


# -------------------------------------------------------------------- budget and failing cases
@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(plan.time, "monotonic", lambda: now[0])
    return now


def test_a_case_starts_only_where_it_fits(clock: list[float]) -> None:
    budget, case = Budget(50.0), Case("any", 12.0)
    assert budget.limit(case) == 36.0  # three times what is expected
    clock[0] += 20.0
    assert budget.limit(case) == 30.0  # all that is left
    clock[0] += 19.0
    assert budget.left == 11.0
    assert budget.limit(case) is None


def run_main(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cases: list[Case], program: str, *more: str
) -> tuple[int, dict[str, Any]]:
    """Run the cases with a Python program in place of each one's process."""
    monkeypatch.setattr(runner, "PLAN", tuple(cases))
    monkeypatch.setattr(
        runner, "child_command", lambda task: [sys.executable, "-c", program, task]
    )
    code = runner.main(["--quick", "--backend", "reference", "--out", str(tmp_path), *more])
    return code, json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))


def test_a_failing_case_is_recorded_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = """
import json, sys
task = json.loads(sys.argv[1])
if task["case"] == "bad":
    raise ValueError("the device is lost")
floors = {"copy_bytes_per_s": 1.0}
assert task["floors"] == (None if task["case"] == "floors" else floors)
raw = {"floors": floors} if task["case"] == "floors" else {}
print(json.dumps({"rows": [], "raw": raw, "notes": [], "clock": "wall clock"}))
"""
    cases = [Case("floors", 1.0), Case("bad", 1.0), Case("good", 1.0), Case("long", 1e6)]
    code, result = run_main(monkeypatch, tmp_path, cases, program, "--budget", "60")
    assert code == 1
    assert [case["status"] for case in result["cases"]] == ["done", "failed", "done", "not run"]
    assert result["cases"][1]["error"] == "ValueError: the device is lost"
    assert result["cases"][3]["error"].endswith("s were left, it takes 1000000")
    shown = capsys.readouterr().out
    assert "| bad | failed |" in shown
    assert "- bad: failed: ValueError: the device is lost" in shown
    assert "| long | not run |" in shown
    text = json.dumps(result)
    for private in filter(None, (platform.node(), str(tmp_path), str(ROOT))):
        assert private not in text

    code, _ = run_main(monkeypatch, tmp_path, [cases[0], cases[2]], program)
    assert code == 0


def test_a_case_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, result = run_main(
        monkeypatch, tmp_path, [Case("hangs", 0.1)], "import time; time.sleep(600)"
    )
    assert code == 1
    assert result["cases"][0]["error"] == "stopped after 0 s"
    assert result["cases"][0]["status"] == "failed"


@pytest.mark.slow
def test_a_case_runs_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, cpu: str) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    task = {"backend": cpu, "quick": True, "floors": None}
    found = runner.run(Case("mask", 60.0), task, Budget(300.0))
    assert found["status"] == "done", found["error"]
    assert found["seconds"] > 0
    assert [row["share"] for row in found["rows"]] == [None]
    unknown = runner.run(Case("no_such_case", 60.0), task, Budget(300.0))
    assert unknown["status"] == "failed"
    assert unknown["error"] == "KeyError: 'no_such_case'"


def test_real_sizes_want_a_real_device(capsys: pytest.CaptureFixture[str]) -> None:
    state = fs.backends.explain()["cuda"]
    if state.startswith("available (") and state != fs.backends.EMULATED:
        pytest.skip("there is a device")
    with pytest.raises(SystemExit, match="2"):
        runner.main(["--only", "floors"])
    assert "cuda is not available" in (said := capsys.readouterr().err) or "emulated" in said
