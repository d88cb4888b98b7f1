# SPDX-License-Identifier: Apache-2.0
"""The classes that carry most of the pool's information, and outputs that keep them alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import FloatArray, IndexArray
from fisher_select.device_arrays import DeviceArray, to_device
from fisher_select.options import as_count
from fisher_select.pool_arrays import PoolArray, host_chunks

__all__ = ["check_top_classes", "class_traces", "kept_outputs", "largest", "reduced_count"]

_MERGING = "softmax"  # the kind whose other classes stay, as one; the others' blocks are apart
_KINDS = (_MERGING, "sigmoid", "block_diagonal")


def check_top_classes(top_classes: object, kind: str, rank: int) -> int:
    """`top_classes` as a number of classes, 0 for None."""
    if top_classes is None:
        return 0
    count = as_count("top_classes", top_classes)
    if kind not in _KINDS:
        raise ValueError(
            "top_classes must be None unless likelihood='softmax' or 'sigmoid' and "
            f"fisher='full' or 'block_diagonal': factors of kind {kind!r} have no classes to "
            f"leave out; got {count}"
        )
    if rank:
        raise ValueError(
            f"top_classes must be None with rank, which keeps all classes; got {count} and "
            f"rank {rank}"
        )
    return count


def reduced_count(count: int, kind: str, classes: int) -> int:
    """Classes to keep out of so many, 0 for all: a softmax's last one is what others leave."""
    if count > classes:
        raise ValueError(
            f"top_classes must be at most the number of classes, {classes} columns of "
            f"probabilities; got {count}"
        )
    return count if count < classes - (kind == _MERGING) else 0


def class_traces(X: PoolArray, P: PoolArray) -> npt.NDArray[np.float64]:  # -> [C]
    """Sums over the rows of p_ic (1 - p_ic) |x_i|^2: each class's share of n tr F.

    One reading of X and of P; those on a device are copied past the host piece by piece.
    """
    squares = np.empty(len(X))
    for begin, rows in host_chunks(X):
        x = rows.astype(np.float64)
        squares[begin : begin + len(rows)] = np.einsum("nd,nd->n", x, x)
    traces = np.zeros(P.shape[1])
    for begin, rows in host_chunks(P):
        p = rows.astype(np.float64)
        traces += squares[begin : begin + len(rows)] @ (p * (1.0 - p))
    return traces


def largest(traces: Iterable[float], count: int) -> IndexArray:
    """The `count` classes with the largest traces, ties to the lowest; in order of number."""
    order = np.argsort(-np.asarray(traces, dtype=np.float64), kind="stable")
    return np.sort(order[:count]).astype(np.int64, copy=False)


def kept_outputs(
    kind: str, P: PoolArray | None, classes: IndexArray | None
) -> tuple[PoolArray | None, int]:
    """Outputs of the kept classes, as the engines take them.

    Returns
    -------
    array [n, c], for a softmax [n, c + 1]
        Its last column is the sum of all other classes. A copy, where P lies; P itself where
        all classes are kept.
    int
        How many classes the last column stands for.
    """
    if P is None or classes is None:
        return P, 1
    others = np.setdiff1d(np.arange(P.shape[1]), classes)
    merged = len(others) if kind == _MERGING else 0
    kept: FloatArray = np.empty((len(P), len(classes) + (merged > 0)), P.dtype)
    for begin, rows in host_chunks(P):
        part = kept[begin : begin + len(rows)]
        part[:, : len(classes)] = rows[:, classes]
        if merged:  # summed, not subtracted from 1, which would leave rounding of small rests
            part[:, -1] = rows[:, others].sum(axis=1, dtype=np.float64)
    return to_device(kept, P.device) if isinstance(P, DeviceArray) else kept, max(merged, 1)
