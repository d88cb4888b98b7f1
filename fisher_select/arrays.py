# SPDX-License-Identifier: Apache-2.0
"""The boundary for arrays: what the user passes becomes a checked NumPy view, once.

Nothing behind this file checks its arrays again. float32 and float64 pass without a copy,
whatever their strides, so a memory-mapped pool stays on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fisher_select import mapped
from fisher_select.checks import (
    RANGE_TOLERANCE,
    RENORMALIZE_ABOVE,
    SUM_TOLERANCE,
    check_axes,
    check_one_axis,
    check_outputs,
    not_finite,
    not_probabilities,
    shape_of,
)
from fisher_select.conversion import as_float, to_numpy
from fisher_select.device_arrays import to_host

Array: TypeAlias = object
"""Anything NumPy can view: ndarray, memmap, torch CPU tensor, DLPack exporter, nested lists.

Also tables and columns of pandas, polars and pyarrow, whose rows count by position.

Where a function has backend="cuda", also an array on a CUDA device, which is not copied: torch,
CuPy, `__cuda_array_interface__` or DLPack. Small ones (labels, weights) may lie on either side.
"""

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
"""Behind this boundary: float32 or float64, native byte order, aligned, any strides."""

IndexArray: TypeAlias = npt.NDArray[np.int64]

CHUNK_BYTES = 1 << 22  # rows looked at together: bounds the temporaries, stays in cache


def as_matrix(name: str, value: Array) -> FloatArray:
    """View a finite real matrix [n, d], n and d at least 1.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    value : array [n, d]
        float32 and float64 are viewed without a copy; float16 and bfloat16 become float32,
        integers and bools float64.

    Raises
    ------
    TypeError
        Not real numbers (object, complex, string, masked); of a table the column is named.
    ValueError
        Wrong number of axes, an empty axis, NaN or infinity, or not in the CPU's memory.
    """
    return _as_finite(name, value, ("n", "d"))


def as_factors(name: str, value: Array) -> FloatArray:
    """View finite dense factors [n, D, r]; conversions and errors as in `as_matrix`."""
    return _as_finite(name, value, ("n", "D", "r"))


def as_probabilities(name: str, value: Array, n: int, likelihood: str) -> FloatArray:
    """View model outputs [n, C] as probabilities.

    Values outside [0, 1] by at most RANGE_TOLERANCE are clipped. Softmax rows must sum to 1
    within SUM_TOLERANCE; when a sum is off by more than float32 rounding all rows are divided
    by their sums, because the engine relies on it (DESIGN section 3, one class fewer). Only
    these two repairs copy.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    value : array [n, C]
        Conversions as in `as_matrix`.
    n : int
        Rows wanted: as many as the features have.
    likelihood : {"softmax", "sigmoid"}
        Softmax wants C >= 2 and rows that sum to 1; sigmoid takes any C >= 1.

    Raises
    ------
    TypeError, ValueError
        As `as_matrix`; ValueError too for another n, or with the row and its sum for values
        outside [0, 1] and softmax rows that do not sum to 1.
    """
    P = _as_finite(name, value, ("n", "C"))
    softmax = likelihood == "softmax"
    check_outputs(name, P.shape, n, softmax=softmax)
    clip, farthest, wrong_sum = False, 0.0, None
    for start, rows in row_chunks(P):
        low, high = float(rows.min()), float(rows.max())
        if low < -RANGE_TOLERANCE or high > 1.0 + RANGE_TOLERANCE:
            row = _first_outside(rows)
            raise not_probabilities(name, start + row, rows[row])
        clip = clip or low < 0.0 or high > 1.0
        if softmax:
            off = np.abs(rows.sum(axis=1, dtype=np.float64) - 1.0)
            farthest = max(farthest, float(off.max()))
            if wrong_sum is None and farthest > SUM_TOLERANCE:
                wrong_sum = start + int(np.argmax(off > SUM_TOLERANCE))
    if wrong_sum is not None:  # entries outside [0, 1], such as logits, would have come first
        raise not_probabilities(name, wrong_sum, P[wrong_sum])
    if clip:
        P = np.clip(P, 0.0, 1.0)
    if farthest > RENORMALIZE_ABOVE:
        P = P / P.sum(axis=1, keepdims=True, dtype=np.float64).astype(P.dtype)
    return P


def as_samples(name: str, value: Array) -> list[FloatArray]:
    """View stochastic softmax outputs [T, n, C] as T matrices of probabilities [n, C].

    Each is checked, and repaired where `as_probabilities` repairs, on its own: only the
    repaired ones are copied. Messages name the sample, as in "probabilities[3]".

    Raises
    ------
    TypeError, ValueError
        As `as_probabilities`; ValueError too for another number of axes.
    """
    array = to_numpy(name, value)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(
            f"{name} must be samples [T, n, C], each at least 1, got shape "
            f"{shape_of(array.shape)}"
        )
    return [
        as_probabilities(f"{name}[{t}]", sample, array.shape[1], "softmax")
        for t, sample in enumerate(array)
    ]


def as_vector(name: str, value: Array) -> FloatArray:
    """View real numbers [n], n at least 1; conversions as in `as_matrix`.

    The numbers themselves are left to the operation that reads them, so that a check costs no
    pass of its own.

    Raises
    ------
    TypeError, ValueError
        As `as_matrix`, but for NaN and infinity.
    """
    array = as_float(name, to_numpy(name, value))
    check_one_axis(name, array.shape)
    return array


def as_labeled(value: Array | None, n: int, name: str = "labeled") -> IndexArray:
    """Sorted row indices out of an index array, a boolean mask or None (nothing labelled).

    Parameters
    ----------
    value : int array [m], bool array [n] or None
        Indices in any order, or a mask over the rows.
    n : int
        Rows of the pool.
    name : str
        The argument's name, for messages.

    Returns
    -------
    int64 array [m]
        Sorted, each once, all within [0, n).

    Raises
    ------
    TypeError
        Neither integers nor bools.
    ValueError
        Not one axis, a mask of another length, an index out of range (negative ones do not
        count from the end) or given twice: the message names it.
    """
    if value is None:
        return np.empty(0, dtype=np.int64)
    rows = to_numpy(name, to_host(name, value))
    if rows.ndim != 1:
        raise ValueError(
            f"{name} must be an index array [m] or a boolean mask [n], got shape "
            f"{shape_of(rows.shape)}"
        )
    if rows.dtype.kind == "b":
        if len(rows) != n:
            raise ValueError(
                f"{name} is a boolean mask of length {len(rows)}, but there are {n} rows"
            )
        return np.flatnonzero(rows).astype(np.int64, copy=False)
    if rows.size == 0:  # an empty list arrives as float64
        return np.empty(0, dtype=np.int64)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers or bools, got dtype {rows.dtype}")
    outside = np.flatnonzero((rows < 0) | (rows >= n))
    if outside.size:
        at = int(outside[0])
        raise ValueError(
            f"{name} must hold indices from 0 to {n - 1}: {name}[{at}] is {rows[at]}"
        )
    ordered = np.sort(rows.astype(np.int64))
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    if again.size:
        raise ValueError(
            f"{name} must name each row once: index {ordered[again[0]]} is duplicated "
            "(a 0/1 mask must have dtype bool)"
        )
    return ordered


def as_class_labels(name: str, value: Array, classes: int) -> IndexArray:
    """Class labels [m] as int64, each from 0 to classes - 1.

    Raises
    ------
    TypeError
        Not integers.
    ValueError
        Not one axis, empty, or a label out of range: the message names it.
    """
    labels = to_numpy(name, to_host(name, value))
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            f"{name} must have one axis [m], m >= 1, got shape {shape_of(labels.shape)}"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got dtype {labels.dtype}")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        at = int(outside[0])
        raise ValueError(
            f"{name} must hold classes from 0 to {classes - 1}: {name}[{at}] is {labels[at]}"
        )
    return labels.astype(np.int64)


def _as_finite(name: str, value: Array, axes: tuple[str, ...]) -> FloatArray:
    array = as_float(name, to_numpy(name, value))
    check_axes(name, array.shape, axes)
    _check_finite(name, array)
    return array


def row_chunks(array: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """(first row, rows) pieces of some megabytes each; a mapped file's are let go again."""
    row_bytes = array.itemsize * (array.size // len(array))
    step = max(1, CHUNK_BYTES // row_bytes)
    file = mapped.file_of(array)
    for start in range(0, len(array), step):
        rows = array[start : start + step]
        yield start, rows
        mapped.let_go(file, rows)


def _check_finite(name: str, array: FloatArray) -> None:
    for start, rows in row_chunks(array):
        # One read and no temporary: a sum is not finite if any term is not. It may overflow
        # on its own, so only then look at each entry.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(rows.sum()):
                continue
        bad = np.argwhere(~np.isfinite(rows))
        if bad.size:
            row = int(bad[0, 0])
            raise not_finite(name, start + row, rows[row])


def _first_outside(rows: FloatArray) -> int:
    """The first row with an entry outside [0, 1]."""
    exact = rows.astype(np.float64)
    outside = (exact < -RANGE_TOLERANCE) | (exact > 1.0 + RANGE_TOLERANCE)
    return int(np.argmax(outside.any(axis=1)))
