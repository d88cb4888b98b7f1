# SPDX-License-Identifier: Apache-2.0
"""Multiplications of M^-1 and M^-1 F M^-1, counted as csrc/cpu/linear_algebra.cpp makes them.

It works tile by tile, so that a small matrix, of a tile or two, takes twice as many as a large
one in proportion, and has few tasks for the threads to share.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["inversion"]

Tasks: TypeAlias = NDArray[np.float64]  # multiplications of each

_TILE = 256


@functools.cache
def inversion(side: int, threads: int, *, pool_fisher: bool) -> float:
    """Multiplications of the thread that makes most of them; with one thread, all.

    Parameters
    ----------
    side : int
        Rows of M.
    threads : int
        Those that take one stage's tasks in turn.
    pool_fisher : bool
        Whether F is a matrix of its own, not the identity.
    """
    begin = np.arange(0, side, _TILE, dtype=np.float64)
    stages = _stages(begin, np.minimum(_TILE, side - begin), pool_fisher)
    return float(sum(max(tasks.sum() / threads, tasks.max(initial=0.0)) for tasks in stages))


def _stages(begin: Tasks, size: Tasks, pool_fisher: bool) -> Iterator[Tasks]:
    """Tiles begin there and have that many rows; M = K K^T, R = K^-1."""
    side = size.sum()
    after_row, after_column = (side - begin)[:, None], (side - begin)[None, :]
    up_to_row = np.minimum(begin + _TILE, side)[:, None]
    tile = np.outer(size, size)
    for k, own in enumerate(size):  # K
        rest = size[k + 1 :]
        yield np.array([own**3 / 6])
        yield rest * own**2 / 2
        yield np.tril(np.outer(rest, rest) * own)
    yield size * after_row[:, 0] ** 2 / 2  # R
    if pool_fisher:
        yield tile * up_to_row  # R F
    yield np.tril(tile * up_to_row.T)  # R F R^T
    yield tile * after_column  # R F R^T R
    yield np.tril(tile * after_row)  # R^T R F R^T R
    yield np.tril(tile * after_row)  # R^T R
