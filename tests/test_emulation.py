# SPDX-License-Identifier: Apache-2.0
"""The emulation of CUDA finds what it is there to find (tests/emulation; no GPU, no figure)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent / "emulation"
CORE = HERE.parents[1] / "csrc"
SOURCES = [*HERE.glob("cases/*.c*"), CORE / "cuda" / "device.cu", *HERE.glob("*.cpp")]

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow  # a compilation, of half a minute


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a case of tests/emulation/cases, with settings of the emulation as keywords."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    program = tmp_path_factory.mktemp("emulation") / "cases"
    command = [compiler, "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror"]
    command += [f"-I{HERE}", f"-I{CORE}", "-xc++", *map(str, SOURCES), "-o", str(program)]
    command += ["-pthread", "-ldl"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr

    def run_case(case: str, **settings: object) -> subprocess.CompletedProcess[str]:
        variables = {
            f"FS_EMULATION_{name.upper()}": str(value) for name, value in settings.items()
        }
        return subprocess.run(
            [str(program), case],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run_case


def values(done: subprocess.CompletedProcess[str]) -> dict[str, list[float]]:
    """What a case printed: lines of a name and a number."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, list[float]] = {}
    for line in done.stdout.splitlines():
        name, number = line.rsplit(" ", 1)
        found.setdefault(name, []).append(float(number))
    return found


def dies(done: subprocess.CompletedProcess[str], how: signal.Signals, *words: str) -> None:
    assert done.returncode == -how, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert re.search(word, done.stderr), (word, done.stderr)


ORDERS = ["forward", "reverse", 1, 2]


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_right_gives_right_values(run: Run, order: object) -> None:
    assert values(run("sum", order=order)) == {"sum": [499500.0] * 3}
    assert values(run("counters", order=order)) == {"counter": [480, 479, 480]}
    assert values(run("neighbour", order=order)) == {"wrong": [0]}
    assert values(run("graph", order=order)) == {"value": [10]}


@pytest.mark.parametrize("kind", ["int", "double"])
def test_shuffles(run: Run, kind: str) -> None:
    lanes = np.arange(32)
    got = np.reshape(values(run(f"shuffles {kind}"))["lane"], (6, 32))
    assert (got[0] == 5).all()
    assert (got[1] == lanes ^ 3).all()
    assert (got[2] == np.where(lanes < 30, lanes + 2, lanes)).all()
    assert (got[3] == np.where(lanes >= 2, lanes - 2, lanes)).all()
    assert (got[4] == np.where(lanes % 8 < 7, lanes + 1, lanes)).all()
    assert (got[5] == 11 + 1 + 1).all()


@pytest.mark.parametrize(
    ("reads", "shows_in"),
    [("neighbour", {"forward", 1, 2}), ("predecessor", {"reverse", 1, 2})],
)
@pytest.mark.parametrize("order", ORDERS)
def test_a_missing_barrier_shows(
    run: Run, reads: str, shows_in: set[object], order: object
) -> None:
    """What one order hides another one shows."""
    wrong = values(run(f"{reads} without barrier", order=order))["wrong"][0]
    assert (wrong > 0) == (order in shows_in)


@pytest.mark.parametrize("order", ORDERS)
def test_barriers_that_some_threads_miss(run: Run, order: object) -> None:
    dies(
        run("divergent barrier", order=order),
        signal.SIGABRT,
        r"kernel .*divergent_barrier_kernel\(\), block \([01], 0, 0\): a barrier that not all",
        r"24 threads have ended",
        r"40 threads wait at __syncthreads \(.*wrong\.cu:\d+\)",
    )
    dies(
        run("two barriers", order=order),
        signal.SIGABRT,
        r"32 threads wait at __syncthreads \(",
        r"32 threads wait at __syncthreads_count \(",
    )
    dies(
        run("partial shuffle", order=order),
        signal.SIGABRT,
        r"partial_shuffle_kernel.*reads from lane \d+, which is not in the mask, has ended",
    )


def test_results_are_stale_until_the_host_waits(run: Run) -> None:
    assert values(run("stale")) == {"early": [-7], "late": [0]}
    assert values(run("other stream")) == {"unordered": [0], "ordered": [1]}
    assert values(run("pinned")) == {"got": [1, 2]}


def test_what_was_never_written_is_no_number(run: Run) -> None:
    got = values(run("unwritten"))
    assert got["own"] == [1.0]
    assert np.isnan(got["other block's"] + got["never"]).all()


def test_accesses_that_are_not_allowed(run: Run) -> None:
    dies(run("host dereference"), signal.SIGSEGV, "the host touches device memory at 0x")
    dies(run("host argument"), signal.SIGABRT, "kernel .*view_kernel.* memory of the host")
    dies(
        run("beyond shared"),
        signal.SIGSEGV,
        r"beyond_shared_kernel.*thread \(\d+, 0, 0\): illegal address 0x\w+, beyond the dyn",
    )


def test_calls_are_refused_with_cudas_numbers(run: Run) -> None:
    assert values(run("refused")) == {
        "threads": [9],
        "no blocks": [9],
        "grid": [9],
        "shared memory": [1],
        "asked for": [0],
        "then": [0],
        "too much": [1],
        "memory": [2],
        "last": [2],
        "leading dimension": [7],
    }


def test_memory_runs_out_where_it_is_told_to(run: Run) -> None:
    done = run("sum", memory=4096)
    assert done.returncode == 2
    assert done.stdout.startswith("values")
    assert values(run("sum", memory=65536)) == {"sum": [499500.0] * 3}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float", 2e-6), ("double", 1e-14)])
def test_blas(run: Run, dtype: str, tolerance: float) -> None:
    """Each operation against its definition, in all its forms."""
    errors = values(run(f"blas {dtype}"))
    assert set(errors) == {"gemm", "batched", "gemv", "syrk", "trmm", "trsm", "geam"}
    for name, (worst,) in errors.items():
        assert worst < tolerance, name


def test_no_device(run: Run) -> None:
    done = run("sum", devices=0)
    assert done.returncode == 2
    assert "could not switch to the arrays' device: invalid device ordinal" in done.stdout
