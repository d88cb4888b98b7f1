# SPDX-License-Identifier: Apache-2.0
"""The extents of a selection, out of arrays or of their shapes alone; no value is read."""

from __future__ import annotations

from fisher_select.arrays import Array, as_labeled
from fisher_select.options import as_count

__all__ = ["labeled_count", "pool_shape"]


def pool_shape(kind: str, X: object, P: object, factors: object) -> tuple[int, int, int]:
    """n, d (or D) and C (or r; 1 for regression) of arrays or of shapes."""
    if kind == "dense":
        n, length, outputs = _extents("factors", factors, 3)  # r in place of C
        return n, length, outputs
    n, length = _extents("X", X, 2)
    if kind == "gaussian":
        return n, length, 1
    rows, outputs = _extents("P", P, 2)
    if rows != n:
        raise ValueError(f"P must have the {n} rows of X, got {rows}")
    if outputs < 2 and kind != "sigmoid":
        raise ValueError(f"P must have at least two columns (classes), got {outputs}")
    return n, length, outputs


def _extents(name: str, value: object, axes: int) -> tuple[int, ...]:
    shape = value if isinstance(value, tuple) else getattr(value, "shape", None)
    if not isinstance(shape, tuple) or len(shape) != axes:
        raise ValueError(
            f"{name} must be an array of {axes} axes or its shape, got "
            f"{type(value).__name__ if shape is None else shape}"
        )
    return tuple(as_count(f"{name}.shape", extent) for extent in shape)


def labeled_count(labeled: Array | int | None, n: int) -> int:
    """How many rows are labelled, of indices, a mask or the number itself."""
    if labeled is None or (isinstance(labeled, int) and labeled == 0):
        return 0
    if isinstance(labeled, int):
        return as_count("labeled", labeled)
    return len(as_labeled(labeled, n))
