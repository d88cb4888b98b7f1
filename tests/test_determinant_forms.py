# SPDX-License-Identifier: Apache-2.0
"""The two forms of rank-one log-determinant greedy, each forced: kernel and matrix."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruption import assert_ctrl_c_stops
from problems import arguments, softmax_rows
from test_determinant import replay

import fisher_select as fs
from fisher_select import backends
from fisher_select.determinant import log_det_arguments
from fisher_select.factors import trace_problem

FORMS = ("kernel", "matrix")
pytestmark = pytest.mark.usefixtures("cpu")


def select(form: str, call: dict[str, Any], **core: Any) -> fs.Selection:
    """max_det(**call, gradient="rank_one") on the cpu backend, held to one form."""
    options = {k: v for k, v in call.items() if k not in {"X", "P", "fisher"}}
    problem = trace_problem(call["X"], call["P"], **options, oversample=1.0)
    wanted = ("features", "probabilities", "factors", "labeled", "batch_size", "lam")
    found = backends.get("cpu").call(
        "log_det_select",
        kind="gradient",
        **{name: getattr(problem, name) for name in wanted},
        threads=problem.threads,
        chunk_rows=problem.chunk_rows,
        form=form,
        **core,
    )
    assert found.pop("kernel_form") == (form == "kernel")
    found.pop("entries")
    return fs.Selection(backend="cpu", **found)


def pool(n: int, d: int, C: int, **options: Any) -> dict[str, Any]:
    return arguments("softmax", n, d, C) | options


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("form", FORMS)
def test_golden(form: str, dtype: type, shared_golden: Path) -> None:
    with np.load(shared_golden / "maxdet_rank_one.npz") as golden:
        call = {
            "X": golden["X"].astype(dtype),
            "P": golden["P"].astype(dtype),
            "labeled": golden["labeled"],
            "batch_size": int(golden["batch"]),
            "lam": float(golden["lam"]),
        }
        np.testing.assert_array_equal(select(form, call).indices, golden["kept"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("labeled", [0, 1, 40])
@pytest.mark.parametrize(("n", "d", "C"), [(60, 1, 2), (127, 3, 4), (128, 33, 2), (129, 5, 7)])
def test_against_the_reference(form: str, labeled: int, n: int, d: int, C: int) -> None:
    call = pool(n, d, C, labeled=np.arange(labeled), batch_size=12, lam=0.1)
    replay(call, "gradient", select(form, call))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", [1, 2, 31])
def test_all_rows(form: str, n: int) -> None:
    call = pool(n, 3, 3, batch_size=n, lam=0.5)
    picks = select(form, call)
    assert sorted(picks.indices.tolist()) == list(range(n))
    replay(call, "gradient", picks)


@pytest.mark.parametrize("form", FORMS)
def test_a_tiny_lam_and_more_picks_than_parameters(form: str) -> None:
    call = pool(60, 2, 3, batch_size=60, lam=1e-6)
    replay(call, "gradient", select(form, call))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_forms_agree(dtype: type) -> None:
    call = arguments("softmax", 3_000, 40, 6, dtype=dtype)
    call |= {"labeled": np.arange(0, 3_000, 10), "batch_size": 60, "lam": 0.01}
    kernel, matrix = select("kernel", call), select("matrix", call)
    np.testing.assert_array_equal(kernel.indices, matrix.indices)
    np.testing.assert_allclose(kernel.scores, matrix.scores, rtol=1e-9)
    np.testing.assert_allclose(kernel.objective, matrix.objective, rtol=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("labeled", [0, 70])
def test_equal_rows_tie_wherever_they_stand(form: str, dtype: type, labeled: int) -> None:
    """300 rows, each of them five times, shuffled: of five, the lowest goes first."""
    rng = np.random.default_rng(3)
    kind = rng.permutation(np.repeat(np.arange(300), 5))
    X = rng.standard_normal((300, 19))[kind].astype(dtype)
    P = softmax_rows(rng, 300, 5)[kind].astype(dtype)
    own = np.sort(rng.permutation(len(kind))[:labeled])
    call = {"X": X, "P": P, "labeled": own, "batch_size": 500, "lam": 1e-3}
    gone = set(own.tolist())
    for pick in select(form, call).indices.tolist():
        before = np.flatnonzero(kind[:pick] == kind[pick])
        assert set(before.tolist()) <= gone
        gone.add(pick)


@pytest.mark.parametrize("form", FORMS)
def test_rows_without_a_gradient_come_last_and_in_order(form: str) -> None:
    call = pool(40, 4, 3, batch_size=40, lam=1.0)
    call["X"][5:15] = 0.0
    call["P"][20] = [0.0, 1.0, 0.0]  # certain: e_yhat - p is 0
    picks = select(form, call)
    assert picks.indices[-11:].tolist() == [*range(5, 15), 20]
    np.testing.assert_array_equal(picks.scores[-11:], 0.0)


def test_threads_do_not_change_a_bit() -> None:
    call = pool(12_000, 60, 4, labeled=np.arange(0, 12_000, 50), batch_size=40, lam=1e-3)
    one = select("kernel", call | {"threads": 1})
    for threads in (2, 4):
        picks = select("kernel", call | {"threads": threads})
        np.testing.assert_array_equal(picks.indices, one.indices)
        np.testing.assert_array_equal(picks.scores, one.scores)
        np.testing.assert_array_equal(picks.objective, one.objective)


def test_every_instruction_set(instruction_set: str) -> None:
    call = pool(150, 21, 3, labeled=[4], batch_size=8, lam=0.1)
    replay(call, "gradient", select("kernel", call, instruction_set=instruction_set))


def test_strided_and_reversed_features() -> None:
    call = pool(300, 10, 4, labeled=[2, 3], batch_size=20)
    wide = np.repeat(call["X"], 3, axis=1)[:, ::3]
    backwards = np.ascontiguousarray(call["X"][:, ::-1])[:, ::-1]
    expected = select("kernel", call)
    for X in (wide, backwards, np.asfortranarray(call["X"])):
        np.testing.assert_array_equal(select("kernel", call | {"X": X}).scores, expected.scores)


# ---------------------------------------------------------------------------- the choice
def test_the_form_is_chosen_by_cost_and_told() -> None:
    wide = pool(2_000, 64, 10, batch_size=20)
    narrow = pool(2_000, 2, 3, batch_size=200)
    for call, form in [(wide, "kernel"), (narrow, "matrix")]:
        call.pop("fisher")
        picks = fs.max_det(**call)
        assert picks.diagnostics["kernel_form"] == (form == "kernel")
        np.testing.assert_array_equal(picks.indices, select(form, call).indices)
    wide_share = fs.max_det(**wide).diagnostics["entries"] / (2_000 * 20)
    assert 0 < wide_share < 0.2  # most rows wait


def test_full_factors_have_no_kernel_form() -> None:
    problem = log_det_arguments(
        np.ones((4, 2)), np.full((4, 2), 0.5), gradient="full", batch_size=1
    )
    with pytest.raises(ValueError, match="form: the kernel form is for kind 'gradient' alone"):
        backends.get("cpu").call("log_det_select", **problem, form="kernel")
    with pytest.raises(ValueError, match="form: unknown form 'dual'"):
        backends.get("cpu").call("log_det_select", **problem, form="dual")


@pytest.mark.slow
def test_a_kernel_beyond_a_gigabyte_gives_way_to_a_smaller_matrix() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200_000, 24), dtype=np.float32)
    P = softmax_rows(rng, len(X), 17).astype(np.float32)
    seen = {B: fs.max_det(X, P, batch_size=B).diagnostics["kernel_form"] for B in (300, 700)}
    assert seen == {300: 1.0, 700: 0.0}  # 0.5 and 1.1 GB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux alone")
def test_a_hundred_classes_fit_in_modest_memory() -> None:
    """D = 76,032: a matrix of it would take 46 GB, the kernel's factor takes 16 MB."""
    script = """
import resource
import numpy as np
import fisher_select as fs
rng = np.random.default_rng(0)
X = rng.standard_normal((20_000, 768), dtype=np.float32)
P = rng.dirichlet(np.ones(100), size=len(X)).astype(np.float32)
fs.max_det(X[:4], P[:4], batch_size=1, threads=1)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), size + (64 << 20)))
picks = fs.max_det(X, P, batch_size=100, threads=1)
print(len(picks), picks.diagnostics["kernel_form"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "100 1.0\n"


# Seconds of BLAS for the labelled rows alone; no callback, so that the core looks for signals.
LONG_SELECTION = """
import numpy as np
import fisher_select as fs

