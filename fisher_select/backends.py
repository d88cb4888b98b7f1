# SPDX-License-Identifier: Apache-2.0
"""Who does the arithmetic: backends by name, and why one is missing.

No backend ever stands in for another: what was asked for runs, or the reason it cannot is
raised.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

from threadpoolctl import ThreadpoolController

from fisher_select import reference
from fisher_select.factors import TraceProblem
from fisher_select.options import one_of
from fisher_select.selection import Selection

NAMES = ("auto", "cpu", "reference", "cuda")

_NO_CUDA = "not available: the CUDA backend is not built yet"


class Backend(Protocol):
    """What select.py needs of a backend."""

    @property
    def name(self) -> str:
        """The name it answers to, never "auto"."""

    def trace_select(self, problem: TraceProblem) -> Selection:
        """Greedy selection by the trace objective, exact up to ties."""

    def call(self, operation: str, **arguments: Any) -> Any:
        """Run a compiled operation, or the reference's function of that name."""


class _Reference:
    """float64 NumPy, the specification."""

    name = "reference"

    def trace_select(self, problem: TraceProblem) -> Selection:
        return reference.trace_select(problem)

    def call(self, operation: str, **arguments: Any) -> Any:
        return getattr(reference, operation)(**arguments)


class _Cpu:
    """The compiled engine."""

    name = "cpu"

    def __init__(self, core: ModuleType) -> None:
        self._core = core
        self._blas = _SingleThreadedBlas()

    def trace_select(self, problem: TraceProblem) -> Selection:
        found = self.call(
            "trace_select",
            kind=problem.kind,
            features=problem.features,
            probabilities=problem.probabilities,
            factors=problem.factors,
            labeled=problem.labeled,
            batch_size=problem.batch_size,
            forward_count=problem.forward_count,
            lam=problem.lam,
            shrink=problem.shrink,
            scale=problem.scale,
            use_pool_fisher=problem.use_pool_fisher,
            threads=problem.threads,
            chunk_rows=problem.chunk_rows,
            progress=problem.progress,
        )
        return Selection(backend=self.name, **found)

    def call(self, operation: str, **arguments: Any) -> Any:
        with self._blas.held():
            return getattr(self._core, operation)(**arguments)


class _SingleThreadedBlas:
    """Limits every BLAS of the process to one thread while any selection runs.

    The engine's threads each call a single-threaded GEMM; a BLAS with threads of its own would
    spin against them (DESIGN section 3). The limit belongs to the process, so selections that
    overlap in several Python threads share one: the first sets it and the last restores it.
    """

    def __init__(self) -> None:
        # The core has loaded SciPy's BLAS, so the controller knows the one that matters;
        # looking the libraries up costs milliseconds, hence once.
        self._controller = ThreadpoolController()
        self._lock = threading.Lock()
        self._holders = 0
        self._restore: Callable[[], object] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            if self._holders == 0:
                self._restore = self._controller.limit(
                    limits=1, user_api="blas"
                ).restore_original_limits
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0 and self._restore is not None:
                    self._restore()


def get(name: str = "auto") -> Backend:
    """The backend of that name; "auto" is the compiled cpu backend.

    Raises
    ------
    ValueError
        Unknown name, or "cuda", which is not built yet.
    ImportError
        The compiled module could not be imported (see `explain`).
    """
    one_of("backend", name, NAMES)
    if name == "cuda":
        raise ValueError(f"backend 'cuda' is {_NO_CUDA}")
    if name == "reference":
        return _Reference()
    return _cpu()


def explain() -> dict[str, str]:
    """Each backend's state: "available", or the reason why it is not."""
    try:
        _cpu()
    except ImportError as error:
        cpu = f"not available: {error.__cause__}"
    else:
        cpu = "available"
    return {"cpu": cpu, "reference": "available", "cuda": _NO_CUDA}


@functools.cache
def _cpu() -> _Cpu:
    """Import the compiled module, once; a failure is not cached, so a build can mend it."""
    try:
        # The core takes its BLAS from here. Loaded by Python first: a Ctrl-C during this slow
        # import is then a KeyboardInterrupt, not a failed initialization of the core.
        importlib.import_module("scipy.linalg.cython_lapack")
        core = importlib.import_module("fisher_select._core")
    except ImportError as error:
        raise ImportError(
            "the compiled module fisher_select._core could not be imported "
            f"({error}); install the package with a C++ compiler at hand, or pass "
            "backend='reference' for small pools"
        ) from error
    return _Cpu(core)
