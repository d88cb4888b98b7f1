# SPDX-License-Identifier: Apache-2.0
"""Log-determinant greedy on BADGE's gradients against NumPy on materialised gradients.

The rival is given the incremental form as well (one rank-one update of every candidate's
quadratic form a pick), which is all that NumPy can do without the Kronecker structure.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

import fisher_select as fs
from benchmarks.engine import Settings
from benchmarks.pairing import alternate, require_same_picks
from benchmarks.problems import Problem, make_problem
from benchmarks.record import Record, at_least, informative, seconds


@dataclass(frozen=True)
class Size:
    """A softmax pool, the labels to buy, and how many pairs are measured."""

    n: int
    d: int
    classes: int
    batch_size: int
    labeled: int
    rounds: int


FULL = Size(5_000, 64, 10, batch_size=50, labeled=50, rounds=3)
QUICK = Size(300, 12, 4, batch_size=10, labeled=10, rounds=2)
LAM = 1.0


def max_det(settings: Settings) -> Record:
    """Whole runs of ours against recomputing, and against updating, NumPy."""
    size = QUICK if settings.quick else FULL
    problem = make_problem(size.n, size.d, size.classes, labeled=size.labeled, seed=0)
    gradients = _gradients(problem)
    found: dict[str, list[int]] = {}

    def ours() -> float:
        start = time.perf_counter()
        found["ours"] = fs.max_det(
            problem.features,
            problem.outputs,
            labeled=problem.labeled,
            batch_size=size.batch_size,
            lam=LAM,
            backend=settings.backend,
        ).indices.tolist()
        return time.perf_counter() - start

    def recomputing() -> float:
        start = time.perf_counter()
        found["rival"] = _greedy(gradients, problem.labeled, size.batch_size, incremental=False)
        return time.perf_counter() - start

    def updating() -> float:
        start = time.perf_counter()
        found["rival"] = _greedy(gradients, problem.labeled, size.batch_size, incremental=True)
        return time.perf_counter() - start

    ours()  # libraries and threads
    recomputed = alternate(recomputing, ours, rounds=size.rounds)
    require_same_picks("recomputed", found["ours"], found["rival"])
    updated = alternate(updating, ours, rounds=size.rounds)
    require_same_picks("updated", found["ours"], found["rival"])
    what = f"n = {size.n:,}, d = {size.d}, C = {size.classes}, B = {size.batch_size}"
    figures = [
        informative(
            f"max_det, rank one, {what}, against recomputing on materialised gradients",
            recomputed.speedup,
            detail=f"{seconds(recomputed.median_rival)} to {seconds(recomputed.median_ours)}, "
            "same picks",
        ),
        at_least(
            f"max_det, rank one, {what}, against updating on materialised gradients",
            updated.speedup,
            1,
            detail=f"{seconds(updated.median_rival)} to {seconds(updated.median_ours)}, "
            "same picks",
        ),
    ]
    raw = {"recomputed": recomputed.raw(), "updated": updated.raw()}
    return Record("max_det", asdict(size), figures, raw)


def _gradients(problem: Problem) -> npt.NDArray[np.float64]:  # [n, C d]
    P = problem.outputs.astype(np.float64)
    q = np.eye(P.shape[1])[P.argmax(axis=1)] - P
    X = problem.features.astype(np.float64)
    G: npt.NDArray[np.float64] = (q[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    return G


def _greedy(
    gradients: npt.NDArray[np.float64],
    labeled: npt.NDArray[np.int64],
    batch_size: int,
    *,
    incremental: bool,
) -> list[int]:
    """Largest g^T M^-1 g, M += g g^T; float64."""
    own = gradients[labeled]
    Q = np.linalg.inv(LAM * np.eye(gradients.shape[1]) + own.T @ own)
    free = np.ones(len(gradients), dtype=bool)
    free[labeled] = False
    forms = np.einsum("ij,ij->i", gradients @ Q, gradients)
    picks: list[int] = []
    while len(picks) < batch_size:
        best = int(np.argmax(np.where(free, forms, -np.inf)))
        picks.append(best)
        free[best] = False
        u = Q @ gradients[best] / np.sqrt(1.0 + forms[best])
        Q -= np.outer(u, u)
        if incremental:
            forms -= (gradients @ u) ** 2
        else:
            forms = np.einsum("ij,ij->i", gradients @ Q, gradients)
    return picks
