# SPDX-License-Identifier: Apache-2.0
"""BADGE against k-means++ in NumPy on factored gradients, plainly written.

The rival never forms a gradient either: two matrix-vector products a pick. Both sides draw the
same exponential clocks (see reference/distance.py), so that their picks must agree.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

import fisher_select as fs
from benchmarks.embedding import Embedding, digit_embedding
from benchmarks.engine import Settings
from benchmarks.pairing import alternate, require_same_picks
from benchmarks.problems import make_problem
from benchmarks.record import Record, at_least, seconds
from fisher_select.reference.distance import exponential_draws


@dataclass(frozen=True)
class Size:
    """A pool, the rows labelled already, the batch, the rival's picks, and pairs."""

    n: int
    d: int
    labeled: int
    batch_size: int
    rival_picks: int
    rounds: int
    seed: int = 0


FULL = Size(60_000, 512, labeled=100, batch_size=1000, rival_picks=100, rounds=3)
QUICK = Size(2_000, 32, labeled=20, batch_size=60, rival_picks=30, rounds=2)


def badge(settings: Settings) -> Record:
    """Seconds a pick, ours of a whole call, the rival's of its first picks."""
    size = QUICK if settings.quick else FULL
    if settings.quick:  # no training for a smoke test
        problem = make_problem(size.n, size.d, 10)
        pool = Embedding(problem.features, problem.outputs)
    else:
        pool = digit_embedding(size.n, size.d)
    labeled = np.arange(0, size.n, size.n // size.labeled)[: size.labeled]
    runs: list[fs.Selection] = []
    theirs: list[list[int]] = []

    def rival() -> float:
        start = time.perf_counter()
        theirs.append(k_means_plus_plus(pool, labeled, size.rival_picks, size.seed))
        return (time.perf_counter() - start) / size.rival_picks

    def ours() -> float:
        start = time.perf_counter()
        runs.append(
            fs.badge(
                pool.features,
                pool.probabilities,
                labeled=labeled,
                batch_size=size.batch_size,
                seed=size.seed,
                backend=settings.backend,
            )
        )
        return (time.perf_counter() - start) / size.batch_size

    ours()  # libraries and threads
    pairs = alternate(rival, ours, rounds=size.rounds)
    for run in runs:
        require_same_picks("first picks", run.indices[: size.rival_picks], theirs[0])
    share = runs[-1].diagnostics["full_share"]
    row = at_least(
        f"BADGE, real embedding, n = {size.n:,}, d = {size.d}, B = {size.batch_size:,}, "
        "against factored k-means++ in NumPy",
        pairs.speedup,
        10,
        detail=f"{seconds(pairs.median_rival)} to {seconds(pairs.median_ours)} a pick, of a "
        f"whole call; {share:.2%} of the distances in full; same first {size.rival_picks} "
        "picks",
    )
    raw = {
        "pairs": pairs.raw(),
        "stages_s": [run.seconds for run in runs],
        "full_share": share,
    }
    note = (
        f"the rival's pick is measured over its first {size.rival_picks} picks, each of which "
        "costs the same"
    )
    return Record("badge", asdict(size), [row], raw, [note])


def k_means_plus_plus(
    pool: Embedding, labeled: npt.NDArray[np.int64], picks: int, seed: int
) -> list[int]:
    """D^2 sampling with float32 products over all rows; sums and clocks in float64."""
    X, P = pool.features, pool.probabilities
    R = -P
    R[np.arange(len(P)), P.argmax(axis=1)] += 1.0
    norms = np.einsum("ij,ij->i", X, X) * np.einsum("ij,ij->i", R, R).astype(np.float64)
    free = np.ones(len(X), dtype=np.bool_)
    free[labeled] = False
    left = exponential_draws(seed, len(X))
    nearest = np.full(len(X), np.inf)
    found = [int(np.argmax(np.where(free, norms, -1.0)))]
    while len(found) < picks:
        row = found[-1]
        free[row] = False
        square = norms + norms[row] - 2.0 * (X @ X[row]) * (R @ R[row]).astype(np.float64)
        np.minimum(nearest, np.maximum(square, 1e-30), out=nearest)
        wait = np.where(free, left / nearest, np.inf)
        chosen = int(np.argmin(wait))
        left -= nearest * wait[chosen]
        found.append(chosen)
    return found
