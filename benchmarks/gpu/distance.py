# SPDX-License-Identifier: Apache-2.0
"""k-centre and BADGE on the device, against their floor and one pass of torch a pick."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

import fisher_select as fs
from benchmarks.gpu.bait import SHARE
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.pools import make_device_problem
from benchmarks.gpu.row import Measured, Row
from benchmarks.gpu.work import distance_picks
from benchmarks.pairing import AnswerError, require_same_picks

# How far below the farthest row's squared distance a pick's may lie, relative, in the rival's
# float32 products.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Size:
    """A pool, the batch, and the rival's picks."""

    n: int
    d: int
    classes: int
    batch_size: int
    rival_picks: int = 0

    def __str__(self) -> str:
        return f"n = {self.n:,}, d = {self.d}, B = {self.batch_size:,}"


K_CENTER = Size(1_000_000, 512, 10, batch_size=10_000, rival_picks=50)
BADGE = Size(1_000_000, 512, 10, batch_size=1000)
QUICK = Size(300, 8, 4, batch_size=12, rival_picks=8)


def k_center(bench: Bench) -> Measured:
    """Whole calls, nothing labelled; the rival is farthest-first with one product a pick."""
    size = QUICK if bench.quick else K_CENTER
    features = make_device_problem(size.n, size.d, size.classes, bench.device).features
    runs: list[fs.Selection] = []
    times = bench.times(
        lambda: runs.append(
            fs.k_center(features, batch_size=size.batch_size, backend=bench.backend)
        )
    )
    picks = _same_in_all(runs)
    passes = _passes(features, picks[: size.rival_picks], bench)
    row = _row(f"k-centre, {size}", times, runs[-1], size, bench, outputs=0)
    rows = [
        row,
        Row(
            f"k-centre, {size}: a pick of a whole call",
            row.seconds / size.batch_size,
            rival="one product of torch with X a pick",
            rival_seconds=statistics.median(passes),
        ),
    ]
    raw = {"times_s": times, "passes_s": passes, "diagnostics": dict(runs[-1].diagnostics)}
    notes = [
        f"k-centre: its first {size.rival_picks} picks are the farthest by the rival's "
        f"distances, within {ROUNDING:g}",
        "k-centre and BADGE: their floor counts 20 bytes of a row a pick at the copy's "
        "bandwidth, though the cache may hold them: shares above 1 are possible",
    ]
    return Measured(rows, asdict(size), raw, notes)


def badge(bench: Bench) -> Measured:
    """Whole calls, nothing labelled."""
    size = QUICK if bench.quick else BADGE
    pool = make_device_problem(size.n, size.d, size.classes, bench.device)
    runs: list[fs.Selection] = []
    times = bench.times(
        lambda: runs.append(
            fs.badge(
                pool.features,
                pool.outputs,
                batch_size=size.batch_size,
                seed=0,
                backend=bench.backend,
            )
        )
    )
    _same_in_all(runs)
    row = _row(f"BADGE, {size}", times, runs[-1], size, bench, outputs=size.classes)
    raw = {"times_s": times, "diagnostics": dict(runs[-1].diagnostics)}
    return Measured([row], asdict(size), raw)


def _same_in_all(runs: Sequence[fs.Selection]) -> list[int]:
    for run in runs:
        require_same_picks("all runs", run.indices, runs[0].indices)
    return [int(row) for row in runs[0].indices]


def _row(
    what: str,
    times: Sequence[float],
    run: fs.Selection,
    size: Size,
    bench: Bench,
    *,
    outputs: int,
) -> Row:
    work = distance_picks(
        size.n,
        size.d,
        picks=size.batch_size,
        full=int(run.diagnostics["full_distances"]),
        outputs=outputs,
    )
    return Row(
        f"{what}: whole call",
        statistics.median(times),
        floor_seconds=bench.floor(work),
        wanted_share=SHARE,
    )


def _passes(features: Tensor, picks: Sequence[int], bench: Bench) -> list[float]:
    """Seconds of each of the rival's picks; its centres are ours, if it agrees with them."""
    norms = (features * features).sum(dim=1)
    nearest = torch.full_like(norms, torch.inf)
    farthest = torch.zeros((), dtype=torch.int64, device=features.device)

    def meet(row: int) -> None:
        center = features[row]
        square = torch.addmv(norms, features, center, alpha=-2.0) + center @ center
        torch.minimum(nearest, square, out=nearest)
        torch.argmax(nearest, out=farthest)

    times = [bench.time(lambda: meet(picks[0]))]
    for row in picks[1:]:
        if float(nearest[row]) < (1.0 - ROUNDING) * float(nearest[farthest]):
            raise AnswerError(
                f"k-centre: row {row} was picked, row {int(farthest)} is farther away"
            )
        times.append(bench.time(lambda row=row: meet(row)))
    return times[1:]  # the first one loads libraries
