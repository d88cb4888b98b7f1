# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.gpu [--budget SECONDS] [--only CASE] [--quick] [--out DIR]``.

Measures case by case, the most important first, within the budget, and keeps ``gpu.json`` up to
date after each: what is interrupted has lost one case. Exit code 1 where a case failed or was
not run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.hardware import hardware
from benchmarks.gpu.plan import PLAN, Budget, Case
from benchmarks.gpu.table import render
from benchmarks.machine import ROOT, provenance
from benchmarks.record import write_text
from fisher_select import backends

RESULT = "gpu.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when every case gave a right answer, targets met or not."""
    options = _parse(arguments)
    budget = Budget(options.budget)
    plan = [case for case in PLAN if options.only is None or case.name in options.only]
    result = {
        "provenance": provenance(_command(options), quick=options.quick)
        | ({"commit": options.commit} if options.commit else {}),
        "hardware": hardware(),
        "backend": backends.explain().get(options.backend, options.backend),
        "budget_s": options.budget,
        "cases": [_outcome(case, "not run", "never begun") for case in plan],
    }
    floors = None
    for k, case in enumerate(plan):
        print(f"{case.name} ...", flush=True)
        task = {"backend": options.backend, "quick": options.quick, "floors": floors}
        outcome = run(case, task, budget)
        print(f"  {outcome['status']} {outcome['seconds']:.1f} s {outcome['error']}".rstrip())
        result["cases"][k] = outcome
        floors = outcome["raw"].get("floors", floors)
        if options.out is not None:
            write_text(options.out / RESULT, json.dumps(result, indent=1) + "\n")
    print(render(result))
    return 0 if all(case["status"] == "done" for case in result["cases"]) else 1


def run(case: Case, task: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
    """One case in a process of its own: done, failed or, where it does not fit, not run."""
    limit = budget.limit(case)
    if limit is None:
        reason = f"{max(0.0, budget.left):.0f} s were left, it takes {case.seconds:.0f}"
        return _outcome(case, "not run", reason)
    start = time.monotonic()
    try:
        done = subprocess.run(
            child_command(json.dumps({"case": case.name, "seconds": case.seconds, **task})),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        failed = _outcome(case, "failed", f"stopped after {limit:.0f} s")
        return failed | {"seconds": time.monotonic() - start}
    outcome = _outcome(case, "done", "")
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        error = said[-1] if said else f"ended with {done.returncode}"
        outcome = _outcome(case, "failed", error)
    else:
        outcome |= json.loads(done.stdout.splitlines()[-1])  # libraries may speak before
    return outcome | {"seconds": time.monotonic() - start}


def child_command(task: str) -> list[str]:
    """The process of a case."""
    return [sys.executable, "-m", "benchmarks.gpu.child", task]


def _outcome(case: Case, status: str, error: str) -> dict[str, Any]:
    """A case that has no rows yet."""
    return {
        "name": case.name,
        "status": status,
        "error": error,
        "seconds": 0.0,
        "rows": [],
        "raw": {},
        "notes": [],
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--budget", type=float, default=240.0, help="seconds in all")
    parser.add_argument("--quick", action="store_true", help="smoke sizes; needs no GPU")
    parser.add_argument(
        "--only", action="append", choices=[case.name for case in PLAN], help="may be repeated"
    )
    parser.add_argument("--backend", default="cuda", help="of our side (default: cuda)")
    parser.add_argument("--commit", help="what is measured, where the checkout has no git")
    parser.add_argument("--out", type=Path, help=f"folder of {RESULT} (default: none)")
    options = parser.parse_args(arguments)
    state = backends.explain().get(options.backend, "no backend's name")
    if not state.startswith("available"):
        parser.error(f"--backend: {options.backend} is {state}")
    if options.backend == "cuda" and state == backends.EMULATED and not options.quick:
        parser.error("the CUDA backend is emulated here: --quick is all that it can do")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    return options


def _command(options: argparse.Namespace) -> str:
    """What measures this again, without the caller's paths."""
    parts = ["python -m benchmarks.gpu", *(["--quick"] if options.quick else [])]
    if options.backend != "cuda":
        parts.append(f"--backend {options.backend}")
    parts += [f"--only {name}" for name in options.only or ()]
    return " ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
