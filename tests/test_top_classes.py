# SPDX-License-Identifier: Apache-2.0
"""top_classes=c: some classes apart and the others as one, by definition and on the engines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import exporters
import numpy as np
import pytest
from problems import Float64, arguments, assert_optimal, problem_of, softmax_rows
from test_shards import assert_same, sharded

import fisher_select as fs
from fisher_select import backends
from fisher_select.reference import fisher as reference
from fisher_select.reference.factors import merged_factors
from fisher_select.top_classes import class_traces, kept_outputs, largest


def subspace(C: int, classes: Any) -> Float64:
    """E [C, c + 1]: an axis for each kept class and one for all others, orthonormal."""
    others = np.setdiff1d(np.arange(C), classes)
    rest = np.zeros((C, 1))
    rest[others] = 1.0 / np.sqrt(len(others))
    return np.hstack([np.eye(C)[:, classes], rest])


def dense_factors(X: Float64, P: Float64, classes: Any) -> Float64:
    """E^T L_i (x) x_i of every row, written out."""
    C, c, d = P.shape[1], len(classes) + 1, X.shape[1]
    E = subspace(C, classes)
    V = np.empty((len(X), c * d, C))
    for i, (p, x) in enumerate(zip(P, X, strict=True)):
        V[i] = np.kron(E.T @ ((np.eye(C) - p[:, None]) * np.sqrt(p)), x[:, None])
    return V


# ---------------------------------------------------------------------------- definition
@pytest.mark.parametrize("classes", [[0], [1, 3], [0, 2, 4, 5], [0, 1, 2, 3, 4]], ids=str)
def test_the_factors_are_the_information_on_the_subspace(classes: list[int]) -> None:
    P = softmax_rows(np.random.default_rng(1), 20, 6)
    kept, merged = kept_outputs("softmax", P, np.array(classes))
    assert merged == 6 - len(classes)
    E = subspace(6, classes)
    np.testing.assert_allclose(E.T @ E, np.eye(len(classes) + 1), atol=1e-15)
    for p, L in zip(P, merged_factors(np.asarray(kept), merged), strict=True):
        expected = E.T @ (np.diag(p) - np.outer(p, p)) @ E
        np.testing.assert_allclose(L @ L.T, expected, atol=1e-15)


def test_small_rests_keep_their_digits() -> None:
    """1 less the kept probabilities would be rounding alone."""
    P = np.array([[1.0, 1e-12, 3e-12, 0.0], [1.0, 0.0, 2e-20, 2e-20]], dtype=np.float32)
    kept, merged = kept_outputs("softmax", P, np.array([0, 1]))
    assert merged == 2
    np.testing.assert_allclose(np.asarray(kept)[:, 2], [3e-12, 4e-20], rtol=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "block_diagonal"])
def test_the_kept_classes_have_the_largest_blocks_of_f(kind: str) -> None:
    call = arguments(kind, 50, 4, 7, seed=3)
    V, _, F = reference.start(problem_of(call | {"batch_size": 2, "use_pool_fisher": True}))
    assert V.shape[1] == 28
    expected = np.diag(F).reshape(7, 4).sum(axis=1)
    traces = class_traces(call["X"], call["P"]) / 50
    np.testing.assert_allclose(traces, expected, rtol=1e-12)
    problem = problem_of(call | {"batch_size": 2, "top_classes": 3})
    assert problem.classes is not None
    assert problem.classes.tolist() == sorted(np.argsort(-expected)[:3].tolist())


def test_ties_go_to_the_lowest_class() -> None:
    assert largest([1.0, 2.0, 1.0, 1.0, 2.0], 3).tolist() == [0, 1, 4]
    assert largest([1.0, 1.0, 1.0], 2).tolist() == [0, 1]


# ------------------------------------------------------------------------------- engines
@pytest.mark.parametrize("pool_fisher", [True, False])
@pytest.mark.parametrize("c", [1, 2, 4])
def test_picks_of_the_dense_factors(c: int, pool_fisher: bool, backend: str) -> None:
    """Selection by factors written out, which no merging has been near."""
    call = arguments("softmax", 60, 3, 6) | {"labeled": [4, 9, 31], "batch_size": 6}
    call |= {"lam": 0.1, "use_pool_fisher": pool_fisher}
    classes = problem_of(call | {"top_classes": c}).classes
    picks = fs.bait(**call, top_classes=c, backend=backend)
    V = dense_factors(call.pop("X"), call.pop("P"), classes)
    expected = fs.bait(**call, factors=V, backend="reference")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_allclose(picks.objective, expected.objective, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("C", "c"), [(3, 1), (5, 2), (9, 7), (30, 1), (30, 12), (30, 17)])
def test_against_the_reference(C: int, c: int, dtype: type, backend: str) -> None:
    call = arguments("softmax", 90, 3, C, dtype=dtype)
    call |= {"labeled": np.arange(0, 90, 9), "batch_size": 8, "lam": 0.1, "top_classes": c}
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    expected = fs.bait(**call, backend="reference")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(picks.indices, expected.indices)


@pytest.mark.parametrize("c", [1, 3])
@pytest.mark.parametrize("kind", ["sigmoid", "block_diagonal"])
def test_fewer_blocks(kind: str, c: int, backend: str) -> None:
    """The same as those classes' columns alone."""
    call = arguments(kind, 70, 4, 6) | {"labeled": [2, 50], "batch_size": 7}
    picks = fs.bait(**call, top_classes=c, backend=backend)
    assert_optimal(picks, call | {"top_classes": c})
    classes = problem_of(call | {"top_classes": c}).classes
    alone = call | {"P": call["P"][:, classes], "likelihood": "sigmoid", "fisher": "full"}
    expected = fs.bait(**alone, backend="reference")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(picks.indices, expected.indices)


