# SPDX-License-Identifier: Apache-2.0
"""Log-determinant greedy, information gain and the top-k mask on the device."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass

import numpy as np
import torch

import fisher_select as fs
from benchmarks.gpu.bait import SHARE
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.pools import make_device_problem, make_features, make_layer
from benchmarks.gpu.row import Measured, Row
from benchmarks.gpu.work import information_gain as gain_work
from benchmarks.gpu.work import log_det_pick, one_reading
from benchmarks.pairing import AnswerError, require_same_picks


@dataclass(frozen=True)
class PoolSize:
    """A softmax pool, and the labels to buy."""

    n: int
    d: int
    classes: int
    batch_size: int
    labeled: int


@dataclass(frozen=True)
class GainSize:
    """Pool rows n, evaluation rows m, features and classes."""

    n: int
    m: int
    d: int
    classes: int


@dataclass(frozen=True)
class MaskSize:
    """Parameters, and how many a mask keeps."""

    parameters: int
    kept: int


MAX_DET, MAX_DET_QUICK = PoolSize(50_000, 512, 10, 1000, 1000), PoolSize(100, 6, 4, 8, 8)
GAIN, GAIN_QUICK = GainSize(200_000, 1_000, 512, 10), GainSize(40, 12, 8, 4)
MASK, MASK_QUICK = MaskSize(100_000_000, 200_000), MaskSize(40_000, 80)


def max_det(bench: Bench) -> Measured:
    """Whole calls on BADGE's gradients, and their picks."""
    size = MAX_DET_QUICK if bench.quick else MAX_DET
    pool = make_device_problem(size.n, size.d, size.classes, bench.device, labeled=size.labeled)
    runs: list[fs.Selection] = []
    times = bench.times(
        lambda: runs.append(
            fs.max_det(
                pool.features,
                pool.outputs,
                labeled=pool.labeled,
                batch_size=size.batch_size,
                backend=bench.backend,
            )
        )
    )
    for run in runs:
        require_same_picks("log-det: all runs", run.indices, runs[0].indices)
    pick = statistics.median(run.seconds["forward"] for run in runs[1:]) / size.batch_size
    what = f"log-det, rank one, n = {size.n:,}, d = {size.d}, C = {size.classes}, "
    what += f"B = {size.batch_size:,}"
    work = log_det_pick(size.n, size.d, classes=size.classes - 1)  # one class fewer
    rows = [
        Row(f"{what}: whole call", statistics.median(times)),
        Row(f"{what}: a pick", pick, floor_seconds=bench.floor(work), wanted_share=SHARE),
    ]
    raw = {"times_s": times, "stages_s": [dict(run.seconds) for run in runs[1:]]}
    return Measured(rows, asdict(size), raw)


def information_gain(bench: Bench) -> Measured:
    """AEIG scores of a pool."""
    size = GAIN_QUICK if bench.quick else GAIN
    pool = make_features(size.n, size.d, size.classes, bench.device)
    evaluation = make_features(size.m, size.d, size.classes, bench.device, seed=2)
    weight = make_layer(size.d, size.classes, bench.device)
    labels = torch.argmax(evaluation @ weight, dim=1).cpu().numpy()
    found: list[np.ndarray] = []
    times = bench.times(
        lambda: found.append(
            fs.information_gain_scores(
                pool,
                eval_features=evaluation,
                eval_labels=labels,
                weight=weight,
                kind="aeig",
                backend=bench.backend,
            )
        )
    )
    if not all(np.array_equal(scores, found[0]) for scores in found):
        raise AnswerError("information gain: two runs gave different scores")
    what = f"AEIG scores, n = {size.n:,}, m = {size.m:,}, d = {size.d}, C = {size.classes}"
    floor = bench.floor(gain_work(size.n, size.m, size.d, size.classes))
    row = Row(what, statistics.median(times), floor_seconds=floor, wanted_share=SHARE)
    return Measured([row], asdict(size), {"times_s": times})


def mask(bench: Bench) -> Measured:
    """The largest 0.2 % of a diagonal; the rival is torch.topk, which need not sort."""
    size = MASK_QUICK if bench.quick else MASK
    generator = torch.Generator(bench.device).manual_seed(0)
    diagonal = torch.randn(size.parameters, generator=generator, device=bench.device).square_()
    kept: list[np.ndarray] = []
    times = bench.times(
        lambda: kept.append(fs.top_k_mask(diagonal, size.kept, backend=bench.backend))
    )
    largest: list[torch.Tensor] = []
    rival = bench.times(
        lambda: largest.append(torch.topk(diagonal, size.kept, sorted=False).values)
    )
    ours = diagonal[torch.as_tensor(kept[-1], device=bench.device)]
    # Entries equal to the smallest one kept may differ; their values may not.
    if not torch.equal(ours.sort().values, largest[-1].sort().values):
        raise AnswerError("mask: torch.topk keeps larger entries")
    row = Row(
        f"top-k mask, {size.kept:,} of {size.parameters:,} float32 parameters",
        statistics.median(times),
        floor_seconds=bench.floor(one_reading(size.parameters)),
        wanted_share=SHARE,
        rival="torch.topk",
        rival_seconds=statistics.median(rival),
    )
    return Measured([row], asdict(size), {"times_s": times, "rival_s": rival})
