# SPDX-License-Identifier: Apache-2.0
"""What this machine does in a second, measured in a moment at the shapes that are asked for.

Each figure is the best of a few short runs on all threads at once, every thread with a BLAS of
its own of one thread, as the engine works; figures are kept for the rest of the process.
"""

from __future__ import annotations

import functools
import mmap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from fisher_select import backends

__all__ = ["Rates", "rates"]

_SECONDS = 0.02  # a run, at the least
_RUNS = 3
_VALUES = 1 << 21  # of an operand, at the most
_AT_ONCE = 1 << 22  # multiplications of a call, at the least: Python's own time is then nothing
_MOST = 32  # products of a call
_FRESH = 1 << 21  # bytes that are written for the first time
_GAIN_ROWS, _GAIN_CLASSES = 256, 20  # of a small information gain, either set
_GAIN_PRICE = 130  # multiplications, of a pair of rows and a class


class Rates:
    """Rates of one machine with so many threads; each method measures once per shape."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._product = functools.cache(self._measure_product)

    def product(
        self, dtype: str, rows: int, depth: int, columns: int, *, outer: bool = False
    ) -> float:
        """Multiplications with an addition a second, of a matrix product [rows, columns].

        Operands lie [rows, depth] and [columns, depth], or with `outer` [depth, rows] and
        [depth, columns].
        """
        depth, columns = min(depth, 4096), min(columns, 4096)
        rows = max(16, min(rows, _VALUES // max(depth, columns)))
        return self._product(dtype, rows, depth, columns, outer)

    @functools.cached_property
    def best(self) -> float:
        """The same of the product that goes fastest: a large one in float32."""
        return self.product("float32", 256, 256, 256)

    @functools.cached_property
    def copy(self) -> float:
        """Bytes a second, read or written, of arrays beyond the caches."""
        source = np.ones(8 * _VALUES, dtype=np.float32)
        parts = np.array_split(np.empty_like(source), self._threads)
        whole = np.array_split(source, self._threads)
        seconds = self._best(lambda k: np.copyto(parts[k], whole[k]))
        return 2.0 * source.nbytes / seconds

    @functools.cached_property
    def loops(self) -> float:
        """Multiplications that the engine's own vector loops make up for in a second.

        Their prices are in multiplications of the fastest product where they were found: at 50
        a nanosecond and core. There a pair of rows and a class took the information gain 2.6
        ns; a machine whose BLAS is slow for its vector units takes less.
        """
        rng = np.random.default_rng(0)
        rows = rng.standard_normal((_GAIN_ROWS, 16), dtype=np.float32)
        weight = rng.standard_normal((16, _GAIN_CLASSES))
        call = {
            "features": rows,
            "probabilities": None,
            "eval_features": rows,
            "weight": weight,
            "bias": None,
            "class_weights": np.ones(_GAIN_CLASSES),
            "by_probability": True,
            "normalize": False,
            "learning_rate": 0.5,  # a step that moves every logit
            "threads": 1,
        }
        engine = backends.get("cpu")
        seconds = self._best(lambda _: engine.call("information_gain", **call))
        return self._threads * _GAIN_ROWS**2 * _GAIN_CLASSES * _GAIN_PRICE / seconds

    @functools.cached_property
    def fresh(self) -> float:
        """Bytes a second of memory that is written for the first time, page by page.

        The kernel finds and clears a page for each: a hundred times slower than what follows.
        """

        def touch(_: int) -> None:
            with mmap.mmap(-1, _FRESH) as memory:
                for page in range(0, _FRESH, mmap.PAGESIZE):
                    memory[page] = 1

        return self._threads * _FRESH / self._best(touch)

    def _measure_product(
        self, dtype: str, rows: int, depth: int, columns: int, outer: bool
    ) -> float:
        rng = np.random.default_rng(0)
        one = float(rows) * depth * columns
        # As many as stay in a core's second-level cache, as the engine's own chunks do.
        fits = _VALUES // 8 // (rows * max(depth, columns))
        count = max(1, min(int(_AT_ONCE // one) + 1, fits, _MOST))
        shape = (depth, rows) if outer else (rows, depth)
        a = rng.standard_normal((self._threads, count, *shape)).astype(dtype)
        b = rng.standard_normal((depth, columns) if outer else (columns, depth)).astype(dtype)
        out = np.empty((self._threads, count, rows, columns), dtype)
        left, right = (a.swapaxes(-1, -2), b) if outer else (a, b.T)
        seconds = self._best(lambda k: np.matmul(left[k], right, out=out[k]))
        return self._threads * count * one / seconds

    def _best(self, work: Callable[[int], object]) -> float:
        """Seconds of work(thread) on all threads at once, by the time of their processors.

        What else wants the processors just now, such as the idle threads of a BLAS that wait
        for more work in a loop, thus does not count.
        """
        with (
            threadpool_limits(limits=1, user_api="blas"),
            ThreadPoolExecutor(self._threads) as pool,
        ):

            def timed(repeats: int) -> float:
                def lane(thread: int) -> float:
                    began = time.thread_time()
                    for _ in range(repeats):
                        work(thread)
                    return time.thread_time() - began

                return max(pool.map(lane, range(self._threads)))

            repeats = 1
            while (first := timed(repeats)) < _SECONDS:
                repeats *= 2
            return min(first, *(timed(repeats) for _ in range(_RUNS - 1))) / repeats


@functools.cache
def rates(threads: int) -> Rates:
    """The rates of this process with so many threads."""
    return Rates(threads)