@pytest.mark.parametrize(
    ("kind", "exact"),
    [("softmax", (5, 4)), ("block_diagonal", (5,)), ("sigmoid", (5,))],
)
def test_all_classes_are_the_whole_information(
    kind: str, exact: tuple[int, ...], backend: str
) -> None:
    call = arguments(kind, 50, 4, 5) | {"labeled": [3, 9], "batch_size": 5}
    whole = fs.bait(**call, backend=backend)
    for c in exact:
        picks = fs.bait(**call, top_classes=c, backend=backend)
        np.testing.assert_array_equal(picks.forward_indices, whole.forward_indices)
        np.testing.assert_array_equal(picks.scores, whole.scores)
    # One class fewer is another objective already.
    fewer = fs.bait(**call, top_classes=exact[-1] - 1, backend=backend)
    assert fewer.objective is not None
    assert whole.objective is not None
    assert fewer.objective[-1] < whole.objective[-1]


@pytest.mark.parametrize("C", [2, 3, 6])
def test_the_limit_is_reached_by_the_merged_class_itself(C: int, engine: str) -> None:
    """C - 1 classes and one that stands for itself: `bait` has no need of that arithmetic."""
    call = arguments("softmax", 50, 4, C) | {"labeled": [3, 9], "batch_size": 5}
    exact = fs.bait(**call, backend=engine)
    for left_out in range(C):
        classes = np.delete(np.arange(C), left_out)
        picks = backends.get(engine).trace_select(replace(problem_of(call), classes=classes))
        np.testing.assert_array_equal(picks.forward_indices, exact.forward_indices)
        np.testing.assert_array_equal(picks.indices, exact.indices)
        np.testing.assert_allclose(picks.objective, exact.objective, rtol=1e-9)


def test_certain_and_uniform_predictions(backend: str) -> None:
    """Rows whose whole mass is inside, or outside, of the kept classes."""
    call = arguments("softmax", 60, 4, 5)
    call["P"][:20] = np.eye(5)[np.arange(20) % 5]
    call["P"][20:40] = 0.2
    call |= {"labeled": [0, 20, 45], "batch_size": 6, "top_classes": 2}
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    assert picks.indices.min() >= 20


def test_threads_and_chunks_do_not_change_the_picks(engine: str) -> None:
    call = arguments("softmax", 700, 6, 9, dtype=np.float32)
    call |= {"batch_size": 10, "top_classes": 4, "backend": engine}
    one = fs.bait(**call, threads=1)
    for options in ({"threads": 2}, {"threads": 3, "chunk_rows": 17}):
        np.testing.assert_array_equal(fs.bait(**call, **options).indices, one.indices)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_log_det(kind: str, backend: str) -> None:
    call = arguments(kind, 60, 4, 6) | {"labeled": [2, 5], "batch_size": 8}
    call.pop("fisher", None)
    call |= {"gradient": "full", "top_classes": 3}
    picks = fs.max_det(**call, backend=backend)
    expected = fs.max_det(**call, backend="reference")
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_allclose(picks.objective, expected.objective, rtol=1e-6)
    np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-5)