rng = np.random.default_rng(0)
X = rng.standard_normal((20_000, 256), dtype=np.float32)
P = rng.dirichlet(np.ones(100), size=len(X)).astype(np.float32)
print("ready", flush=True)
fs.max_det(X, P, labeled=np.arange(5_000), batch_size=100, threads=2, backend="cpu")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT of a subprocess is POSIX")
@pytest.mark.parametrize("wait", [0.5, 2.0], ids="after {}s".format)
def test_ctrl_c_stops_within_a_second(wait: float) -> None:
    assert_ctrl_c_stops(LONG_SELECTION, wait)


# ------------------------------------------------------------------------------- failures
def test_a_gain_that_rounding_has_eaten_is_an_error() -> None:
    """Copies of one row: what is left after the first is lam, far below the rounding."""
    X, P = np.full((4, 3), 1e3), np.full((4, 2), 0.5)
    with pytest.raises(fs.NumericalError, match="lost in rounding after 1 picks: raise lam"):
        select("kernel", {"X": X, "P": P, "batch_size": 2, "lam": 1e-12})
    assert len(select("kernel", {"X": X, "P": P, "batch_size": 2, "lam": 1e-3})) == 2


@pytest.mark.parametrize("labeled", [[], [0]])
def test_squares_that_overflow_are_an_error(labeled: list[int]) -> None:
    call = pool(8, 3, 3, labeled=labeled, batch_size=2)
    call["X"] = call["X"] * 1e200
    with pytest.raises(fs.NumericalError, match="overflow: scale the features down"):
        select("kernel", call)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux alone")
@pytest.mark.parametrize(
    ("shape", "options", "remedy"),
    [
        ((20_000, 200, 10), "batch_size=3000", r"lower batch_size, or select from a part"),
        ((500, 400, 20), "batch_size=2, gradient='full'", r"choose gradient='rank_one'"),
    ],
)
def test_memory_errors_name_options_that_help(
    shape: tuple[int, int, int], options: str, remedy: str
) -> None:
    script = f"""
import resource
import numpy as np
import fisher_select as fs
n, d, C = {shape}
X, P = np.ones((n, d), dtype=np.float32), np.full((n, C), 1 / C)
fs.max_det(X[:4], P[:4], batch_size=1, threads=1)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (200 << 20), size + (200 << 20)))
try:
    fs.max_det(X, P, {options}, threads=1)
except MemoryError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert re.search(rf"needs \d+ MB that could not be allocated; .*{remedy}", done.stdout)
    assert "fisher=" not in done.stdout
