# SPDX-License-Identifier: Apache-2.0
"""Accuracy of the exponential and the logarithm in csrc/elementary.h, over their ranges.

They are inline functions of the core, so the test compiles a shared library of its own; where
there is no compiler it is a visible skip.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "csrc"
FUNCTIONS = ("expm1_small", "exp_nonpositive", "log_positive")

Function = Callable[[str, npt.NDArray[np.floating]], npt.NDArray[np.floating]]


@pytest.fixture(scope="module", params=[(), ("-mfma",)], ids=["plain", "fused"])
def function(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Function:
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    library = tmp_path_factory.mktemp("elementary") / "elementary.so"
    flags = ["-std=c++20", "-O2", "-shared", "-fPIC", "-ffp-contract=fast", *request.param]
    command = [
        compiler,
        *flags,
        f"-I{SOURCES}",
        str(HERE / "elementary.cpp"),
        "-o",
        str(library),
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode != 0 and request.param:
        pytest.skip("this compiler does not know -mfma")
    assert built.returncode == 0, built.stderr
    if request.param and "fma" not in Path("/proc/cpuinfo").read_text(encoding="utf-8").split():
        pytest.skip("this processor has no fused multiply-add")
    loaded = ctypes.CDLL(str(library))

    def call(name: str, x: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        double = x.dtype == np.float64
        out = np.empty_like(x)
        run = loaded.apply_double if double else loaded.apply_float
        pointer = np.ctypeslib.ndpointer(x.dtype, flags="C")
        run.argtypes = [ctypes.c_int, pointer, ctypes.c_long, pointer]
        run.restype = None
        run(FUNCTIONS.index(name), x, len(x), out)
        return out

    return call


def ulps(
    found: npt.NDArray[np.floating], exact: npt.NDArray[np.longdouble]
) -> npt.NDArray[np.longdouble]:
    """Distance in units of the last place of the exact result."""
    return np.abs(found.astype(np.longdouble) - exact) / np.spacing(
        np.abs(exact).astype(found.dtype)
    )


def spread(low: float, high: float, dtype: type) -> npt.NDArray[np.floating]:
    """Even and random points, both ends among them."""
    rng = np.random.default_rng(0)
    points = np.concatenate([np.linspace(low, high, 200_001), rng.uniform(low, high, 200_000)])
    return points.astype(dtype)


pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="needs a long double beyond float64"
)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
def test_expm1(function: Function, dtype: type) -> None:
    tiny = np.logspace(-30, -1, 10_000)
    x = np.concatenate([spread(-0.3475, 0.3475, dtype), tiny, -tiny, [0.0]]).astype(dtype)
    off = ulps(function("expm1_small", x), np.expm1(x.astype(np.longdouble)))
    assert off.max() < 1.2


@DTYPES
def test_exp(function: Function, dtype: type) -> None:
    lowest = -86.0 if dtype is np.float32 else -708.0
    x = np.concatenate([spread(lowest, 0.0, dtype), spread(-1.0, 0.0, dtype)])
    off = ulps(function("exp_nonpositive", x), np.exp(x.astype(np.longdouble)))
    assert off.max() < 1.5
    below = np.array([np.nextafter(dtype(lowest), -np.inf, dtype=dtype), -1e4, -1e30, -np.inf])
    assert function("exp_nonpositive", below.astype(dtype)).tolist() == [0.0] * 4
    assert function("exp_nonpositive", np.array([0.0, -0.0], dtype)).tolist() == [1.0, 1.0]
    assert np.isnan(function("exp_nonpositive", np.array([np.nan], dtype))).all()


@DTYPES
def test_log(function: Function, dtype: type) -> None:
    info = np.finfo(dtype)
    decades = np.exp(spread(np.log(info.tiny) + 1e-3, np.log(info.max) - 1e-3, np.float64))
    near_one = 1.0 + np.concatenate(
        [np.logspace(-15, -0.5, 5_000), -np.logspace(-15, -0.5, 5_000)]
    )
    x = np.concatenate([decades, spread(0.5, 2.0, dtype), near_one, [1.0]]).astype(dtype)
    off = ulps(function("log_positive", x), np.log(x.astype(np.longdouble)))
    assert off.max() < 1.5
    assert function("log_positive", np.ones(1, dtype)).tolist() == [0.0]
