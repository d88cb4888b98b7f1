# SPDX-License-Identifier: Apache-2.0
"""Pools in files that are mapped into memory: which arrays are, and how to let go of rows.

A page that was read counts as the process's memory until it is let go, though the file holds it
still. Only pages that nobody can have written to are let go: those of read-only maps.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["file_of", "let_go"]


def file_of(array: object) -> mmap.mmap | None:
    """The read-only map that an array of C order lies in; None for all other arrays."""
    if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
        return None
    owner: Any = array
    read_only = False
    while isinstance(owner, np.ndarray):
        read_only = read_only or (isinstance(owner, np.memmap) and owner.mode == "r")
        owner = owner.base
    advisable = read_only and isinstance(owner, mmap.mmap) and hasattr(owner, "madvise")
    return owner if advisable else None


def let_go(file: mmap.mmap | None, rows: NDArray[np.generic]) -> None:
    """Drop the pages of `rows`, which lie in `file`; they are read again when asked for.

    Nothing happens to rows of no file.
    """
    if file is None:
        return
    start = np.frombuffer(file, dtype=np.uint8).ctypes.data
    first = (rows.ctypes.data - start) // mmap.PAGESIZE * mmap.PAGESIZE
    file.madvise(mmap.MADV_DONTNEED, first, rows.ctypes.data + rows.nbytes - start - first)
