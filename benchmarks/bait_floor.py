# SPDX-License-Identifier: Apache-2.0
"""A BAIT pick against the floor of the machine: one matrix product of NumPy, on all cores.

Ten classes are held against one sgemm of the pick's size, two classes and regression against
one pass over the features (sgemv).  The floors write into a buffer made before, so they pay for
no page faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import threadpoolctl

from benchmarks.engine import EngineRun, Settings, run_bait
from benchmarks.pairing import AnswerError, alternate, median_seconds
from benchmarks.problems import Float32, make_problem
from benchmarks.record import Record, at_most, seconds

FLOOR_REPEATS = 7


@dataclass(frozen=True)
class Size:
    """A pool (``classes`` 1: regression), forward picks a run, and pairs."""

    n: int
    d: int
    classes: int
    picks: int
    rounds: int
    seed: int = 0

    def __str__(self) -> str:
        return f"n = {self.n:,}, d = {self.d}"


SGEMM = Size(50_000, 512, 10, picks=64, rounds=2)
SGEMM_QUICK = Size(3_000, 48, 10, picks=16, rounds=2)
TWO_CLASSES = Size(200_000, 512, 2, picks=64, rounds=5)
TWO_CLASSES_QUICK = Size(4_000, 64, 2, picks=16, rounds=2)
REGRESSION = Size(100_000, 512, 1, picks=64, rounds=5)
REGRESSION_QUICK = Size(4_000, 64, 1, picks=16, rounds=2)


def sgemm(settings: Settings) -> Record:
    """C = 10: one sgemm [n, d] x [d, 2 C^2], the product of a pick without the class saved."""
    size = SGEMM_QUICK if settings.quick else SGEMM
    columns = 2 * size.classes**2
    return _against_floor(
        "bait_pick_sgemm",
        f"BAIT pick, {size}, C = {size.classes}, against one sgemm [n, d] x [d, 2 C^2]",
        size,
        settings,
        columns=columns,
        limit=1.3,
        rate=lambda s: f"{2e-9 * size.n * size.d * columns / s:.0f} GFLOP/s",
    )


def two_classes(settings: Settings) -> Record:
    """C = 2, a rank-one factor: one pass over X."""
    size = TWO_CLASSES_QUICK if settings.quick else TWO_CLASSES
    return _against_pass(
        "bait_pick_two_classes", f"BAIT pick, two classes, {size}", size, settings
    )


def regression(settings: Settings) -> Record:
    """Gaussian likelihood, a rank-one factor: one pass over X."""
    size = REGRESSION_QUICK if settings.quick else REGRESSION
    return _against_pass("bait_pick_regression", f"regression pick, {size}", size, settings)


def _against_pass(name: str, figure: str, size: Size, settings: Settings) -> Record:
    return _against_floor(
        name,
        f"{figure}, against one pass over X (sgemv)",
        size,
        settings,
        columns=1,
        limit=2.0,
        rate=lambda s: f"{4e-9 * size.n * size.d / s:.1f} GB/s",
    )


def _against_floor(
    name: str,
    figure: str,
    size: Size,
    settings: Settings,
    *,
    columns: int,
    limit: float,
    rate: Callable[[float], str],
) -> Record:
    problem = make_problem(size.n, size.d, size.classes, seed=size.seed)
    product = _product(problem.features, columns, size.seed)
    runs: list[EngineRun] = []

    def floor() -> float:
        return median_seconds(product, repeats=FLOOR_REPEATS)

    def ours() -> float:
        runs.append(
            run_bait(problem, batch_size=size.picks, oversample=1.0, backend=settings.backend)
        )
        return runs[-1].pick_seconds

    threads = _blas_threads()
    pairs = alternate(floor, ours, rounds=size.rounds)
    if _blas_threads() != threads:
        raise AnswerError(
            f"the engine left BLAS at {_blas_threads()} threads, it had {threads}: "
            "the floors after the first run are too slow"
        )
    refreshes = max(run.selection.refreshes for run in runs)
    detail = (
        f"{seconds(pairs.median_ours)} a pick over {size.picks} picks with {refreshes} "
        f"refreshes, floor {seconds(pairs.median_rival)} = {rate(pairs.median_rival)} on "
        f"{threads} threads"
    )
    raw = {
        "pairs": pairs.raw(),
        "blas_threads": threads,
        "our_runs": [run.raw() for run in runs],
    }
    row = at_most(figure, pairs.cost, limit, detail=detail)
    return Record(name, asdict(size), [row], raw)


def _product(features: Float32, columns: int, seed: int) -> Callable[[], object]:
    """``features @ right`` with ``right`` [d, columns], or [d] for one column."""
    shape = (features.shape[1],) if columns == 1 else (features.shape[1], columns)
    right = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    out = np.empty((len(features), *shape[1:]), dtype=np.float32)
    return lambda: np.matmul(features, right, out=out)


def _blas_threads() -> int:
    """Threads of the BLAS that NumPy calls (several may be loaded: the largest)."""
    pools = threadpoolctl.threadpool_info()
    return max((p["num_threads"] for p in pools if p["user_api"] == "blas"), default=1)
