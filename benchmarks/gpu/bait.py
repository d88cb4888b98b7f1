# SPDX-License-Identifier: Apache-2.0
"""BAIT on the device: whole calls, a forward pick against its floor and against torch."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, replace

import torch

from benchmarks.engine import EngineRun, run_bait
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.pools import make_device_problem
from benchmarks.gpu.row import Measured, Row
from benchmarks.gpu.work import Work, trace_pick
from benchmarks.pairing import alternate, require_same_picks
from benchmarks.problems import Problem
from benchmarks.rivals.published_bait import PublishedBait, softmax_factors

SHARE = 0.5  # of the floor, wanted of a pick (DESIGN section 9)
ROUNDS = 3  # of pairs with the rival, whose pick takes seconds


@dataclass(frozen=True)
class Size:
    """A softmax pool, the labels to buy, and the seconds wanted of a whole call."""

    n: int
    d: int
    classes: int
    batch_size: int
    labeled: int
    fisher: str = "full"
    wanted_seconds: float | None = None
    seed: int = 0

    def __str__(self) -> str:
        form = "" if self.fisher == "full" else f"{self.fisher.replace('_', '-')}, "
        return (
            f"BAIT, {form}n = {self.n:,}, d = {self.d}, C = {self.classes:,}, "
            f"B = {self.batch_size:,}"
        )

    def problem(self, bench: Bench) -> Problem:
        """The pool of this size, on the device."""
        return make_device_problem(
            self.n, self.d, self.classes, bench.device, labeled=self.labeled, seed=self.seed
        )

    def run(self, problem: Problem, bench: Bench) -> EngineRun:
        """One selection of ours."""
        return run_bait(
            problem, batch_size=self.batch_size, fisher=self.fisher, backend=bench.backend
        )

    def pick(self) -> Work:
        """What a forward pick has to do."""
        if self.fisher == "block_diagonal":
            return trace_pick(self.n, self.d, classes=1, rank=1, groups=self.classes)
        rank = self.classes - 1  # one class fewer, exactly
        return trace_pick(self.n, self.d, classes=rank, rank=rank)


WHOLE = Size(50_000, 512, 10, batch_size=1000, labeled=1000, wanted_seconds=2.0)
MILLION = Size(1_000_000, 384, 10, batch_size=100, labeled=100)
BLOCKS = Size(1_280_000, 384, 1000, batch_size=10, labeled=0, fisher="block_diagonal")
QUICK = Size(120, 6, 4, batch_size=4, labeled=8)


def whole(bench: Bench) -> Measured:
    """The published size: whole calls and their forward picks."""
    return _measure(WHOLE, bench)


def million(bench: Bench) -> Measured:
    """A million rows."""
    return _measure(MILLION, bench)


def block_diagonal(bench: Bench) -> Measured:
    """A thousand classes, one block of parameters each."""
    return _measure(BLOCKS, bench)


def _measure(size: Size, bench: Bench) -> Measured:
    if bench.quick:
        size = replace(QUICK, fisher=size.fisher)
    problem = size.problem(bench)
    runs: list[EngineRun] = []
    times = bench.times(lambda: runs.append(size.run(problem, bench)))
    for run in runs:
        require_same_picks(f"{size}: all runs", run.forward, runs[0].forward)
    runs = runs[1:]  # as many as times
    pick = statistics.median(run.pick_seconds for run in runs)
    refreshes = max(run.selection.refreshes for run in runs)
    rows = [
        Row(f"{size}: whole call", statistics.median(times), size.wanted_seconds),
        Row(
            f"{size}: a forward pick of {len(runs[0].forward):,}, {refreshes} refreshes",
            pick,
            floor_seconds=bench.floor(size.pick()),
            wanted_share=SHARE,
        ),
    ]
    raw = {"times_s": times, "runs": [run.raw() for run in runs]}
    note = "BAIT: a forward pick is the forward stage, refreshes included, over its picks"
    return Measured(rows, asdict(size), raw, [note])


def against_published(bench: Bench) -> Measured:
    """Single picks of the published algorithm against ours out of whole calls, by turns."""
    size = QUICK if bench.quick else WHOLE
    problem = size.problem(bench)
    torch.set_float32_matmul_precision("highest")  # no TF32
    factors = softmax_factors(problem.features, problem.outputs)
    solver = PublishedBait(factors, labeled=problem.labeled, batch_size=size.batch_size)
    runs = [size.run(problem, bench)]  # libraries
    picked = [solver.pick()]

    def rival() -> float:
        return bench.time(lambda: picked.append(solver.pick()))

    def ours() -> float:
        runs.append(size.run(problem, bench))
        return runs[-1].pick_seconds

    pairs = alternate(rival, ours, rounds=ROUNDS, settle=0.0)
    for run in runs:
        require_same_picks(f"{size}: first picks", run.forward[: len(picked)], picked)
    picks = len(runs[0].forward)
    call = statistics.median(run.wall for run in runs[1:])
    published = "the published algorithm in torch"
    rows = [
        Row(
            f"{size}: a forward pick",
            pairs.median_ours,
            rival=published,
            rival_seconds=pairs.median_rival,
        ),
        Row(
            f"{size}: whole call, wall clock",
            call,
            rival=f"{published}, extrapolated",
            rival_seconds=picks * pairs.median_rival,
        ),
    ]
    raw = {"pairs": pairs.raw(), "walls_s": [run.wall for run in runs[1:]]}
    notes = [
        f"against the published algorithm: same first {len(picked)} picks; extrapolated: "
        f"{picks:,} forward picks, its set-up and its backward stage left out in its favour"
    ]
    return Measured(rows, asdict(size), raw, notes)