@pytest.mark.parametrize("function", ["bait", "max_det"])
def test_ranks_keep_the_classes_of_the_whole_pool(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = arguments("softmax", 90, 4, 6) | {"batch_size": 6, "top_classes": 2}
    call["P"][:30, 2:] *= 0.01  # other classes lead on the first rank than on the others
    call["P"][30:, :2] *= 0.01
    call["P"] /= call["P"].sum(axis=1, keepdims=True)
    of_shard, of_pool = (
        problem_of(call | {"X": call["X"][:k], "P": call["P"][:k]}).classes for k in (30, 90)
    )
    assert of_shard is not None
    assert of_pool is not None
    assert of_shard.tolist() != of_pool.tolist()
    if function == "max_det":
        del call["fisher"]
        call["gradient"] = "full"
    expected = getattr(fs, function)(**call)
    assert_same(sharded(monkeypatch, [30, 2, 58], call, function), expected)


def test_ranks_with_other_classes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from fisher_select import distributed

    whole = distributed.trace_problem
    monkeypatch.setattr(
        distributed,
        "trace_problem",
        lambda x, p, **options: whole(
            x, p, **options | {"top_classes": 2 if len(x) == 20 else None}
        ),
    )
    call = arguments("softmax", 50, 4, 6) | {"batch_size": 6}
    with pytest.raises(ValueError, match=r"^top_classes and the columns .* got \[6, 0\]"):
        sharded(monkeypatch, [20, 30], call)


@pytest.mark.cuda
def test_arrays_on_a_device(export: exporters.Export) -> None:
    call = arguments("softmax", 60, 4, 6, dtype=np.float32) | {"batch_size": 5}
    expected = fs.bait(**call, top_classes=2, backend="cpu")
    call |= {name: export(call[name]) for name in ("X", "P")}
    picks = fs.bait(**call, top_classes=2)
    assert picks.backend == "cuda"
    np.testing.assert_array_equal(picks.indices, expected.indices)


def test_by_name(backend: str) -> None:
    call = arguments("softmax", 40, 4, 6)
    arrays = {"features": call["X"], "probabilities": call["P"]}
    picks = fs.select("bait", **arrays, batch_size=4, top_classes=2, backend=backend)
    expected = fs.bait(**call, batch_size=4, top_classes=2, backend=backend)
    np.testing.assert_array_equal(picks.indices, expected.indices)


# -------------------------------------------------------------------------------- plan
def test_the_plan_of_fewer_classes() -> None:
    shapes = (20_000, 16), (20_000, 64)
    whole = fs.plan(*shapes, batch_size=2)
    kept = fs.plan(*shapes, batch_size=2, top_classes=9)
    assert kept.mode == "top_classes=9"
    assert kept.parameters == 9 * 16
    assert kept.memory["matrices"] == 4 * 8 * (9 * 16) ** 2
    assert kept.memory["outputs"] == 20_000 * 10 * 4
    assert kept.bytes < whole.bytes / 10
    for c in (63, 64):
        assert fs.plan(*shapes, batch_size=2, top_classes=c).memory == whole.memory
    blocks = fs.plan(*shapes, batch_size=2, top_classes=9, fisher="block_diagonal")
    assert blocks.mode == "fisher='block_diagonal', top_classes=9"
    assert blocks.parameters == 9 * 16
    limited = fs.plan(*shapes, batch_size=2, top_classes=9, memory_limit=kept.bytes - 1)
    assert limited.nearest is not None
    assert limited.nearest.mode == "top_classes=4"


def test_a_limit_is_checked_before_outputs_are_copied(cpu: str) -> None:
    call = arguments("softmax", 500, 6, 12, dtype=np.float32)
    call |= {"batch_size": 3, "top_classes": 4, "threads": 1}
    need = fs.plan(**call).bytes
    fs.bait(**call, memory_limit=need, backend=cpu)
    with pytest.raises(MemoryError, match=r"outputs 10 kB.*; top_classes=2 needs"):
        fs.bait(**call, memory_limit=need - 1, backend=cpu)


# ----------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "^top_classes must be at least 1, got 0$"),
        (2.5, TypeError, "^top_classes must be an integer, got float 2.5$"),
        (True, TypeError, "^top_classes must be an integer, got a bool"),
        (6, ValueError, "^top_classes must be at most the number of classes, 5 columns .* 6$"),
    ],
)
def test_wrong_numbers(value: Any, error: type, message: str) -> None:
    call = arguments("softmax", 20, 3, 5)
    with pytest.raises(error, match=message):
        fs.bait(**call, batch_size=2, top_classes=value)
    with pytest.raises(error, match=message):
        fs.plan(call["X"], call["P"], batch_size=2, top_classes=value)


@pytest.mark.parametrize("kind", ["gaussian", "dense", "binary"])
def test_kinds_without_classes_to_leave_out(kind: str) -> None:
    with pytest.raises(
        ValueError, match=f"^top_classes must be None .* kind '{kind}' .* got 1$"
    ):
        fs.bait(**arguments(kind, 20, 3, 4), batch_size=2, top_classes=1)


def test_not_with_rank_nor_with_one_gradient() -> None:
    call = arguments("softmax", 20, 3, 5)
    with pytest.raises(
        ValueError, match=r"^top_classes must be None with rank.* 3 and rank 2$"
    ):
        fs.bait(**call, batch_size=2, rank=2, top_classes=3)
    with pytest.raises(ValueError, match=r"^top_classes must be None with gradient='rank_one'"):
        fs.max_det(call["X"], call["P"], batch_size=2, top_classes=2)
