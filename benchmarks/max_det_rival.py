# SPDX-License-Identifier: Apache-2.0
"""Log-determinant greedy on BADGE's gradients against NumPy, small and large.

On materialised gradients the rival is given the incremental form as well: one rank-one update
of every candidate's quadratic form a pick. Where their D x D matrix would take 46 GB, it is
given our kernel form: a pivoted Cholesky factor, one column for all rows a pick.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg

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


SMALL = Size(5_000, 64, 10, batch_size=50, labeled=50, rounds=3)
LARGE = Size(20_000, 768, 100, batch_size=100, labeled=100, rounds=5)
QUICK = Size(300, 12, 4, batch_size=10, labeled=10, rounds=2)
LAM = 1.0


def max_det(settings: Settings) -> Record:
    """Whole runs of ours against recomputing, and against updating, NumPy."""
    size = QUICK if settings.quick else SMALL
    problem = make_problem(size.n, size.d, size.classes, labeled=size.labeled, seed=0)
    gradients = _gradients(problem)
    found: dict[str, list[int]] = {}

    def ours() -> float:
        start = time.perf_counter()
        found["ours"] = _ours(problem, size, settings).indices.tolist()
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
    what = _words(size)
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


def large(settings: Settings) -> Record:
    """Whole runs of ours against NumPy's in the kernel form; all rows' entries every pick."""
    size = QUICK if settings.quick else LARGE
    problem = make_problem(size.n, size.d, size.classes, labeled=size.labeled, seed=0)
    runs: list[fs.Selection] = []
    rival: list[list[int]] = []

    def ours() -> float:
        start = time.perf_counter()
        runs.append(_ours(problem, size, settings))
        return time.perf_counter() - start

    def theirs() -> float:
        start = time.perf_counter()
        rival.append(_kernel_greedy(problem, size.batch_size))
        return time.perf_counter() - start

    ours()  # libraries and threads
    pairs = alternate(theirs, ours, rounds=size.rounds)
    require_same_picks("kernel form", runs[-1].indices.tolist(), rival[-1])
    share = runs[-1].diagnostics.get("entries", 0.0) / (size.n * size.batch_size)
    figures = [
        at_least(
            f"max_det, rank one, {_words(size)}, against the kernel form in NumPy",
            pairs.speedup,
            1,
            detail=f"{seconds(pairs.median_rival)} to {seconds(pairs.median_ours)}, same "
            f"picks, {share:.2%} of the factor's entries computed",
        )
    ]
    raw = {"pairs": pairs.raw(), "entries_share": share}
    return Record("max_det_large", asdict(size), figures, raw)


def _ours(problem: Problem, size: Size, settings: Settings) -> fs.Selection:
    return fs.max_det(
        problem.features,
        problem.outputs,
        labeled=problem.labeled,
        batch_size=size.batch_size,
        lam=LAM,
        backend=settings.backend,
    )


def _words(size: Size) -> str:
    return f"n = {size.n:,}, d = {size.d}, C = {size.classes}, B = {size.batch_size}"


def _residuals(problem: Problem) -> npt.NDArray[np.float64]:  # [n, C]: e_yhat - p
    P = problem.outputs.astype(np.float64)
    q: npt.NDArray[np.float64] = np.eye(P.shape[1])[P.argmax(axis=1)] - P
    return q


def _gradients(problem: Problem) -> npt.NDArray[np.float64]:  # [n, C d]
    q = _residuals(problem)
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


def _kernel_greedy(problem: Problem, batch_size: int) -> list[int]:
    """The same by the kernel <x_i, x_j> <q_i, q_j>: a column of its factor for each pick."""
    X, q, own = problem.features.astype(np.float64), _residuals(problem), problem.labeled
    m = len(own)
    factor = np.empty((len(X), m + batch_size))
    kernel = (X @ X[own].T) * (q @ q[own].T)
    root = scipy.linalg.cholesky(kernel[own] + LAM * np.eye(m), lower=True)
    factor[:, :m] = scipy.linalg.solve_triangular(root, kernel.T, lower=True).T
    left = np.sum(X * X, axis=1) * np.sum(q * q, axis=1) - np.sum(factor[:, :m] ** 2, axis=1)
    free = np.ones(len(X), dtype=bool)
    free[own] = False
    picks: list[int] = []
    for at in range(m, m + batch_size):
        best = int(np.argmax(np.where(free, left, -np.inf)))
        picks.append(best)
        free[best] = False
        column = (X @ X[best]) * (q @ q[best]) - factor[:, :at] @ factor[best, :at]
        factor[:, at] = column / np.sqrt(LAM + left[best])
        left -= factor[:, at] ** 2
    return picks
