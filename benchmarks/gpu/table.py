# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.gpu.table [DIR]``: gpu.md anew from the JSON files in a folder.

The folder is that of `gpu.sh`, or ``benchmarks/results/gpu``: gpu.json holds the benchmarks,
tests.json the tests and steps.jsonl what else was done; any of them may be missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import seconds, write_text

RESULTS = Path(__file__).resolve().parents[1] / "results" / "gpu"
COLUMNS = ("case", "time", "wanted", "share of floor", "rival", "reached")
TABLE = "gpu.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table beside its sources; 2 where there are none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.table", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=RESULTS)
    folder = parser.parse_args(arguments).folder
    result, tests = (_read(folder / name) for name in ("gpu.json", "tests.json"))
    steps = [json.loads(line) for line in _lines(folder / "steps.jsonl")]
    if not (result or tests or steps):
        print(f"{folder}: no gpu.json, no tests.json, no steps.jsonl", file=sys.stderr)
        return 2
    write_text(folder / TABLE, render(result, tests, steps))
    return 0


def render(
    result: Mapping[str, Any],
    tests: Mapping[str, Any] | None = None,
    steps: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The Markdown page."""
    lines = ["# Measured on a GPU", "", "Written by `bash benchmarks/gpu.sh`.", ""]
    lines += _case_lines(result) if result else ["The benchmarks left no result.", ""]
    lines += _test_lines(tests) if tests else []
    lines += _step_lines(steps) if steps else []
    return "\n".join(lines).rstrip() + "\n"


def _case_lines(result: Mapping[str, Any]) -> list[str]:
    rows = [_cells(row) for case in result["cases"] for row in case["rows"]]
    rows += [
        (case["name"], case["status"], "", "", "", "")
        for case in result["cases"]
        if case["status"] != "done"
    ]
    lines = [_line(COLUMNS), "|" + "---|" * len(COLUMNS), *map(_line, rows), ""]
    notes = list(dict.fromkeys(note for case in result["cases"] for note in case["notes"]))
    notes += [
        f"{case['name']}: {case['status']}: {case['error']}"
        for case in result["cases"]
        if case["status"] != "done"
    ]
    clocks = dict.fromkeys(case["clock"] for case in result["cases"] if "clock" in case)
    notes.append(
        f"times are medians by {' and '.join(clocks) or 'no clock'}, after a call that is not "
        "counted, the arrays on the device before"
    )
    notes.append(
        "share of floor: the larger of bytes at the copy's rate and flops at the float32 "
        "product's, both measured in the same run, over the time (benchmarks/gpu/work.py)"
    )
    return [*lines, *(f"- {note}" for note in notes), "", _where(result), ""]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = []
    if row["wanted_seconds"] is not None:
        wanted.append(f"< {seconds(row['wanted_seconds'])}")
    if row["wanted_share"] is not None:
        wanted.append(f">= {row['wanted_share']:.0%} of floor")
    rival = ""
    if row["speedup"] is not None:
        rival = f"{_ratio(row['speedup'])} ({row['rival']}, {seconds(row['rival_seconds'])})"
    return (
        row["what"],
        seconds(row["seconds"]),
        ", ".join(wanted),
        "" if row["share"] is None else f"{row['share']:.0%}",
        rival,
        {True: "yes", False: "no", None: ""}[row["reached"]],
    )


def _ratio(value: float) -> str:
    return f"{value:,.0f} x" if value >= 100 else f"{value:.3g} x"


def _where(result: Mapping[str, Any]) -> str:
    """The machine, the versions and the commit, in a line."""
    where = result["provenance"]
    hardware = ", ".join(f"{name} {value}" for name, value in result["hardware"].items())
    smoke = " Quick sizes: a smoke test, not results." if where["quick"] else ""
    return (
        f"Backend {result['backend']}; {hardware}; {where['machine']['cores']} cores; commit "
        f"{where['commit']}, {where['date']}; `{where['command']}`, "
        f"{result['budget_s']:.0f} s at most.{smoke}"
    )


def _test_lines(tests: Mapping[str, Any]) -> list[str]:
    columns = ("tests", "collected", "passed", "failed", "skipped", "not run", "seconds")
    rows = [
        (name, *(f"{found[key]:.4g}" for key in (*columns[1:5], "not_run", "seconds")))
        for name, found in tests.items()
    ]
    lines = ["## Tests", "", _line(columns), "|" + "---|" * len(columns), *map(_line, rows), ""]
    failures = [f"- {name}: `{test}`" for name, t in tests.items() for test in t["failures"]]
    return [*lines, *failures, *([""] if failures else [])]


def _step_lines(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = ("step", "result", "seconds")
    rows = [(step["step"], step["status"], f"{step['seconds']}") for step in steps]
    return ["## Steps", "", _line(columns), "|" + "---|" * len(columns), *map(_line, rows), ""]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("\n".join(_lines(path)) or "{}")
    return found


if __name__ == "__main__":
    sys.exit(main())
