# SPDX-License-Identifier: Apache-2.0
"""rank=r: the leading columns of L, against their definition, and the engines against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import Float64, arguments, assert_optimal, problem_of, softmax_rows

import fisher_select as fs
from fisher_select import backends
from fisher_select.reference import fisher as reference
from fisher_select.reference.factors import leading_columns


def information(p: Float64) -> Float64:
    return np.diag(p) - np.outer(p, p)


def all_columns(p: Float64) -> Float64:
    """L reflected so that its null column vanishes, by the reflection itself; [C, C - 1]."""
    C, k = len(p), int(np.argmax(p))
    L = (np.eye(C) - p[:, None]) * np.sqrt(p)
    normal = np.sqrt(p) + np.eye(C)[k]
    reflected = L - 2.0 * np.outer(L @ normal, normal) / (normal @ normal)
    np.testing.assert_allclose(reflected[:, k], 0.0, atol=1e-15)
    return np.delete(reflected, k, axis=1)


# ---------------------------------------------------------------------------- definition
@pytest.mark.parametrize("C", [3, 4, 7, 20])
@pytest.mark.parametrize("spread", [0.3, 1.5, 10.0])
def test_the_leading_columns_are_those_of_largest_norm(C: int, spread: float) -> None:
    P = softmax_rows(np.random.default_rng(C), 30, C, spread)
    for rank in range(1, C):
        for p, kept in zip(P, leading_columns(P, rank), strict=True):
            L = all_columns(p)
            largest = np.argsort(-np.square(L).sum(axis=0), kind="stable")[:rank]
            np.testing.assert_allclose(
                kept @ kept.T, L[:, largest] @ L[:, largest].T, atol=1e-14
            )


def test_what_is_left_out_is_positive_and_shrinks_to_nothing() -> None:
    P = softmax_rows(np.random.default_rng(0), 40, 6)
    left = []
    for rank in range(1, 6):
        L = leading_columns(P, rank)
        rest = np.stack([information(p) for p in P]) - L @ L.transpose(0, 2, 1)
        assert np.linalg.eigvalsh(rest).min() > -1e-15
        left.append(np.trace(rest, axis1=1, axis2=2))
    assert np.all(np.diff(left, axis=0) < 0.0)
    np.testing.assert_allclose(left[-1], 0.0, atol=1e-15)


def test_ties_go_to_the_lowest_class() -> None:
    kept = leading_columns(np.array([[0.2, 0.2, 0.2, 0.2, 0.2], [0.1, 0.4, 0.1, 0.3, 0.1]]), 2)
    assert np.argmax(kept[0], axis=0).tolist() == [1, 2]
    assert np.argmax(kept[1], axis=0).tolist() == [3, 0]


def test_only_candidates_are_truncated() -> None:
    call = arguments("softmax", 30, 3, 5) | {"labeled": [1, 2], "batch_size": 3}
    V, M, F = reference.start(problem_of(call))
    kept, M_rank, F_rank = reference.start(problem_of(call | {"rank": 2}))
    assert V.shape == (30, 15, 5)
    assert kept.shape == (30, 15, 2)
    np.testing.assert_array_equal(M_rank, M)
    np.testing.assert_array_equal(F_rank, F)


# ------------------------------------------------------------------------------- engines
def check(call: dict[str, Any], backend: str) -> fs.Selection:
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    expected = fs.bait(**call, backend="reference")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(picks.indices, expected.indices)
    return picks


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("C", "rank"), [(3, 1), (5, 2), (8, 3), (17, 1), (17, 12), (17, 15)])
def test_against_the_reference(C: int, rank: int, dtype: type, backend: str) -> None:
    call = arguments("softmax", 90, 3, C, dtype=dtype)
    call |= {"labeled": np.arange(0, 90, 9), "batch_size": 8, "lam": 0.1, "rank": rank}
    picks = check(call, backend)
    whole = fs.bait(**call | {"rank": None}, backend="reference")
    assert picks.objective[-1] > whole.objective[-1]  # type: ignore[index]


@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 257])
@pytest.mark.parametrize("d", [1, 32, 33])
def test_odd_shapes(n: int, d: int, backend: str) -> None:
    call = arguments("softmax", n, d, 4) | {"batch_size": max(1, min(4, n // 2)), "rank": 2}
    assert_optimal(fs.bait(**call, backend=backend), call)


def test_identity_in_place_of_the_pool_fisher(backend: str) -> None:
    call = arguments("softmax", 40, 4, 5) | {"labeled": [1, 2], "batch_size": 5, "rank": 2}
    check(call | {"use_pool_fisher": False}, backend)


@pytest.mark.parametrize("rank", [1, 3])
def test_certain_and_uniform_predictions(rank: int, backend: str) -> None:
    """Classes that tie, and rows that carry no information."""
    call = arguments("softmax", 60, 4, 5)
    call["P"][:20] = np.eye(5)[np.arange(20) % 5]
    call["P"][20:40] = 0.2
    call |= {"labeled": [0, 20, 45], "batch_size": 6, "rank": rank}
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    assert picks.indices.min() >= 20


@pytest.mark.parametrize("C", [2, 3, 6])
def test_all_columns_are_the_whole_information(C: int, backend: str) -> None:
    call = arguments("softmax", 50, 4, C) | {"labeled": [3, 9], "batch_size": 5}
    exact = fs.bait(**call, backend=backend)
    for rank in (C, C - 1):
        picks = fs.bait(**call, rank=rank, backend=backend)
        np.testing.assert_array_equal(picks.forward_indices, exact.forward_indices)
        np.testing.assert_array_equal(picks.scores, exact.scores)


@pytest.mark.parametrize("C", [2, 3, 6])
def test_the_limit_is_reached_by_the_columns_themselves(C: int, engine: str) -> None:
    """C - 1 columns by the arithmetic of truncated factors, which `bait` has no need of."""
    call = arguments("softmax", 50, 4, C) | {"labeled": [3, 9], "batch_size": 5}
    exact = fs.bait(**call, backend=engine)
    picks = backends.get(engine).trace_select(replace(problem_of(call), rank=C - 1))
    np.testing.assert_array_equal(picks.forward_indices, exact.forward_indices)
    np.testing.assert_array_equal(picks.indices, exact.indices)
    np.testing.assert_allclose(picks.objective, exact.objective, rtol=1e-9)


def test_threads_and_chunks_do_not_change_the_picks(engine: str) -> None:
    call = arguments("softmax", 700, 6, 9, dtype=np.float32)
    call |= {"batch_size": 10, "rank": 4, "backend": engine}
    one = fs.bait(**call, threads=1)
    for options in ({"threads": 2}, {"threads": 3, "chunk_rows": 17}):
        np.testing.assert_array_equal(fs.bait(**call, **options).indices, one.indices)


@pytest.mark.parametrize("rank", [1, 3])
def test_log_det(rank: int, backend: str) -> None:
    call = arguments("softmax", 60, 4, 6) | {"labeled": [2, 5], "batch_size": 8}
    call.pop("fisher")
    picks = fs.max_det(**call, gradient="full", rank=rank, backend=backend)
    expected = fs.max_det(**call, gradient="full", rank=rank, backend="reference")
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_allclose(picks.objective, expected.objective, rtol=1e-6)
    np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-5)


def test_by_name(backend: str) -> None:
    call = arguments("softmax", 40, 4, 6)
    arrays = {"features": call["X"], "probabilities": call["P"]}
    picks = fs.select("bait", **arrays, batch_size=4, rank=2, backend=backend)
    expected = fs.bait(**call, batch_size=4, rank=2, backend=backend)
    np.testing.assert_array_equal(picks.indices, expected.indices)


# ----------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("rank", "error", "message"),
    [
        (0, ValueError, "^rank must be at least 1, got 0$"),
        (-2, ValueError, "^rank must be at least 1, got -2$"),
        (2.5, TypeError, "^rank must be an integer, got float 2.5$"),
        (True, TypeError, "^rank must be an integer, got a bool"),
        ("2", TypeError, "^rank must be an integer, got str '2'$"),
        (6, ValueError, "^rank must be at most the number of classes, 5 columns of .*; got 6$"),
    ],
)
def test_wrong_ranks(rank: Any, error: type, message: str) -> None:
    call = arguments("softmax", 20, 3, 5)
    with pytest.raises(error, match=message):
        fs.bait(**call, batch_size=2, rank=rank)


@pytest.mark.parametrize("kind", ["sigmoid", "gaussian", "dense", "block_diagonal", "binary"])
def test_other_factors_have_no_columns_to_leave_out(kind: str) -> None:
    with pytest.raises(ValueError, match=f"^rank must be None .* kind '{kind}' .*; got 1$"):
        fs.bait(**arguments(kind, 20, 3, 4), batch_size=2, rank=1)


def test_a_gradient_has_one_column() -> None:
    call = arguments("softmax", 20, 3, 5)
    with pytest.raises(ValueError, match=r"^rank must be None with gradient='rank_one'"):
        fs.max_det(call["X"], call["P"], batch_size=2, rank=1)
