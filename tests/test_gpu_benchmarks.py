# SPDX-License-Identifier: Apache-2.0
"""The GPU benchmarks measure rightly: models of work, the budget, failures, tables, the script.

No device is needed: what runs here runs at smoke sizes, on whatever backends there are.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
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
from benchmarks.gpu import child, distance, hardware, last_layer, plan, table, work  # noqa: E402
from benchmarks.gpu.bait import BLOCKS, WHOLE  # noqa: E402
from benchmarks.gpu.bench import Bench  # noqa: E402
from benchmarks.gpu.plan import PLAN, Budget, Case  # noqa: E402
from benchmarks.gpu.pools import make_device_problem  # noqa: E402
from benchmarks.gpu.row import Measured, Row  # noqa: E402
from benchmarks.pairing import AnswerError  # noqa: E402

FLOORS = work.Floors(copy_bytes_per_s=100.0, gemm_flops_per_s=1000.0, gemm64_flops_per_s=1.0)
STEPS = ("versions", "build", "tests", "memcheck", "racecheck", "benchmarks", "table")


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
    assert found["clock"] == ("CUDA events" if torch.cuda.is_available() else "wall clock")
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


def test_real_sizes_want_a_real_device(capsys: pytest.CaptureFixture[str]) -> None:
    state = fs.backends.explain()["cuda"]
    if state.startswith("available (") and state != fs.backends.EMULATED:
        pytest.skip("there is a device")
    with pytest.raises(SystemExit, match="2"):
        runner.main(["--only", "floors"])
    assert "cuda is not available" in (said := capsys.readouterr().err) or "emulated" in said


def test_hardware_says_what_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hardware.hardware().items() >= {"card": "absent", "nvcc": "absent"}.items()
    for name, said in {
        "nvidia-smi": "A card, 580.1, 143771 MiB, 9.0",
        "nvcc": "Cuda compilation tools, release 13.0, V13.0.88",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}'\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    expected = {"card": "A card", "driver": "580.1", "compute_capability": "9.0"}
    assert hardware.hardware().items() >= (expected | {"nvcc": "13.0"}).items()


# -------------------------------------------------------------------------------------- table
def sample_result() -> dict[str, Any]:
    row = Row("BAIT: whole call", 1.25, 2.0, 0.75, 0.5, "torch", 500.0)
    measured = Measured([row], {}, {}, ["a remark"]).as_json() | {"clock": "CUDA events"}
    nothing = {"rows": [], "notes": [], "raw": {}}
    return {
        "provenance": {
            "machine": {"cores": 16},
            "commit": "abc",
            "date": "2026-01-01",
            "command": "python -m benchmarks.gpu",
            "quick": False,
        },
        "hardware": {"card": "A card", "driver": "580.1"},
        "backend": "available (A card)",
        "budget_s": 200.0,
        "cases": [
            {"name": "bait", "status": "done", "error": ""} | measured,
            {"name": "mask", "status": "not run", "error": "3 s were left"} | nothing,
        ],
    }


def test_the_table_is_made_anew_from_its_files(tmp_path: Path) -> None:
    (tmp_path / "gpu.json").write_text(json.dumps(sample_result()), encoding="utf-8")
    section = {
        "collected": 9,
        "passed": 6,
        "failed": 1,
        "skipped": 0,
        "not_run": 2,
        "seconds": 3.5,
        "failures": ["tests/test_x.py::test_y"],
    }
    (tmp_path / "tests.json").write_text(json.dumps({"memcheck": section}), encoding="utf-8")
    step = '{"step": "racecheck", "status": "absent", "seconds": 0}\n'
    (tmp_path / "steps.jsonl").write_text(step, encoding="utf-8")
    assert table.main([str(tmp_path)]) == 0
    page = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert (
        "| BAIT: whole call | 1.25 s | < 2 s, >= 50% of floor | 60% | 400 x (torch, 500 s) | "
        "yes |" in page
    )
    assert "| mask | not run |" in page
    assert "- mask: not run: 3 s were left" in page
    assert "- a remark" in page
    assert "card A card, driver 580.1; 16 cores; commit abc" in page
    assert "| memcheck | 9 | 6 | 1 | 0 | 2 | 3.5 |" in page
    assert "- memcheck: `tests/test_x.py::test_y`" in page
    assert "| racecheck | absent | 0 |" in page


def test_a_table_needs_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main([str(tmp_path)]) == 2
    assert "no gpu.json" in capsys.readouterr().err
    (tmp_path / "steps.jsonl").write_text(
        '{"step": "build", "status": "failed (1)", "seconds": 9}\n', encoding="utf-8"
    )
    assert table.main([str(tmp_path)]) == 0
    assert "left no result" in (tmp_path / "gpu.md").read_text(encoding="utf-8")


# --------------------------------------------------------------------------- tests of the tests
def run_checks(tmp_path: Path, seconds: float) -> tuple[int, dict[str, Any]]:
    """Run benchmarks.gpu.checks on a small file of its own, in another process."""
    tests = tmp_path / "test_sample.py"
    tests.write_text(
        "import time, pytest\n"
        "@pytest.mark.slow\n"
        "def test_comes_last(): pass\n"
        "def test_fails(): assert False\n"
        "def test_waits(): time.sleep(0.5)\n"
        "def test_golden(): pass\n"
        "def test_skips(): pytest.skip('why')\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "benchmarks.gpu.checks", "--section", "sample"]
    command += ["--seconds", str(seconds), "--out", str(tmp_path / "tests.json"), "--"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(tests)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads((tmp_path / "tests.json").read_text(encoding="utf-8"))
    return done.returncode, found


@pytest.mark.slow
def test_checks_count_and_name_what_failed(tmp_path: Path) -> None:
    (tmp_path / "tests.json").write_text('{"other": {}}', encoding="utf-8")
    code, found = run_checks(tmp_path, 60.0)
    assert code == 1
    assert found["other"] == {}
    sample = found["sample"]
    assert [sample[key] for key in ("collected", "passed", "failed", "skipped")] == [5, 3, 1, 1]
    assert [name.split("::")[-1] for name in sample["failures"]] == ["test_fails"]
    assert sample["not_run"] == 0
    assert sample["running"] == ""


@pytest.mark.slow
def test_checks_stop_when_their_time_is_over(tmp_path: Path) -> None:
    code, found = run_checks(tmp_path, 0.0)
    assert code == 124
    assert found["sample"]["passed"] == 1  # the golden one, which comes first
    assert found["sample"]["not_run"] == 4


# ------------------------------------------------------------------------------------- gpu.sh
def script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(ROOT / "benchmarks" / "gpu.sh"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OUT": "", "PYTHON": "", **environment},
    )


def test_the_dry_run_names_every_step_and_its_command() -> None:
    done = script("--dry-run", "--commit", "abc")
    assert done.returncode == 0, done.stderr
    for name in STEPS:
        assert f"] {name}, " in done.stdout
    for part in (
        "FISHER_SELECT_CUDA=ON",
        "CMAKE_CUDA_ARCHITECTURES=native",
        "'--require-cuda' '-m' 'cuda' 'tests'",
        "'--tool' 'memcheck'",
        "'--tool' 'racecheck'",
        "kns=fisher_select",
        "'--commit' 'abc'",
    ):
        assert part in done.stdout
    limits = [int(line.split()[-4]) for line in done.stdout.splitlines() if "at most" in line]
    assert len(limits) == len(STEPS)
    assert max(limits) < 540


def test_the_dry_run_brings_along_what_is_given() -> None:
    done = script("--dry-run", "--wheels", "some wheels", "--golden", "files", "--arch", "90")
    assert "'some wheels/*.whl'" in done.stdout
    assert "CMAKE_CUDA_ARCHITECTURES=90" in done.stdout


def test_one_step_alone_and_wrong_arguments() -> None:
    done = script("--dry-run", "build")
    assert "build, " in done.stdout
    assert "benchmarks, " not in done.stdout
    for wrong in (["no-such-step"], ["--out"]):
        assert script("--dry-run", *wrong).returncode == 2


def test_steps_are_recorded_and_a_failure_is_the_exit_code(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho '{}'\nexit 3\n", encoding="utf-8")
    python.chmod(0o755)
    out = tmp_path / "out"
    done = script("--out", str(out), "versions", PYTHON=str(python))
    assert done.returncode == 1
    lines = (out / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["failed (3)"]
    python.write_text("#!/bin/sh\necho '{}'\n", encoding="utf-8")
    assert script("--out", str(out), "versions", PYTHON=str(python)).returncode == 0
    assert json.loads((out / "machine.json").read_text(encoding="utf-8")) == {}


def test_an_absent_sanitizer_is_not_passed_silently(tmp_path: Path) -> None:
    path = "/usr/bin:/bin"
    if shutil.which("compute-sanitizer", path=path) or shutil.which("nvcc", path=path):
        pytest.skip("it is there")
    done = script("--out", str(tmp_path), "memcheck", PATH=path, CUDA_HOME=str(tmp_path))
    assert done.returncode == 1
    assert json.loads((tmp_path / "steps.jsonl").read_text(encoding="utf-8")) == {
        "step": "memcheck",
        "status": "absent",
        "seconds": 0,
    }
