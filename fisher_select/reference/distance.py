# SPDX-License-Identifier: Apache-2.0
"""The specification of k-centre greedy and BADGE: plain float64 NumPy, every distance computed.

Nothing is skipped here: each pick computes the distance of every row to the new centre.
"""

from __future__ import annotations

import time
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import FloatArray, IndexArray
from fisher_select.errors import NumericalError
from fisher_select.progress import ProgressCallback

Float64: TypeAlias = npt.NDArray[np.float64]

_LARGEST_SQUARE = 1e306  # sums of a few of them must not overflow


# ------------------------------------------------------------------------------ distances
def residuals(P: Float64) -> Float64:  # [n, C] -> [n, C]
    """e_yhat - p: minus the gradient of the loss of the likeliest class by the logits."""
    R = -P
    R[np.arange(len(P)), P.argmax(axis=1)] += 1.0
    return R


def squared_distances(X: Float64, R: Float64 | None, center: int) -> Float64:  # [n]
    """Of every row to row `center`: |x - y|^2, or, with R, |x (x) r - y (x) s|^2.

    The latter is |x - y|^2 |r|^2 + |y|^2 |r - s|^2 + 2 <x - y, y> <r, r - s>: exactly 0 between
    equal rows.
    """
    y = X[center]
    dx = X - y
    square: Float64 = np.sum(dx * dx, axis=1)
    if R is None:
        return square
    dr = R - R[center]
    square = (
        square * np.sum(R * R, axis=1)
        + np.sum(y * y) * np.sum(dr * dr, axis=1)
        + 2.0 * np.sum(dx * y, axis=1) * np.sum(R * dr, axis=1)
    )
    return np.maximum(square, 0.0)


def squared_norms(X: Float64, R: Float64) -> Float64:  # [n]
    """|x (x) r|^2 = |x|^2 |r|^2."""
    norms: Float64 = np.sum(X * X, axis=1) * np.sum(R * R, axis=1)
    return norms


# --------------------------------------------------------------------------------- greedy
def k_center(
    *,
    features: FloatArray,
    probabilities: FloatArray | None,
    labeled: IndexArray,
    batch_size: int,
    first: int,
    progress: ProgressCallback | None = None,
    **_: Any,
) -> dict[str, Any]:
    """`batch_size` times the free row farthest from its nearest centre, ties to the lowest.

    Centres are the labelled rows and the picks; `first` is picked where there is none yet, at
    an infinite distance. Keywords that are the engine's alone (threads and the like) have no
    meaning here.
    """
    start = time.perf_counter()
    X, R = _points(features, probabilities)
    nearest = np.full(len(X), np.inf)
    free = _free(len(X), labeled)
    for row in labeled.tolist():
        nearest = np.minimum(nearest, squared_distances(X, R, row))
    picks: list[int] = []
    scores: list[float] = []
    while len(picks) < batch_size:
        empty = not picks and len(labeled) == 0
        row = first if empty else int(np.argmax(np.where(free, nearest, -np.inf)))
        picks.append(row)
        scores.append(float(np.sqrt(nearest[row])))
        free[row] = False
        nearest = np.minimum(nearest, squared_distances(X, R, row))
        _tell(progress, len(picks), batch_size)
    return _result(picks, scores, len(labeled) + len(picks), len(X), start)


def badge(
    *,
    features: FloatArray,
    probabilities: FloatArray,
    labeled: IndexArray,
    batch_size: int,
    seed: int,
    progress: ProgressCallback | None = None,
    **_: Any,
) -> dict[str, Any]:
    """The largest gradient, then k-means++ (D^2 sampling) among the free rows.

    D^2 sampling by a race: each row has a clock that rings after an exponential time, running
    at the rate D^2, and the next clock to ring is the next pick. Which one that is is a draw in
    proportion to the rates, independent of the past, as an exponential time has no memory. One
    random number a row is drawn in all. When every rate is 0 the lowest free row is picked.
    """
    start = time.perf_counter()
    X, R = _points(features, probabilities)
    left = exponential_draws(seed, len(X))
    free = _free(len(X), labeled)
    rate = np.full(len(X), np.inf)
    row = int(np.argmax(np.where(free, squared_norms(X, R), -np.inf)))
    picks = [row]
    scores = [float("inf")]
    while len(picks) < batch_size:
        _tell(progress, len(picks), batch_size)
        free[row] = False
        rate = np.minimum(rate, squared_distances(X, R, row))
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            wait = np.where(free & (rate > 0.0), left / rate, np.inf)
        row = int(np.argmin(wait))
        if np.isfinite(wait[row]):
            left = np.maximum(left - rate * wait[row], 0.0)
        else:
            row = int(np.argmax(free))
        picks.append(row)
        scores.append(float(np.sqrt(rate[row])))
    _tell(progress, len(picks), batch_size)
    return _result(picks, scores, len(picks), len(X), start)


# -------------------------------------------------------------------------------- helpers
def exponential_draws(seed: int, n: int) -> Float64:  # [n]
    """-log of the uniform draws of csrc/rng.h: word i of Philox4x64-10 with key `seed`."""
    words = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64)).random_raw(n)
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    draws: Float64 = -np.log(uniform)
    return draws


def _points(
    features: FloatArray, probabilities: FloatArray | None
) -> tuple[Float64, Any]:  # [n, d], [n, C] or None
    X = np.asarray(features, dtype=np.float64)
    with np.errstate(over="ignore"):
        largest = np.sum(X * X, axis=1).max()
    if not largest < _LARGEST_SQUARE:
        raise NumericalError("squared distances overflow: scale the features down", step=0)
    if probabilities is None:
        return X, None
    return X, residuals(np.asarray(probabilities, dtype=np.float64))


def _free(n: int, labeled: IndexArray) -> npt.NDArray[np.bool_]:
    free = np.ones(n, dtype=np.bool_)
    free[labeled] = False
    return free


def _tell(progress: ProgressCallback | None, done: int, total: int) -> None:
    if progress is not None:
        progress("pick", done, total)


def _result(
    picks: list[int], scores: list[float], centers: int, n: int, start: float
) -> dict[str, Any]:
    return {
        "indices": np.array(picks, dtype=np.int64),
        "scores": np.array(scores),
        "full_distances": n * centers,
        "screened_distances": 0,
        "centers": centers,
        "seconds": {"pick": time.perf_counter() - start},
    }
