# SPDX-License-Identifier: Apache-2.0
"""Threads, chunks, interruption and progress of a selection."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

import numpy as np
import pytest
from interruption import assert_ctrl_c_stops
from problems import KINDS, arguments, assert_optimal, problem_of
from threadpoolctl import threadpool_info

import fisher_select as fs
from fisher_select.backends import trace_arguments

# Minutes of work; no progress callback, so that nothing but the core looks for signals.
LONG_SELECTION = """
import numpy as np
import fisher_select as fs

rng = np.random.default_rng(0)
X = rng.standard_normal((50_000, 64), dtype=np.float32)
P = rng.dirichlet(np.ones(10), size=len(X)).astype(np.float32)
print("ready", flush=True)
fs.bait(X, P, batch_size=20_000, threads=2, backend="cpu")
"""


# -------------------------------------------------------------------- threads and chunks
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_threads_and_chunks_do_not_change_the_answer(
    kind: str, dtype: type, engine: str
) -> None:
    # Large enough that the engine finds four threads worth waking.
    n, d = {"gaussian": (16_000, 48), "binary": (16_000, 48), "dense": (1_500, 16)}.get(
        kind, (4_000, 40)
    )
    call = arguments(kind, n, d, 4, dtype=dtype)
    call |= {"labeled": np.arange(0, n, 70), "batch_size": 8, "backend": engine}
    one = fs.bait(**call, threads=1)
    for threads, chunk_rows in [(1, 1), (1, 64), (2, None), (2, 7), (4, None), (4, 64), (4, 1)]:
        picks = fs.bait(**call, threads=threads, chunk_rows=chunk_rows)
        np.testing.assert_array_equal(picks.forward_indices, one.forward_indices)
        np.testing.assert_array_equal(picks.indices, one.indices)
        np.testing.assert_array_equal(picks.scores, one.scores)
        np.testing.assert_array_equal(picks.objective, one.objective)


@pytest.mark.parametrize("kind", KINDS)
def test_every_instruction_set_makes_optimal_picks(
    kind: str, instruction_set: str, cpu: str
) -> None:
    assert cpu
    core = importlib.import_module("fisher_select._core")
    call = arguments(kind, 120, 5, 3, dtype=np.float32) | {"labeled": [4], "batch_size": 8}
    problem = trace_arguments(problem_of(call))
    found = core.trace_select(**problem, instruction_set=instruction_set)
    assert_optimal(fs.Selection(backend="cpu", **found), call)


def test_ties_across_threads_go_to_the_lowest_index(engine: str) -> None:
    call = arguments("softmax", 1, 4, 3)
    X, P = np.repeat(call["X"], 500, axis=0), np.repeat(call["P"], 500, axis=0)
    for threads in (1, 2, 4):
        picks = fs.bait(
            X, P, batch_size=4, oversample=1, threads=threads, chunk_rows=16, backend=engine
        )
        assert picks.indices.tolist() == [0, 1, 2, 3]


def test_selections_in_several_python_threads_agree(cpu: str) -> None:
    """The GIL is released, and the BLAS limit survives overlapping selections."""
    call = arguments("softmax", 2000, 8, 4) | {"batch_size": 20, "backend": cpu}
    expected = fs.bait(**call).indices
    before = blas_threads()
    found: list[Any] = [None] * 4

    def work(place: int) -> None:
        found[place] = fs.bait(**call).indices

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for indices in found:
        np.testing.assert_array_equal(indices, expected)
    assert blas_threads() == before


def test_blas_threads_are_limited_and_restored(cpu: str) -> None:
    before = blas_threads()
    during: list[dict[str, int]] = []
    fs.bait(
        **arguments("softmax", 200, 4, 3),
        batch_size=3,
        backend=cpu,
        progress=lambda *_: during.append(blas_threads()),
    )
    assert set(during[0].values()) == {1}
    assert blas_threads() == before


def blas_threads() -> dict[str, int]:
    return {
        pool["filepath"]: pool["num_threads"]
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }


# -------------------------------------------------------------------------- interruption
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT of a subprocess is POSIX")
@pytest.mark.parametrize("wait", [0.3, 1.0, 5.0], ids="after {}s".format)
def test_ctrl_c_stops_within_a_second(wait: float, cpu: str) -> None:
    """At any stage: preparing as well as picking."""
    assert cpu
    assert_ctrl_c_stops(LONG_SELECTION, wait)


# ------------------------------------------------------------------------------ progress
def recorded_progress(**call: Any) -> dict[str, list[tuple[int, int]]]:
    """(done, total) of every call to the callback, by stage in order of appearance."""
    seen: dict[str, list[tuple[int, int]]] = {}
    latest = [""]

    def progress(stage: str, done: int, total: int) -> None:
        assert type(stage) is str
        assert type(done) is type(total) is int
        assert stage not in seen or stage == latest[0], "a stage came back"
        latest[0] = stage
        seen.setdefault(stage, []).append((done, total))

    fs.bait(**call, progress=progress)
    return seen


def test_progress_is_told_of_every_stage_to_its_end(backend: str) -> None:
    seen = recorded_progress(**arguments("softmax", 60, 4, 3), batch_size=8, backend=backend)
    assert list(seen)[-2:] == ["forward", "backward"]
    for steps in seen.values():
        done = [d for d, _ in steps]
        assert done == sorted(done)
        assert len({total for _, total in steps}) == 1
        assert 0 <= done[0] <= done[-1] <= steps[0][1]
    assert seen["forward"][-1] == (16, 16)
    assert seen["backward"][-1] == (8, 8)


def test_forward_only_has_no_backward_progress(backend: str) -> None:
    call = arguments("gaussian", 30, 4, 1) | {"batch_size": 4, "oversample": 1}
    assert list(recorded_progress(**call, backend=backend))[-1] == "forward"


@pytest.mark.parametrize("stage_to_fail", ["forward", "backward"])
def test_an_exception_in_progress_reaches_the_caller(backend: str, stage_to_fail: str) -> None:
    class StopError(Exception):
        pass

    def progress(stage: str, done: int, total: int) -> None:
        if stage == stage_to_fail:
            raise StopError(f"{done}/{total}")

    call = arguments("softmax", 60, 4, 3) | {"batch_size": 8, "backend": backend}
    with pytest.raises(StopError, match=r"^\d+/\d+$"):
        fs.bait(**call, progress=progress)
    assert len(fs.bait(**call)) == 8  # and leaves nothing behind


def test_progress_true_is_quiet_without_a_terminal(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fs.bait(**arguments("softmax", 30, 4, 3), batch_size=3, backend=backend, progress=True)
    assert capsys.readouterr() == ("", "")


def test_progress_true_counts_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    call = arguments("softmax", 30, 4, 3)
    fs.bait(**call, batch_size=3, backend="reference", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "\rforward 6/6\n" in err
    assert err.endswith("\rbackward 3/3\n")
