# SPDX-License-Identifier: Apache-2.0
"""Loads the compiled CUDA module, and the cuBLAS it is linked to; or tells why it cannot."""

from __future__ import annotations

import ctypes
import functools
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["CudaMissingError", "load"]

_NAME = "fisher_select._cuda"


class CudaMissingError(ImportError):
    """The CUDA module cannot be loaded; the message says why and what helps."""


@functools.cache
def load() -> ModuleType:
    """Import the CUDA module, once; a failure is not cached, so an installation can mend it.

    No driver is asked and no device is touched.

    Raises
    ------
    CudaMissingError
        It was not built, or a library that it needs is missing.
    """
    try:
        # As for the CPU: it takes SciPy's BLAS, whose slow import is better done by Python.
        importlib.import_module("scipy.linalg.cython_lapack")
        return importlib.import_module(_NAME)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == _NAME:
            raise CudaMissingError(
                "not built: install fisher-select from source where nvcc and cuBLAS are found"
            ) from error
        library = re.search(r"libcublas\.so\.\d+", str(error))
        if library is None:
            raise CudaMissingError(f"missing library: {error}") from error
        _load_from_wheel(library[0])
    return importlib.import_module(_NAME)


def _load_from_wheel(library: str) -> None:
    """Load a library of the nvidia-cublas wheel that the system's loader did not find.

    The module then finds it by its name. The wheel's folder is ``nvidia/cu13/lib`` or, for
    CUDA 12, ``nvidia/cublas/lib``, in any place that Python imports from.
    """
    for place in sys.path:
        for path in Path(place).glob(f"nvidia/*/lib/{library}"):
            try:
                ctypes.CDLL(str(path))
            except OSError as error:
                raise CudaMissingError(f"missing library: {error}") from error
            return
    raise CudaMissingError(
        f"missing library: {library}; try: pip install 'fisher-select[cuda]'"
    )
