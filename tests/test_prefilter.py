# SPDX-License-Identifier: Apache-2.0
"""prefilter=k: picks from the rows with the largest first gains, F of the whole pool."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import exporters
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from problems import KINDS, arguments, assert_optimal, features, problem_of, softmax_rows

import fisher_select as fs
from fisher_select.reference import fisher as reference

# Selects from a mapped file and prints the memory of its own that it took, and pages of files.
_CHILD = """
import json, sys
import numpy as np
from peak_memory import PeakMemory
import fisher_select as fs

X = np.load(sys.argv[1], mmap_mode="r")[: int(sys.argv[2])]
P = np.load(sys.argv[1].replace("X", "P"))[: len(X)]
options = {"batch_size": 4, "backend": "cpu", "threads": 1}
fs.bait(X[:64], P[:64], **options)
with PeakMemory("Anon", "File") as peak:
    fs.bait(X, P, prefilter=int(sys.argv[3]) or None, **options)
print(json.dumps(peak.mb))
"""


def by_brute_force(call: dict[str, Any], prefilter: int) -> tuple[list[int], list[int]]:
    """Forward picks and survivors among the best rows, with no help of the option's own."""
    problem = problem_of(call)
    V, M, F = reference.start(problem)
    gain = reference.gains(V, reference.inverse_root(M, 0), F)
    gain[problem.labeled] = -np.inf
    allowed = sorted(range(len(gain)), key=lambda i: (-gain[i], i))[:prefilter]
    picks: list[int] = []
    for _ in range(problem.forward_count):
        gain = reference.gains(V, reference.inverse_root(M, 0), F)
        best = max((i for i in allowed if i not in picks), key=lambda i: (gain[i], -i))
        picks.append(best)
        M = M + V[best] @ V[best].T
    kept, _ = reference.backward(problem, V, M, F, picks)
    return picks, kept


# --------------------------------------------------------------------------------- picks
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_against_brute_force(kind: str, dtype: type, backend: str) -> None:
    call = arguments(kind, 90, 4, 3, dtype=dtype)
    call |= {"labeled": np.arange(0, 90, 9), "batch_size": 6, "lam": 0.1}
    for prefilter in (12, 13, 40):
        picks = fs.bait(**call, prefilter=prefilter, backend=backend)
        assert_optimal(picks, call | {"prefilter": prefilter})
        forward, kept = by_brute_force(call, prefilter)
        assert picks.forward_indices is not None
        assert picks.forward_indices.tolist() == forward
        assert picks.indices.tolist() == kept


@pytest.mark.parametrize(
    "options",
    [
        {"use_pool_fisher": False},
        {"normalization": "paper", "lam": 1e-3},
        {"oversample": 1.0},
        {"rank": 2},
        {"top_classes": 2},
    ],
    ids=str,
)
def test_with_other_options(options: dict[str, Any], backend: str) -> None:
    call = arguments("softmax", 80, 4, 5) | {"labeled": [1, 2], "batch_size": 5} | options
    picks = fs.bait(**call, prefilter=15, backend=backend)
    assert_optimal(picks, call | {"prefilter": 15})
    forward, kept = by_brute_force(call, 15)
    assert picks.forward_indices is not None
    assert picks.forward_indices.tolist() == forward
    assert picks.indices.tolist() == kept


def test_fewer_candidates_are_another_selection(backend: str) -> None:
    call = arguments("softmax", 200, 5, 3) | {"batch_size": 10, "lam": 0.01}
    whole = fs.bait(**call, backend=backend)
    picks = fs.bait(**call, prefilter=20, backend=backend)
    assert set(picks.forward_indices.tolist()) != set(whole.forward_indices.tolist())  # type: ignore[union-attr]
    assert picks.objective[19] > whole.objective[19]  # type: ignore[index]


@pytest.mark.parametrize("kind", ["softmax", "gaussian", "dense"])
def test_all_rows_are_exact(kind: str, backend: str) -> None:
    call = arguments(kind, 60, 4, 3) | {"labeled": [5, 7, 40], "batch_size": 6}
    exact = fs.bait(**call, backend=backend)
    for prefilter in (57, 60, 1000):
        picks = fs.bait(**call, prefilter=prefilter, backend=backend)
        np.testing.assert_array_equal(picks.forward_indices, exact.forward_indices)
        np.testing.assert_array_equal(picks.indices, exact.indices)
        np.testing.assert_array_equal(picks.objective, exact.objective)
    # All but one go the other way, by slices and copies, and that one is no pick.
    picks = fs.bait(**call, prefilter=56, backend=backend)
    np.testing.assert_array_equal(picks.forward_indices, exact.forward_indices)
    np.testing.assert_allclose(picks.objective, exact.objective, rtol=1e-9)


