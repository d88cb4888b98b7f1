# SPDX-License-Identifier: Apache-2.0
"""Which parameters matter: the mask of the largest entries of a diagonal Fisher information.

FisherMask selects by the gradients of the masked parameters alone (DESIGN section 2).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from fisher_select.arrays import Array, IndexArray
from fisher_select.conversion import to_numpy
from fisher_select.device_arrays import to_host
from fisher_select.options import as_count, one_of, resolve_threads
from fisher_select.placement import place
from fisher_select.pool_arrays import as_pool_vector

Parameters: TypeAlias = Array | slice | range | Sequence[slice | range]
"""Some of n parameters: an index array, a boolean mask [n], slices and ranges."""

SCOPES = ("global", "per_layer")


def top_k_mask(
    diagonal: Array,
    k: int,
    always: Parameters = (),
    *,
    scope: str = "global",
    layers: Sequence[int] | None = None,
    backend: str = "auto",
    threads: int | None = None,
) -> IndexArray:
    """Find the k parameters with the largest diagonal Fisher information.

    Exact, without a sort: tens of millions of parameters take little more than one reading of
    `diagonal` where few are kept. Ties go to the lowest index.

    Parameters
    ----------
    diagonal : array [n]
        Fisher information of each parameter, finite and not negative. float32 and float64 of
        any stride are not copied, memory-mapped files and arrays on a CUDA device included.
    k : int
        Parameters to keep, those of `always` counted.
    always : int array, bool array [n], slice, range, or a sequence of slices and ranges
        Parameters kept whatever their information, such as the last layer's.
    scope : {"global", "per_layer"}
        Take the others from all parameters alike, or from each layer in proportion to its
        parameters outside `always`: its share is rounded down, and the layers with the largest
        remainders (ties to the first) get one more, so that all add up to k.
    layers : sequence of int
        Number of parameters of each layer, in order; for ``scope="per_layer"`` only.
    backend : {"auto", "cpu", "reference", "cuda"}
        "auto" is the compiled "cpu", and "cuda" for a diagonal on a CUDA device.
    threads : int or None
        None: OMP_NUM_THREADS where set, else the usable cores.

    Returns
    -------
    int64 array [k]
        Sorted parameter indices.

    Raises
    ------
    TypeError, ValueError
        NaN, infinite or negative information, naming the first such entry; k outside 1 to n or
        less than `always` has; an index of `always` out of range or named twice; layers whose
        sizes do not add up to n.

    References
    ----------
    Sung, Nair, Raffel: Training Neural Networks with Fixed Sparse Masks, NeurIPS 2021.
    """
    engine, (diagonal,) = place(backend, diagonal=diagonal)
    one_of("scope", scope, SCOPES)
    if (layers is not None) != (scope == "per_layer"):
        raise ValueError(
            "layers must be given for scope='per_layer' and for it alone: got "
            f"layers={'None' if layers is None else 'sizes'} with scope={scope!r}"
        )
    k = as_count("k", k)
    threads = resolve_threads(threads)
    values = as_pool_vector("diagonal", diagonal)
    n = len(values)
    if k > n:
        raise ValueError(f"k must be at most the {n} parameters of diagonal, got {k}")
    ranges = _as_ranges(always, n)
    kept = int((ranges[:, 1] - ranges[:, 0]).sum())
    if k < kept:
        raise ValueError(f"k must be at least the {kept} parameters of always, got {k}")
    sizes = np.array([n]) if layers is None else _as_sizes(layers, n)
    free = sizes - _count_inside(ranges, sizes)
    mask: IndexArray = engine.call(
        "top_k_mask",
        diagonal=values,
        always=ranges,
        layer_sizes=sizes,
        quotas=_shares(k - kept, free),
        threads=threads,
    )
    return mask


# -------------------------------------------------------------------------- the arguments
def _as_ranges(always: Parameters, n: int) -> IndexArray:
    """Sorted ranges [a, 2] (start, stop), none empty, none touching another."""
    if isinstance(always, slice | range):
        always = [always]
    if isinstance(always, list | tuple) and any(isinstance(p, slice | range) for p in always):
        rows = np.concatenate([_part(piece, n) for piece in always])
    else:
        rows = _as_indices(always, n)
    outside = np.flatnonzero((rows < 0) | (rows >= n))
    if outside.size:
        raise ValueError(
            f"always must name parameters from 0 to {n - 1}, got {rows[outside[0]]}"
        )
    rows = np.sort(rows)
    again = np.flatnonzero(rows[1:] == rows[:-1])
    if again.size:
        raise ValueError(
            f"always must name each parameter once: index {rows[again[0]]} is duplicated"
        )
    starts = rows[np.diff(rows, prepend=-2) > 1]
    stops = rows[np.diff(rows, append=n + 1) > 1] + 1
    return np.stack([starts, stops], axis=1)


def _part(piece: object, n: int) -> IndexArray:
    """The parameters of one slice or range. Slices count from the end; past it is an error."""
    if isinstance(piece, range):
        return np.arange(piece.start, piece.stop, piece.step, dtype=np.int64)
    if not isinstance(piece, slice):
        raise TypeError(
            f"always must hold slices and ranges alone when it holds one, got {piece!r}"
        )
    for bound in (piece.start, piece.stop):
        if bound is not None and abs(operator.index(bound)) > n:
            raise ValueError(f"always must stay within {n} parameters, got {piece!r}")
    return np.arange(*piece.indices(n), dtype=np.int64)


def _as_indices(always: object, n: int) -> IndexArray:
    rows = to_numpy("always", to_host("always", always))
    if rows.ndim != 1:
        raise ValueError(f"always must have one axis, got shape {list(rows.shape)}")
    if rows.dtype.kind == "b":
        if len(rows) != n:
            raise ValueError(
                f"always is a boolean mask of length {len(rows)}, but diagonal has {n} entries"
            )
        return np.flatnonzero(rows).astype(np.int64, copy=False)
    if rows.size == 0:  # an empty tuple arrives as float64
        return np.empty(0, dtype=np.int64)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"always must hold integers, bools, slices or ranges, got {rows.dtype}")
    return rows.astype(np.int64)


def _as_sizes(layers: Iterable[int], n: int) -> IndexArray:
    sizes = np.array([as_count("layers", size) for size in layers], dtype=np.int64)
    if sizes.sum() != n:
        raise ValueError(
            f"layers must add up to the {n} entries of diagonal, got {int(sizes.sum())}"
        )
    return sizes


def _count_inside(ranges: IndexArray, sizes: IndexArray) -> IndexArray:
    """How many parameters of the ranges lie in each layer."""
    ends = np.cumsum(sizes)
    lengths = np.concatenate([[0], np.cumsum(ranges[:, 1] - ranges[:, 0])])
    # Parameters of the ranges before each layer's end: whole ranges, and part of the next.
    whole = np.searchsorted(ranges[:, 1], ends, side="right")
    starts = np.append(ranges[:, 0], np.iinfo(np.int64).max)[whole]
    before = lengths[whole] + np.maximum(ends - starts, 0)
    inside: IndexArray = np.diff(before, prepend=0).astype(np.int64)
    return inside


def _shares(count: int, free: IndexArray) -> IndexArray:
    """`count` in proportion to `free`, in whole numbers; in Python's, which do not overflow."""
    room = max(int(free.sum()), 1)
    exact = [divmod(count * int(size), room) for size in free]
    shares = np.array([whole for whole, _ in exact], dtype=np.int64)
    by_remainder = sorted(range(len(exact)), key=lambda layer: -exact[layer][1])  # stable
    shares[by_remainder[: count - int(shares.sum())]] += 1
    return shares
