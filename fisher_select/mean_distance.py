# SPDX-License-Identifier: Apache-2.0
"""Mean Euclidean distances to other rows, followed exactly as rows of a pool get labelled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import Array, IndexArray, as_labeled
from fisher_select.backends import Backend
from fisher_select.device_arrays import DeviceArray
from fisher_select.errors import NumericalError
from fisher_select.execution import resolve_execution
from fisher_select.placement import place
from fisher_select.pool_arrays import PoolArray, as_pool_matrix, host_chunks
from fisher_select.progress import ProgressCallback
from fisher_select.reference.mean_distance import LEVELS, MANTISSA_BITS

Float64 = npt.NDArray[np.float64]

_LARGEST_EXPONENT = 1023


def mean_distances(
    X: Array,
    references: Array,
    *,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
) -> Float64:
    """Mean Euclidean distance of each row to the reference rows.

    Equivalent to ``scipy.spatial.distance.cdist(X, references).mean(axis=1)`` without a matrix
    of distances. Distances are computed in float64 from differences, so near rows keep their
    digits and equal rows are exactly 0 apart, and are added up without rounding: the result
    does not depend on threads, chunk_rows or the order of the references. Its relative error
    is that of single distances, d / 2 + 4 roundings at the most.

    Parameters
    ----------
    X : array [n, d]
        NumPy, memory-mapped, torch, or on a CUDA device, as for `fisher_select.bait`, any
        strides; float32 and float64 are not copied.
    references : array [k, d]
        Where X lies. A row of X among them counts, at distance 0.
    backend : {"auto", "cpu", "reference", "cuda"}
        "auto" is the compiled "cpu", and "cuda" for arrays on a CUDA device. See
        `fisher_select.backends.explain`.
    threads : int or None
        None: OMP_NUM_THREADS where set, else the usable cores.
    chunk_rows : int or None
        Rows of X a thread takes at a time; smaller needs less memory.
    progress : bool or callable
        True counts on stderr when that is a terminal; a callable gets (stage, done, total).

    Returns
    -------
    float64 array [n]

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; the message names the argument.
    NumericalError
        A mean distance overflows float64.
    MemoryError
        Says what was needed and which option lowers it.

    Notes
    -----
    Cost: n k d differences. Memory beyond the inputs: 24 n bytes and a workspace of some
    megabytes a thread.
    """
    engine, (X, references) = place(backend, features=X, references=references)
    options = resolve_execution(threads, chunk_rows, progress)
    features = as_pool_matrix("features", X)
    others = as_pool_matrix("references", references)
    if others.shape[1] != features.shape[1]:
        raise ValueError(
            f"references must have {features.shape[1]} columns, as many as features, got "
            f"{others.shape[1]}"
        )
    largest = max(_largest(engine, features), _largest(engine, others))
    measure = _Measure.of(largest, features.shape[1], len(others))
    sums = engine.call(
        "distance_sums",
        features=features,
        references=others,
        rows=None,
        **vars(measure),
        **options,
    )
    return measure.means(sums, len(others))


class MeanDistances:
    """Mean distances of all rows of a pool to its labelled and to its unlabelled rows.

    Made once, at the cost of all n^2 distances, of which no matrix is kept. A row that gets
    labelled moves from one mean to the other at the cost of its n distances.

    Exact: sums are kept without rounding (`Notes`), so the means are the same bit for bit
    whatever the order in which rows were labelled, and as if computed anew; they do not depend
    on threads or chunk_rows either.

    Parameters
    ----------
    X : array [n, d]
        The pool; arrays as in `mean_distances`. It is read again by `label` and must not
        change. With backend="cuda" an array of the host is uploaded at each call: where many
        follow, pass one that lies on the device.
    labeled : int array [m], bool array [n] or None
        Rows labelled already.
    backend, threads, chunk_rows, progress
        As in `mean_distances`.

    Raises
    ------
    TypeError, ValueError, NumericalError, MemoryError
        As `mean_distances`.

    Notes
    -----
    The sum over the unlabelled rows is that over all less that over the labelled, which would
    lose everything where few near rows are left among far ones. Here both are sums of whole
    multiples of a unit, cut into three levels of 52 - log2(n) bits each, so their difference is
    exact. What is cut off a distance is below n^3 2^-152 of the longest that the largest entry
    allows, 2 sqrt(d) max |x|: for n = 10^6 that is 2 10^-28 of it.

    Memory beyond X: 48 n bytes, and a workspace of some megabytes a thread.
    """

    def __init__(
        self,
        X: Array,
        *,
        labeled: Array | None = None,
        backend: str = "auto",
        threads: int | None = None,
        chunk_rows: int | None = None,
        progress: bool | ProgressCallback = False,
    ) -> None:
        self._engine, (X,) = place(backend, features=X)
        self._options = resolve_execution(threads, chunk_rows, progress)
        self._features = as_pool_matrix("features", X)
        n, d = self._features.shape
        rows = as_labeled(labeled, n)
        self._measure = _Measure.of(_largest(self._engine, self._features), d, n)
        self._all = self._sums(None)
        self._start()
        self._add(rows)

    def __len__(self) -> int:
        return len(self._is_labeled)

    @property
    def backend(self) -> str:
        """The backend that computes, never "auto"."""
        return self._engine.name

    @property
    def labeled(self) -> IndexArray:
        """The labelled rows [m], sorted."""
        return np.flatnonzero(self._is_labeled)

    @property
    def to_labeled(self) -> Float64:
        """Mean distance of each row to the labelled rows [n]; 0 where nothing is labelled.

        A labelled row counts as one of them, at distance 0 of itself.
        """
        count = max(int(self._is_labeled.sum()), 1)
        return self._measure.means(self._near, count)

    @property
    def to_unlabeled(self) -> Float64:
        """Mean distance of each row to the unlabelled rows but itself [n]; 0 without any."""
        others = (~self._is_labeled).sum() - ~self._is_labeled
        return self._measure.means(self._all - self._near, np.maximum(others, 1))

    def label(self, rows: Array) -> None:
        """Move unlabelled rows to the labelled ones: n len(rows) distances.

        Nothing changes where it is interrupted or raises.

        Parameters
        ----------
        rows : int array [k] or bool array [n]

        Raises
        ------
        TypeError, ValueError
            No such rows, or rows named twice or labelled already; the message names them.
        """
        if rows is None:
            raise TypeError("rows must be an index array [k] or a boolean mask [n], got None")
        chosen = as_labeled(rows, len(self), "rows")
        again = chosen[self._is_labeled[chosen]]
        if again.size:
            raise ValueError(f"rows must be unlabelled: row {again[0]} is labelled already")
        self._add(chosen)

    def reset(self, labeled: Array | None = None) -> None:
        """Label anew from nothing, for the next episode: the n^2 distances are kept.

        Parameters
        ----------
        labeled : int array [m], bool array [n] or None
            Rows labelled from the start.
        """
        rows = as_labeled(labeled, len(self))
        self._start()
        self._add(rows)

    def _start(self) -> None:
        self._is_labeled = np.zeros(len(self._features), dtype=np.bool_)
        self._near = np.zeros_like(self._all)  # [LEVELS, n] sums over the labelled rows

    def _add(self, rows: IndexArray) -> None:
        if rows.size:
            self._near = self._near + self._sums(rows)
            self._is_labeled[rows] = True

    def _sums(self, rows: IndexArray | None) -> Float64:
        sums: Float64 = self._engine.call(
            "distance_sums",
            features=self._features,
            references=None,
            rows=rows,
            **vars(self._measure),
            **self._options,
        )
        return sums


@dataclass(frozen=True)
class _Measure:
    """What distances are measured in while they are summed; see reference.distance_sums.

    Attributes
    ----------
    scale : float
        A power of two that brings every distance to 1 at the most, so that any unit of length
        will do.
    bits : int
        Of a level: what a float64 holds less those that the count of the terms takes.
    """

    scale: float
    bits: int

    @classmethod
    def of(cls, largest: float, width: int, terms: int) -> _Measure:
        """For so many terms, distances of rows [width] without an entry beyond `largest`."""
        # 2 sqrt(width) largest <= 2^exponent
        exponent = math.frexp(largest)[1] + 1 + math.ceil(math.log2(width) / 2)
        scale = math.ldexp(1.0, min(-exponent, _LARGEST_EXPONENT))
        return cls(scale, MANTISSA_BITS - max(2, (terms - 1).bit_length()))

    def means(self, sums: Float64, count: int | npt.NDArray[np.int64]) -> Float64:
        """Of sums in levels [LEVELS, n], each of so many terms, in the caller's unit."""
        means: Float64 = sums[LEVELS - 1]
        for level in reversed(range(LEVELS - 1)):  # the smallest first
            means = means + sums[level]
        with np.errstate(over="ignore"):
            means = means / count / self.scale
        overflowed = np.flatnonzero(~np.isfinite(means))
        if overflowed.size:
            raise NumericalError(
                f"the mean distance of row {overflowed[0]} overflows: scale the features down"
            )
        return means


def _largest(engine: Backend, matrix: PoolArray) -> float:
    """Largest absolute value; of an array on a device, there."""
    if isinstance(matrix, DeviceArray):
        return float(engine.call("largest_entry", features=matrix))
    return max(max(float(rows.max()), -float(rows.min())) for _, rows in host_chunks(matrix))
