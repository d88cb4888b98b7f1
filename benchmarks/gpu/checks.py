# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.gpu.checks --section NAME --seconds S --out FILE -- PYTEST...``.

Runs pytest until it is done or its time is over, golden tests first and slow ones last, and
keeps counts and the names of failed tests in a section of a JSON file: also when it is killed,
with the test that ran at that moment.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.machine import ROOT
from benchmarks.record import write_text

TIME_IS_OVER = 124  # as timeout(1) has it


class Recorder:
    """The pytest plugin that counts and stops."""

    def __init__(self, path: Path, section: str, seconds: float) -> None:
        self.path, self.section = path, section
        self.start = time.monotonic()
        self.end = self.start + seconds
        self.collected = 0
        self.running = ""
        self.outcomes: dict[str, str] = {}  # by test; a failure in any phase stays one
        self.errors: list[str] = []  # files that could not be collected

    @property
    def left_out(self) -> int:
        """Tests that have not been run."""
        return self.collected - len(self.outcomes)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: ("slow" in item.keywords, "golden" not in item.nodeid))
        self.collected = len(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(report.nodeid)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running = nodeid
        self.write()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes.setdefault(report.nodeid, report.outcome)
            if report.failed:
                self.outcomes[report.nodeid] = "failed"

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        yield
        if time.monotonic() > self.end:
            item.session.shouldstop = "the time is over"

    def pytest_sessionfinish(self) -> None:
        self.running = ""
        self.write()

    def write(self) -> None:
        """The counts so far, beside the other sections of the file."""
        sections = {}
        if self.path.exists():
            sections = json.loads(self.path.read_text(encoding="utf-8"))
        found = list(self.outcomes.values())
        failures = [name for name, outcome in self.outcomes.items() if outcome == "failed"]
        sections[self.section] = {
            "collected": self.collected,
            "passed": found.count("passed"),
            "failed": found.count("failed") + len(self.errors),
            "skipped": found.count("skipped"),
            "not_run": self.left_out,
            "seconds": round(time.monotonic() - self.start, 1),
            "failures": self.errors + failures,
            "running": self.running,
        }
        write_text(self.path, json.dumps(sections, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pytest; its exit code, or 124 where all went well until the time was over."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu.checks", description=__doc__
    )
    parser.add_argument("--section", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("pytest", nargs="*")
    options = parser.parse_args(arguments)
    recorder = Recorder(options.out, options.section, options.seconds)
    # What another file needs and the machine lacks must not keep the tests from running.
    fixed = ["-q", "--continue-on-collection-errors", f"--rootdir={ROOT}"]
    code = int(pytest.main([*fixed, *options.pytest], plugins=[recorder]))
    stopped = code == pytest.ExitCode.INTERRUPTED and recorder.left_out > 0
    return TIME_IS_OVER if stopped and "failed" not in recorder.outcomes.values() else code


if __name__ == "__main__":
    sys.exit(main())
