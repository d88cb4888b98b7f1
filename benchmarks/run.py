# SPDX-License-Identifier: Apache-2.0
"""The one command: ``python -m benchmarks.run [--quick] [--only NAME] [--out DIR]``.

Writes a JSON file a benchmark and the table over all of them, about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from benchmarks import (
    approximations,
    badge_rival,
    bait_floor,
    bait_memory,
    bait_rival,
    bait_scaling,
    fisher_mask,
    hosts,
    information_gain_rival,
    k_center_floor,
    mask_floor,
    max_det_rival,
    mean_distance_rival,
    out_of_core,
    peers,
    plan_check,
    policy_training,
    scaling,
    searches,
)
from benchmarks.engine import Settings
from benchmarks.machine import provenance
from benchmarks.pairing import AnswerError
from benchmarks.record import (
    Record,
    as_json,
    read_records,
    render_table,
    write_record,
    write_text,
)

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"

# In the order of the table.
BENCHMARKS: dict[str, Callable[[Settings], Record]] = {
    "bait_pick": bait_rival.pick,
    "bait_end_to_end": bait_rival.end_to_end,
    "bait_pick_sgemm": bait_floor.sgemm,
    "bait_pick_two_classes": bait_floor.two_classes,
    "bait_memory": bait_memory.memory,
    "plan": plan_check.plan_check,
    "approximations": approximations.approximations,
    "searches": searches.searches,
    "million": searches.million,
    "bait_pick_regression": bait_floor.regression,
    "bait_scaling": bait_scaling.scaling,
    "k_center": k_center_floor.embedding,
    "k_center_isotropic": k_center_floor.isotropic,
    "k_center_labeled": k_center_floor.many_labeled,
    "badge": badge_rival.badge,
    "information_gain": information_gain_rival.against_printed,
    "information_gain_scaling": information_gain_rival.scaling,
    "mean_distance": mean_distance_rival.mean_distance,
    "policy_training": policy_training.training,
    "max_det": max_det_rival.max_det,
    "max_det_large": max_det_rival.large,
    "mask": mask_floor.mask,
    "fisher_mask_diagonal": fisher_mask.diagonal,
    "fisher_mask_selection": fisher_mask.selection,
    "peers": peers.peers,
    "scaling": scaling.scaling,
    "hosts": hosts.hosts,
    "out_of_core": out_of_core.streamed,
}

# Left out unless asked for by name: it writes a file of 20 GB.
ON_REQUEST = ("out_of_core",)

# Benchmarks that need a package nothing else does: left out where it is not installed.
NEEDS = dict.fromkeys(("peers", "hosts"), (peers.REQUIRES, peers.INSTALL))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 0 when each gave a right answer (targets met or not), else 1."""
    options = _parse(arguments)
    settings = Settings(quick=options.quick, backend=options.backend)
    measured, failed = [], False
    usual = [name for name in BENCHMARKS if options.quick or name not in ON_REQUEST]
    for name in options.only or usual:
        if name in NEEDS and find_spec(NEEDS[name][0]) is None:
            print(f"{name}: left out, {NEEDS[name][1]}", file=sys.stderr)
            failed = failed or options.only is not None
            continue
        record = _run(name, settings)
        if record is None:
            failed = True
            continue
        measured.append(
            as_json(record, provenance(_command(name, settings), quick=options.quick))
        )
        if options.out is not None:  # at once: a later interruption loses nothing
            write_record(measured[-1], options.out)
    if not measured:
        print("nothing was measured, and no file was written", file=sys.stderr)
        return 1
    if options.out is None:
        print(render_table(measured))
    else:
        table = render_table(read_records(options.out, BENCHMARKS))
        write_text(_table_path(options.out), table)
    return 1 if failed else 0


def _run(name: str, settings: Settings) -> Record | None:
    """Measure and show one benchmark; None where an answer was wrong, which is said."""
    print(f"{name} ...", flush=True)
    start = time.perf_counter()
    try:
        record = BENCHMARKS[name](settings)
    except AnswerError as error:
        print(f"{name}: wrong answer, nothing recorded: {error}", file=sys.stderr)
        return None
    if settings.quick:  # smoke sizes say nothing about the targets
        record = replace(record, figures=[replace(f, reached=None) for f in record.figures])
    _show(record, time.perf_counter() - start)
    return record


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smoke sizes, seconds in all")
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME", help="may be repeated"
    )
    parser.add_argument("--backend", default="cpu", help="backend of our side (default: cpu)")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the JSON files, made if absent (default: benchmarks/results; with "
        "--quick none, the table is printed instead, as smoke sizes must not replace results)",
    )
    options = parser.parse_args(arguments)
    if options.out is None and not options.quick:
        options.out = RESULTS
    if options.out is not None:
        try:  # now, not after minutes of measuring
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"--out: cannot make folder {options.out}: {error.strerror}")
    return options


def _command(name: str, settings: Settings) -> str:
    """What measures this record again, without the caller's paths."""
    parts = ["python -m benchmarks.run", "--quick" if settings.quick else "", f"--only {name}"]
    if settings.backend != "cpu":
        parts.append(f"--backend {settings.backend}")
    return " ".join(part for part in parts if part)


def _table_path(out: Path) -> Path:
    """RESULTS.md stands beside the benchmarks; another folder keeps its own."""
    return (HERE if out.resolve() == RESULTS else out) / "RESULTS.md"


def _show(record: Record, elapsed: float) -> None:
    for row in record.figures:
        mark = {True: "reached", False: "MISSED", None: ""}[row.reached]
        print(f"  {row.figure}: {row.measured}  {row.target}  {mark}".rstrip())
    print(f"  {elapsed:.1f} s in all", flush=True)


if __name__ == "__main__":
    sys.exit(main())
