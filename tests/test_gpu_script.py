# SPDX-License-Identifier: Apache-2.0
"""benchmarks/gpu.sh and what it calls: versions, timed tests, the table; no GPU needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package

from benchmarks.gpu import hardware, table  # noqa: E402
from benchmarks.gpu.row import Measured, Row  # noqa: E402

STEPS = ("versions", "build", "tests", "memcheck", "racecheck", "benchmarks", "table")


def test_hardware_says_what_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hardware.hardware().items() >= {"card": "absent", "nvcc": "absent"}.items()
    for name, said in {
        "nvidia-smi": "A card, 580.1, 143771 MiB, 9.0",
        "nvcc": "Cuda compilation tools, release 13.0, V13.0.88",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}'\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    assert hardware.missing({"card": "A card", "nvcc": "absent"})[0] == "nvcc"
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
