# SPDX-License-Identifier: Apache-2.0
"""What this machine does in a second, measured in a moment at the shapes that are asked for.

Each figure is the best of a few short runs on all threads at once, every thread with a BLAS of
its own of one thread, as the engine works; figures are kept for the rest of the process.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

__all__ = ["Rates", "rates"]

_SECONDS = 0.02  # a run, at the least
_RUNS = 3
_VALUES = 1 << 21  # of an operand, at the most


class Rates:
    """Rates of one machine with so many threads; each method measures once per shape."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._product = functools.cache(self._measure_product)

    def product(self, dtype: str, rows: int, depth: int, columns: int) -> float:
        """Multiplications with an addition a second, of [rows, depth] x [depth, columns]."""
        depth, columns = min(depth, 4096), min(columns, 4096)
        rows = max(16, min(rows, _VALUES // max(depth, columns)))
        return self._product(dtype, rows, depth, columns)

    @functools.cached_property
    def copy(self) -> float:
        """Bytes a second, read or written, of arrays beyond the caches."""
        source = np.ones(8 * _VALUES, dtype=np.float32)
        parts = np.array_split(np.empty_like(source), self._threads)
        whole = np.array_split(source, self._threads)
        seconds = self._best(lambda k: np.copyto(parts[k], whole[k]))
        return 2.0 * source.nbytes / seconds

    def _measure_product(self, dtype: str, rows: int, depth: int, columns: int) -> float:
        rng = np.random.default_rng(0)
        a = rng.standard_normal((self._threads, rows, depth)).astype(dtype)
        b = rng.standard_normal((depth, columns)).astype(dtype)
        out = np.empty((self._threads, rows, columns), dtype)
        seconds = self._best(lambda k: np.matmul(a[k], b, out=out[k]))
        return self._threads * float(rows) * depth * columns / seconds

    def _best(self, work: Callable[[int], object]) -> float:
        """Seconds of work(thread) on all threads at once."""
        with (
            threadpool_limits(limits=1, user_api="blas"),
            ThreadPoolExecutor(self._threads) as pool,
        ):
            lanes = range(self._threads)

            def timed(repeats: int) -> float:
                began = time.perf_counter()
                list(pool.map(lambda k: [work(k) for _ in range(repeats)], lanes))
                return time.perf_counter() - began

            repeats = 1
            while (first := timed(repeats)) < _SECONDS:
                repeats *= 2
            return min(first, *(timed(repeats) for _ in range(_RUNS - 1))) / repeats


@functools.cache
def rates(threads: int) -> Rates:
    """The rates of this process with so many threads."""
    return Rates(threads)