@hypothesis.given(seed=st.integers(0, 10**6), copies=st.integers(2, 6), kept=st.integers(3, 20))
@hypothesis.settings(max_examples=25, deadline=None)
def test_ties_go_to_the_lowest_row(seed: int, copies: int, kept: int) -> None:
    """Every row comes several times: which of equals is kept decides what is picked."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.repeat(np.arange(40), copies))
    call = {"X": features(rng, 40, 6)[rows], "P": softmax_rows(rng, 40, 3)[rows]}
    call |= {"batch_size": 3, "oversample": 1.0, "prefilter": kept}
    found = fs.bait(**call, backend="cpu")
    expected = fs.bait(**call, backend="reference")
    np.testing.assert_array_equal(found.indices, expected.indices)


def test_threads_and_chunks_do_not_change_the_picks(engine: str) -> None:
    call = arguments("softmax", 900, 6, 4, dtype=np.float32)
    call |= {"batch_size": 10, "prefilter": 33, "backend": engine}
    one = fs.bait(**call, threads=1)
    for options in ({"threads": 2}, {"threads": 3, "chunk_rows": 17}):
        np.testing.assert_array_equal(fs.bait(**call, **options).indices, one.indices)


def test_gains_too_small_for_float32(engine: str) -> None:
    call = arguments("gaussian", 200, 4, 1) | {"batch_size": 5, "prefilter": 14}
    call["X"] *= 1e-13
    picks = fs.bait(**call, backend=engine)
    assert 0.0 < picks.scores[0] < np.finfo(np.float32).smallest_subnormal
    expected = fs.bait(**call, backend="reference")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)


def test_a_mapped_pool(tmp_path: Path, cpu: str) -> None:
    call = arguments("softmax", 3_000, 9, 4, dtype=np.float32) | {"backend": cpu}
    call |= {"batch_size": 8, "prefilter": 200}
    expected = fs.bait(**call)
    np.save(tmp_path / "X.npy", call["X"])
    for mode in ("r", "c"):
        picks = fs.bait(**call | {"X": np.load(tmp_path / "X.npy", mmap_mode=mode)})
        np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
        np.testing.assert_array_equal(picks.scores, expected.scores)


def test_a_pool_of_many_slices(cpu: str) -> None:
    """A slice has 64 MB of state: here 8,000 rows of 1,000 values each."""
    call = arguments("block_diagonal", 20_000, 3, 330, dtype=np.float32)
    call |= {"batch_size": 4, "labeled": np.arange(0, 20_000, 7), "backend": cpu}
    stages: list[tuple[str, int, int]] = []
    picks = fs.bait(**call, prefilter=50, progress=lambda *seen: stages.append(seen))
    seen = [done for stage, done, _ in stages if stage == "prefilter"]
    assert seen[0] == 0
    assert seen[-1] == 20_000
    assert set(seen) <= {0, 8_464, 16_928, 20_000}  # a quick one's progress may be left out
    gains = _first_gains(call["X"], call["P"], call["labeled"], call["batch_size"])
    assert np.all(gains[picks.forward_indices] >= np.sort(gains)[-50] * (1 - 1e-6))
    assert picks.forward_indices[0] == np.argmax(gains)  # type: ignore[index]


def _first_gains(X: Any, P: Any, labeled: Any, batch: int) -> Any:
    """tr(H (1 + G)^-1) of one block a class at M_0, labelled rows at minus infinity."""
    X, P = X.astype(np.float64), P.astype(np.float64)
    weights, m = P * (1.0 - P), len(labeled)
    scale, gains = batch / (m + batch), np.zeros(len(X))
    for w in weights.T:
        F = (X * w[:, None]).T @ X / len(X)
        known = (X[labeled] * w[labeled, None]).T @ X[labeled] / m
        Q = np.linalg.inv(np.eye(X.shape[1]) + m / (m + batch) * known)
        G = scale * w * np.einsum("ni,ij,nj->n", X, Q, X)
        gains += scale * w * np.einsum("ni,ij,nj->n", X, Q @ F @ Q, X) / (1.0 + G)
    gains[labeled] = -np.inf
    return gains


@pytest.mark.parametrize("kind", ["softmax", "dense"])
def test_any_strides(kind: str, backend: str) -> None:
    """Rows are gathered out of views that run backwards, and across memory."""
    call = arguments(kind, 120, 4, 3) | {"batch_size": 4}
    name = "factors" if kind == "dense" else "X"
    whole = call[name]
    call[name] = np.asfortranarray(whole)[::-2]
    if "P" in call:
        call["P"] = call["P"][::-2]
    picks = fs.bait(**call, prefilter=11, backend=backend)
    call[name] = np.ascontiguousarray(call[name])
    expected = fs.bait(**call, prefilter=11, backend="reference")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)


@pytest.mark.cuda
def test_arrays_on_a_device(export: exporters.Export) -> None:
    call = arguments("softmax", 60, 4, 4, dtype=np.float32) | {"batch_size": 5}
    expected = fs.bait(**call, prefilter=13, backend="cpu")
    call |= {name: export(call[name]) for name in ("X", "P")}
    picks = fs.bait(**call, prefilter=13)
    assert picks.backend == "cuda"
    np.testing.assert_array_equal(picks.indices, expected.indices)


# -------------------------------------------------------------------------------- memory
@pytest.mark.slow
@pytest.mark.usefixtures("cpu")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_depend_on_the_pool(tmp_path: Path) -> None:
    n, d, C = 160_000, 16, 16
    rng = np.random.default_rng(0)
    np.save(tmp_path / "P.npy", softmax_rows(rng, n, C).astype(np.float32))
    np.save(tmp_path / "X.npy", rng.standard_normal((n, d), dtype=np.float32))

    def held(rows: int, prefilter: int) -> float:
        words = [sys.executable, "-c", _CHILD, str(tmp_path / "X.npy"), str(rows)]
        run = subprocess.run(
            [*words, str(prefilter)], capture_output=True, text=True, check=True
        )
        return float(json.loads(run.stdout))

    half, whole = held(n // 2, 2_000), held(n, 2_000)
    assert whole < half + 16
    state = 4 * n * (2 * 120 + 2 * 15) / 2**20
    assert whole < state
    assert held(n, 0) > state


def test_the_plan_of_a_prefilter() -> None:
    shapes = (400_000, 64), (400_000, 10)
    half = fs.plan((200_000, 64), (200_000, 10), batch_size=20, prefilter=5_000)
    kept = fs.plan(*shapes, batch_size=20, prefilter=5_000)
    whole = fs.plan(*shapes, batch_size=20)
    assert kept.memory == half.memory
    assert kept.bytes < whole.bytes / 2
    assert kept.seconds["forward"] < whole.seconds["forward"] / 20
    assert kept.seconds["fisher"] == whole.seconds["fisher"]
    assert fs.plan(*shapes, batch_size=20, prefilter=400_000).memory == whole.memory


# ----------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "^prefilter must be at least 1, got 0$"),
        (2.5, TypeError, "^prefilter must be an integer, got float 2.5$"),
        (True, TypeError, "^prefilter must be an integer, got a bool"),
        (3, ValueError, r"^prefilter must leave rows for all forward picks, 4 .*, got 3$"),
    ],
)
def test_wrong_numbers(value: Any, error: type, message: str) -> None:
    call = arguments("softmax", 20, 3, 5)
    with pytest.raises(error, match=message):
        fs.bait(**call, batch_size=2, prefilter=value)
    with pytest.raises(error, match=message):
        fs.plan(call["X"], call["P"], batch_size=2, prefilter=value)


def test_it_is_for_one_process() -> None:
    from fisher_select import cli_ranks, strategies  # typer may be missing where engines run

    strategy = strategies.get("bait", prefilter=5)
    with pytest.raises(ValueError, match=r"^prefilter must not be given under torchrun"):
        cli_ranks.select("bait", strategy, {}, None, 2, None)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gains_that_overflow(backend: str) -> None:
    call = {"X": np.full((30, 2), 1e200), "likelihood": "gaussian", "batch_size": 2}
    with pytest.raises(fs.NumericalError):
        fs.bait(**call, prefilter=5, backend=backend)
