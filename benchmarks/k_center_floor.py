# SPDX-License-Identifier: Apache-2.0
"""k-centre greedy against the memory bandwidth that everybody else's needs.

The floor is one sgemv of NumPy over the features a pick, on all cores: the product alone,
without the distances, the minimum and the maximum that follow it. Picks are held against brute
force in float64 over a prefix, and on the isotropic pool too, where bounds rule nothing out.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

import fisher_select as fs
from benchmarks.embedding import digit_embedding
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError, alternate, median_seconds, require_same_picks
from benchmarks.problems import make_problem
from benchmarks.record import Record, at_least, at_most, informative, seconds

Float32 = npt.NDArray[np.float32]

FLOOR_REPEATS = 15


@dataclass(frozen=True)
class Size:
    """A pool, the rows labelled already, the batch, and pairs."""

    n: int
    d: int
    labeled: int
    batch_size: int
    checked: int  # first picks that brute force has to confirm
    rounds: int


FULL = Size(60_000, 512, labeled=100, batch_size=1000, checked=60, rounds=5)
QUICK = Size(2_000, 32, labeled=20, batch_size=60, checked=60, rounds=2)


def embedding(settings: Settings) -> Record:
    """A network's embedding of digits: what the pruning is for."""
    size = QUICK if settings.quick else FULL
    if settings.quick:  # no training for a smoke test
        features = make_problem(size.n, size.d, 10).features
    else:
        features = digit_embedding(size.n, size.d).features
    return _measure("k_center", "real embedding", features, size, settings, isotropic=False)


def isotropic(settings: Settings) -> Record:
    """Gaussian noise of equal variance everywhere: no direction tells more than another."""
    size = QUICK if settings.quick else FULL
    features = np.random.default_rng(0).standard_normal((size.n, size.d), dtype=np.float32)
    return _measure("k_center_isotropic", "isotropic", features, size, settings, isotropic=True)


def _measure(
    name: str, pool: str, features: Float32, size: Size, settings: Settings, *, isotropic: bool
) -> Record:
    labeled = np.arange(0, size.n, size.n // size.labeled)[: size.labeled]
    center = features[0].copy()
    out = np.empty(size.n, dtype=np.float32)
    runs: list[fs.Selection] = []
    walls: list[float] = []

    def floor() -> float:
        return median_seconds(
            lambda: np.matmul(features, center, out=out), repeats=FLOOR_REPEATS
        )

    def ours() -> float:
        start = time.perf_counter()
        runs.append(
            fs.k_center(
                features, labeled=labeled, batch_size=size.batch_size, backend=settings.backend
            )
        )
        walls.append(time.perf_counter() - start)
        return walls[-1] / size.batch_size

    ours()  # libraries and threads
    runs.clear()
    walls.clear()
    pairs = alternate(floor, ours, rounds=size.rounds)
    expected, radii = brute_force(features, labeled, size.checked)
    for run in runs:
        require_same_picks(f"first picks, {pool}", run.indices[: size.checked], expected)
        require_same_picks(f"all runs, {pool}", run.indices, runs[0].indices)
        if not np.allclose(run.scores[: size.checked], radii, rtol=1e-9):
            raise AnswerError(f"{pool}: radii differ from brute force")
    picking = float(np.median([run.seconds.get("pick", 0.0) for run in runs])) / size.batch_size
    share = runs[-1].diagnostics["full_share"]
    what = f"k-centre, {pool}, n = {size.n:,}, d = {size.d}, B = {size.batch_size:,}"
    detail = (
        f"{seconds(pairs.median_ours)} a pick, of a whole call, validation and "
        f"preparation included; sgemv {seconds(pairs.median_rival)}; {share:.2%} of the "
        f"distances in full; first {size.checked} picks and radii as brute force"
    )
    against = "against one sgemv over X a pick"
    figures = [
        at_most(f"{what}, {against}", pairs.cost, 1.3, detail=detail)
        if isotropic
        else at_least(f"{what}, {against}", pairs.speedup, 20, detail=detail),
        informative(
            f"{what}, the pick stage alone, {against}",
            pairs.median_rival / picking,
            detail=f"{seconds(picking)} a pick",
        ),
    ]
    raw = {
        "pairs": pairs.raw(),
        "walls_s": walls,
        "stages_s": [run.seconds for run in runs],
        "full_share": share,
    }
    return Record(name, asdict(size), figures, raw)


def brute_force(
    features: Float32, labeled: npt.NDArray[np.int64], picks: int
) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Farthest-first in float64 with every distance from differences; picks and radii."""
    nearest = np.full(len(features), np.inf)

    def meet(row: int) -> None:
        center = features[row].astype(np.float64)
        for begin in range(0, len(features), 4096):
            rows = slice(begin, begin + 4096)
            apart = features[rows] - center
            np.minimum(nearest[rows], np.einsum("ij,ij->i", apart, apart), out=nearest[rows])

    for row in labeled.tolist():
        meet(row)
    nearest[labeled] = -np.inf
    found: list[int] = []
    radii: list[float] = []
    while len(found) < picks:
        found.append(int(np.argmax(nearest)))
        radii.append(float(np.sqrt(nearest[found[-1]])))
        meet(found[-1])
        nearest[found[-1]] = -np.inf
    return found, np.array(radii)
