# SPDX-License-Identifier: Apache-2.0
"""k-centre greedy against the memory bandwidth that everybody else's needs.

The floor is one sgemv of NumPy over the features a pick, on all cores: the product alone,
without the distances, the minimum and the maximum that follow it. Picks are held against brute
force in float64 over a prefix, and on the isotropic pool too, where bounds rule nothing out.

With many rows labelled on such a pool, what counts is their first distances. The floor there is
one sgemm over all pairs, with the norms and the minimum that make nearest distances of it.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

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
FULL_LABELED = Size(60_000, 512, labeled=10_000, batch_size=1000, checked=60, rounds=3)
QUICK_LABELED = Size(2_000, 32, labeled=600, batch_size=60, checked=60, rounds=2)


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
    nearest = nearest_by_differences(features, labeled)
    expected, radii = farthest_first(features, nearest, labeled, size.checked)
    _require_answers(pool, runs, expected, radii)
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


def many_labeled(settings: Settings) -> Record:
    """Isotropic noise again, a sixth of it labelled."""
    size = QUICK_LABELED if settings.quick else FULL_LABELED
    features = np.random.default_rng(0).standard_normal((size.n, size.d), dtype=np.float32)
    labeled = np.random.default_rng(1).permutation(size.n)[: size.labeled]
    center, out = features[0].copy(), np.empty(size.n, dtype=np.float32)
    runs: list[fs.Selection] = []

    def product() -> float:
        start = time.perf_counter()
        nearest_by_product(features, labeled)
        return time.perf_counter() - start

    def ours() -> float:
        start = time.perf_counter()
        runs.append(
            fs.k_center(
                features, labeled=labeled, batch_size=size.batch_size, backend=settings.backend
            )
        )
        return time.perf_counter() - start

    ours()  # libraries and threads
    runs.clear()
    pairs = alternate(product, ours, rounds=size.rounds)
    one_pass = median_seconds(
        lambda: np.matmul(features, center, out=out), repeats=FLOOR_REPEATS
    )
    nearest = nearest_by_product(features.astype(np.float64), labeled)
    expected, radii = farthest_first(features, nearest, labeled, size.checked)
    _require_answers("many labelled", runs, expected, radii)
    diagnostics = runs[-1].diagnostics
    centers = size.labeled + size.batch_size
    what = (
        f"k-centre, isotropic, n = {size.n:,}, d = {size.d}, {size.labeled:,} labelled, "
        f"B = {size.batch_size:,}, a whole call"
    )
    screened = diagnostics["screened_distances"] / (size.n * centers)
    figures = [
        at_most(
            f"{what}, against one sgemm over all rows and labelled rows with the minimum",
            pairs.cost,
            1.3,
            detail=f"{seconds(pairs.median_ours)}; sgemm {seconds(pairs.median_rival)}; "
            f"{screened:.2%} of the distances bounded by products, "
            f"{diagnostics['full_share']:.2%} in full; first {size.checked} picks and radii as "
            "brute force",
        ),
        at_most(
            f"{what}, against one sgemv over X a centre",
            pairs.median_ours / (centers * one_pass),
            1.3,
            detail=f"{seconds(pairs.median_ours / centers)} a centre, sgemv "
            f"{seconds(one_pass)}",
        ),
    ]
    raw = {
        "pairs": pairs.raw(),
        "sgemv_s": one_pass,
        "stages_s": [run.seconds for run in runs],
        "diagnostics": diagnostics,
    }
    return Record("k_center_labeled", asdict(size), figures, raw)


def _require_answers(
    pool: str, runs: list[fs.Selection], expected: list[int], radii: npt.NDArray[np.float64]
) -> None:
    """All runs alike, and their first picks and radii those of brute force."""
    for run in runs:
        require_same_picks(f"first picks, {pool}", run.indices[: len(expected)], expected)
        require_same_picks(f"all runs, {pool}", run.indices, runs[0].indices)
        if not np.allclose(run.scores[: len(radii)], radii, rtol=1e-9):
            raise AnswerError(f"{pool}: radii differ from brute force")


def nearest_by_product(
    features: npt.NDArray[Any], labeled: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Squared distances to the nearest labelled row as |x|^2 + |c|^2 - 2 <x, c>, in chunks."""
    centers = features[labeled]
    norms, centers = np.einsum("ij,ij->i", centers, centers), -2 * centers
    nearest = np.empty(len(features))
    for begin in range(0, len(features), 512):
        rows = features[begin : begin + 512]
        squares = rows @ centers.T
        squares += norms
        nearest[begin : begin + 512] = squares.min(axis=1) + np.einsum("ij,ij->i", rows, rows)
    return nearest


def nearest_by_differences(
    features: Float32, labeled: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The same with every distance from differences, in float64."""
    nearest = np.full(len(features), np.inf)
    for row in labeled.tolist():
        _meet(features, row, nearest)
    return nearest


def farthest_first(
    features: Float32,
    nearest: npt.NDArray[np.float64],
    labeled: npt.NDArray[np.int64],
    picks: int,
) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Picks and radii by brute force in float64; overwrites the squared distances `nearest`."""
    nearest[labeled] = -np.inf
    found: list[int] = []
    radii: list[float] = []
    while len(found) < picks:
        found.append(int(np.argmax(nearest)))
        radii.append(float(np.sqrt(nearest[found[-1]])))
        _meet(features, found[-1], nearest)
        nearest[found[-1]] = -np.inf
    return found, np.array(radii)


def _meet(features: Float32, row: int, nearest: npt.NDArray[np.float64]) -> None:
    """Lowers `nearest` to the squared distances from a row where those are smaller."""
    center = features[row].astype(np.float64)
    for begin in range(0, len(features), 4096):
        rows = slice(begin, begin + 4096)
        apart = features[rows] - center
        np.minimum(nearest[rows], np.einsum("ij,ij->i", apart, apart), out=nearest[rows])
