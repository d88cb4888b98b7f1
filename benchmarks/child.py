# SPDX-License-Identifier: Apache-2.0
"""A measurement in a process of its own: a task as JSON in, what was found as JSON out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.pairing import AnswerError


def run_child(
    module: str, task: Mapping[str, Any], what: str, *, timeout: float | None = None
) -> dict[str, Any]:
    """Run ``python -m benchmarks.MODULE TASK``; its last line of output.

    Raises
    ------
    AnswerError
        It failed: how, `what` it was at, and the end of its stderr.
    subprocess.TimeoutExpired
        It took longer than `timeout` seconds.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", json.dumps(task)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    if done.returncode != 0:
        raise AnswerError(f"{what}: ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
