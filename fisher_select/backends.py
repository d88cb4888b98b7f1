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
from dataclasses import fields
from types import ModuleType
from typing import Any, Protocol

from threadpoolctl import ThreadpoolController

from fisher_select import cuda_module, mapped, reference
from fisher_select.device_arrays import DeviceArray
from fisher_select.factors import TraceProblem
from fisher_select.options import one_of
from fisher_select.selection import Selection

NAMES = ("auto", "cpu", "reference", "cuda")

# Operations that read the whole pool, and let go of what lies in a file.
_SWEEPING = (
    "trace_select",
    "log_det_select",
    "k_center",
    "badge",
    "information_gain",
    "distance_sums",
)

# What `explain` says of a CUDA module built for tests.
EMULATED = "available (emulated on the CPU, for tests)"


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


def trace_arguments(problem: TraceProblem) -> dict[str, Any]:
    """What the compiled `trace_select` takes: the problem's fields, with the kept outputs."""
    found = {field.name: getattr(problem, field.name) for field in fields(problem)}
    del found["classes"]
    found["probabilities"], found["merged"] = problem.outputs()
    if (search := found.pop("search")) is not None:  # the CPU's alone
        found |= {"search": search.name, "search_part": search.part, "search_seed": search.seed}
    return found


class _Compiled:
    """What the engines have in common: each is a module with the same functions."""

    name: str

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def trace_select(self, problem: TraceProblem) -> Selection:
        found = self.call("trace_select", **trace_arguments(problem))
        share = found.pop("search_share", None)
        diagnostics = {} if share is None else {"search_share": share}
        return Selection(backend=self.name, diagnostics=diagnostics, **found)

    def call(self, operation: str, **arguments: Any) -> Any:
        return getattr(self._module, operation)(**arguments)


class _Cpu(_Compiled):
    """The compiled engine of the CPU."""

    name = "cpu"

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module)
        self._blas = _SingleThreadedBlas()

    def call(self, operation: str, **arguments: Any) -> Any:
        if operation in _SWEEPING:
            files = {name: mapped.file_of(value) for name, value in arguments.items()}
            arguments["mapped"] = [name for name, file in files.items() if file is not None]
        with self._blas.held():
            return super().call(operation, **arguments)


class _Cuda(_Compiled):
    """The compiled engine of a CUDA device: the one where the arrays lie, else the first."""

    name = "cuda"

    def call(self, operation: str, **arguments: Any) -> Any:
        there = [array for array in arguments.values() if isinstance(array, DeviceArray)]
        if there:
            # Checks have waited for the streams of the others, if there are any.
            arguments |= {"device": there[0].device, "stream": there[0].stream}
        return super().call(operation, **arguments)


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


def get(name: str = "auto", *, arrays_on_device: bool = False) -> Backend:
    """The backend of that name.

    Parameters
    ----------
    name
        "auto" is "cuda" for arrays that lie on a CUDA device, and "cpu" for all others.
    arrays_on_device
        Whether they do.

    Raises
    ------
    ValueError
        Unknown name, or "cuda" where it cannot run.
    ImportError
        The compiled module could not be imported (see `explain`).
    """
    one_of("backend", name, NAMES)
    if name == "reference":
        return _Reference()
    if name == "cuda" or (name == "auto" and arrays_on_device):
        return _cuda()
    return _cpu()


def explain() -> dict[str, str]:
    """Each backend's state: "available" and on what, or the reason why it is not."""
    try:
        _cpu()
    except ImportError as error:
        cpu = f"not available: {error.__cause__}"
    else:
        cpu = "available"
    return {"cpu": cpu, "reference": "available", "cuda": _cuda_state()}


def _cuda_state() -> str:
    try:
        module = cuda_module.load()
    except ImportError as error:
        return f"not available: {error}"
    if reason := module.device_state():
        return f"not available: {reason}"
    return EMULATED if module.emulated else f"available ({module.device_name(0)})"


def _cuda() -> _Cuda:
    """The CUDA backend; what a driver or a device lacks is looked at each time."""
    state = _cuda_state()
    if not state.startswith("available"):
        raise ValueError(f"backend 'cuda' is {state}")
    return _Cuda(cuda_module.load())


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
