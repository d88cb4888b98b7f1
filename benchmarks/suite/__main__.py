# SPDX-License-Identifier: Apache-2.0
"""Run protocols: ``python -m benchmarks.suite PROTOCOL... [--quick] [--jobs N]``.

PROTOCOL is a TOML file or the name of one in benchmarks/protocols/. Started again with the same
arguments it goes on where it was killed. Exit codes: 0 done, 1 a run failed, 2 bad input.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, provenance
from benchmarks.suite import policies, runner
from benchmarks.suite.protocol import (
    DATA_VARIABLE,
    Comparison,
    Protocol,
    check_data,
    load,
    located,
)
from benchmarks.suite.runner import Job, Outcome
from benchmarks.suite.summary import summarize
from fisher_select import files
from fisher_select.experiment import check_seeds

PROTOCOLS = ROOT / "benchmarks" / "protocols"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    try:
        protocols = _protocols(options)
        out = _folder(options)
        files.make_folder(out)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"benchmarks.suite: error: {error}\n")
        return 2
    protocols = [_with_policies(protocol, out) for protocol in protocols]
    jobs = [job for protocol in protocols for job in runner.jobs_of(protocol, out)]
    outcomes, failures = _run(jobs, options.jobs)
    for protocol in protocols:
        found = outcomes.get(protocol.name, [])
        if len(found) == len(runner.jobs_of(protocol, out)):
            command = f"python -m benchmarks.suite {_repeatable(options, protocol)}"
            record = summarize(protocol, found, provenance(command, quick=options.quick))
            for folder in filter(None, (out, options.results)):
                files.make_folder(folder)
                files.write_json(folder / f"{protocol.name}.json", record)
                print(f"wrote {folder / protocol.name}.json")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__)
    parser.add_argument(
        "protocols",
        nargs="+",
        metavar="PROTOCOL",
        help="a TOML file, or the name of one in benchmarks/protocols",
    )
    parser.add_argument("--quick", action="store_true", help="sizes for two cores, [quick]")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time (default: 1)")
    parser.add_argument("--seeds", type=int, nargs="+", help="in place of the files'")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get(DATA_VARIABLE, ROOT.parent / "shared" / "data")),
        help=f"folder of the data (default: ${DATA_VARIABLE}, or ../shared/data)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the runs and results (default: runs/suite, with --quick runs/quick)",
    )
    parser.add_argument(
        "--results", type=Path, help="write the results there too, as benchmarks/results/suite"
    )
    return parser


def _protocols(options: argparse.Namespace) -> list[Protocol]:
    """Everything that can be wrong with the arguments is said here, before any run."""
    if options.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {options.jobs}")
    found = []
    for word in options.protocols:
        path = Path(word)
        if path.suffix != ".toml":
            path = PROTOCOLS / f"{word}.toml"
        protocol = located(load(path, quick=options.quick), options.data)
        if options.seeds is not None:
            check_seeds(options.seeds)
            protocol = _with_seeds(protocol, tuple(options.seeds))
        check_data(protocol)
        found.append(protocol)
    names = [protocol.name for protocol in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"protocol {name!r} is given twice")
    return found


def _with_seeds(protocol: Protocol, seeds: tuple[int, ...]) -> Protocol:
    plan: Any = protocol.plan  # of either kind
    return replace(protocol, plan=replace(plan, seeds=seeds))


def _with_policies(protocol: Protocol, out: Path) -> Protocol:
    """Train the policies of a protocol, where it has some, and hand them to its strategies."""
    if not isinstance(protocol, Comparison) or not protocol.policies:
        return protocol

    def announce(line: str) -> None:
        print(f"{protocol.name}: {line}", flush=True)

    plan = policies.trained(protocol.plan, protocol.policies, out / "policies", announce)
    return replace(protocol, plan=plan)


def _folder(options: argparse.Namespace) -> Path:
    """Quick runs have their own: a run directory refuses another configuration."""
    if options.out is not None:
        return Path(options.out)
    return Path("runs") / ("quick" if options.quick else "suite")


def _run(jobs: Sequence[Job], workers: int) -> tuple[dict[str, list[Outcome]], int]:
    """Run all, a line each; outcomes by protocol, and how many runs failed."""
    outcomes: dict[str, list[Outcome]] = {}
    failures = 0
    for done, (job, outcome, seconds) in enumerate(runner.finished(jobs, workers), 1):
        head = f"[{done}/{len(jobs)}] {job.protocol.name} {job.label} seed {job.seed}:"
        if isinstance(outcome, Exception):
            failures += 1
            print(f"{head} FAILED: {outcome}", file=sys.stderr, flush=True)
            continue
        outcomes.setdefault(job.protocol.name, []).append(outcome)
        name, values = next(iter(outcome.metrics.items()))
        end = f"{name} {values[-1]:.4f} at {outcome.labeled[-1]} labels"
        print(f"{head} {end}, {seconds:.1f} s", flush=True)
    return outcomes, failures


def _repeatable(options: argparse.Namespace, protocol: Protocol) -> str:
    """The arguments that make a protocol's record again, without the caller's paths."""
    words = [protocol.name, *(["--quick"] if options.quick else []), f"--jobs {options.jobs}"]
    if options.seeds is not None:
        words.append("--seeds " + shlex.join(map(str, options.seeds)))
    return " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
