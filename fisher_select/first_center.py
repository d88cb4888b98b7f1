# SPDX-License-Identifier: Apache-2.0
"""Where k-centre greedy begins when nothing is labelled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fisher_select import mapped
from fisher_select.arrays import FloatArray
from fisher_select.ranks import Ranks

__all__ = ["first_center"]

Float64: TypeAlias = npt.NDArray[np.float64]

_CHUNK_ROWS = 4096  # rows converted to float64 at a time
_DIGIT_BITS = 30  # a sum of 2^33 digits is still exact
_LEAST_EXPONENT = -900  # squares of what is smaller vanish


def first_center(
    X: FloatArray, P: FloatArray | None, ranks: Ranks | None = None, begin: int = 0
) -> int:
    """The row nearest to the mean, or, with P, the largest gradient; ties to the lowest row.

    Parameters
    ----------
    X : array [n_k, d]
    P : array [n_k, C] or None
    ranks : Ranks or None
        Those that hold the other rows of the pool, where there are any: all of them call it.
    begin : int
        Number of this rank's first row in the pool.

    Returns
    -------
    int
        A row of the whole pool, whichever rank holds it, and the same however the rows are
        spread over the ranks.
    """
    mean = _mean(X, ranks) if P is None else np.zeros(0)
    best, row = -math.inf, 0
    file = mapped.file_of(P)
    for start, x in _chunks(X):
        if P is None:
            values = -np.sum((x - mean) ** 2, axis=1)
        else:
            p = P[start : start + len(x)]
            r = -p.astype(np.float64, order="C")
            mapped.let_go(file, p)
            r[np.arange(len(r)), r.argmin(axis=1)] += 1.0
            values = np.sum(x * x, axis=1) * np.sum(r * r, axis=1)
        at = int(np.argmax(values))
        if values[at] > best:
            best, row = float(values[at]), start + at
    found = _gather(ranks, np.array([best, begin + row], dtype=np.float64))
    return int(found[found[:, 0] == found[:, 0].max(), 1].min())


def _mean(X: FloatArray, ranks: Ranks | None) -> Float64:  # [d]
    """The mean in fixed point: sums of integers do not depend on their order.

    An element is two digits of 30 bits below the largest one; what lies beneath is dropped.
    """
    largest = max(float(np.abs(x).max()) for _, x in _chunks(X))
    largest = float(_gather(ranks, np.array([largest])).max())
    unit = 2.0 ** (max(math.frexp(largest)[1], _LEAST_EXPONENT) - _DIGIT_BITS)
    sums = np.zeros((2, X.shape[1]), dtype=np.int64)
    for _, x in _chunks(X):
        high = np.rint(x / unit)
        low = np.rint((x - high * unit) / (unit * 2.0**-_DIGIT_BITS))  # a rest without rounding
        sums += np.array([high.sum(axis=0), low.sum(axis=0)], dtype=np.int64)
    highs, lows = _gather(ranks, sums.ravel()).sum(axis=0).reshape(2, -1)
    n = int(_gather(ranks, np.array([len(X)])).sum())
    mean: Float64 = (highs + lows * 2.0**-_DIGIT_BITS) / n * unit
    return mean


def _chunks(X: FloatArray) -> Iterator[tuple[int, Float64]]:
    """Some rows at a time in float64, C order: a sum over a row has one order then."""
    file = mapped.file_of(X)
    for start in range(0, len(X), _CHUNK_ROWS):
        rows = X[start : start + _CHUNK_ROWS]
        yield start, rows.astype(np.float64, order="C")
        mapped.let_go(file, rows)


def _gather(ranks: Ranks | None, own: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Everybody's `own`, [ranks, len(own)]."""
    if ranks is None:
        return own[None]
    everybodys = np.empty(ranks.ranks * len(own), dtype=own.dtype)
    ranks.gather(own, everybodys)
    return everybodys.reshape(ranks.ranks, -1)
