# SPDX-License-Identifier: Apache-2.0
"""Trace selection: one body over backends and kinds of array, judged against the reference.

Picks are compared by regret (see problems.assert_optimal): every pick must be within 1e-6 of
the reference's best at its step. Where random data leave clear gaps, the picks must be equal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from problems import KINDS, arguments, assert_optimal, features, softmax_rows

import fisher_select as fs


def assert_reference_picks(call: dict[str, Any], backend: str) -> fs.Selection:
    """Optimal, and the very picks of the reference."""
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    expected = fs.bait(**call, backend="reference")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_allclose(picks.objective, expected.objective, rtol=1e-6)
    return picks


# ------------------------------------------------------------------------------- options
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str, dtype: type, backend: str) -> None:
    call = arguments(kind, 90, 5, 3, dtype=dtype)
    assert_reference_picks(call | {"labeled": np.arange(0, 90, 9), "batch_size": 8}, backend)


@pytest.mark.parametrize("normalization", ["reference", "paper"])
@pytest.mark.parametrize("labeled", [None, [3], np.arange(20)], ids=["none", "one", "twenty"])
def test_normalizations(normalization: str, labeled: Any, backend: str) -> None:
    call = arguments("softmax", 60, 4, 3) | {"batch_size": 6, "lam": 1e-2}
    assert_reference_picks(call | {"labeled": labeled, "normalization": normalization}, backend)


@pytest.mark.parametrize("oversample", [1, 1.5, 2, 3])
@pytest.mark.parametrize("kind", ["softmax", "gaussian", "dense"])
def test_oversample(kind: str, oversample: float, backend: str) -> None:
    call = arguments(kind, 50, 4, 3) | {"batch_size": 7, "oversample": oversample}
    picks = assert_reference_picks(call, backend)
    assert picks.forward_indices is not None
    assert len(picks.forward_indices) == int(np.ceil(7 * oversample))
    if oversample == 1:
        np.testing.assert_array_equal(picks.indices, picks.forward_indices)


@pytest.mark.parametrize("kind", KINDS)
def test_identity_in_place_of_the_pool_fisher(kind: str, backend: str) -> None:
    call = arguments(kind, 40, 4, 3) | {"labeled": [1, 2], "batch_size": 5}
    assert_reference_picks(call | {"use_pool_fisher": False}, backend)


@pytest.mark.parametrize("lam", [1e-6, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "gaussian", "dense"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regularisation(kind: str, lam: float, dtype: type, backend: str) -> None:
    call = arguments(kind, 80, 4, 3, dtype=dtype)
    call |= {"labeled": [0, 40], "batch_size": 10, "lam": lam}
    assert_optimal(fs.bait(**call, backend=backend), call)


@pytest.mark.parametrize("fisher", ["binary", "block_diagonal"])
def test_two_classes_are_the_limit_of_the_cheaper_blocks(fisher: str, backend: str) -> None:
    """Two classes have one direction of weight 2 p q, and either block has p q."""
    call = arguments("softmax", 80, 5, 2) | {"labeled": [1, 7, 30], "batch_size": 6}
    full = fs.bait(**call | {"lam": 1.0}, backend=backend)
    picks = fs.bait(**call | {"fisher": fisher, "lam": 0.5}, backend=backend)
    np.testing.assert_array_equal(picks.forward_indices, full.forward_indices)
    np.testing.assert_array_equal(picks.indices, full.indices)


def test_blocks_are_the_whole_information_of_independent_labels(backend: str) -> None:
    call = arguments("sigmoid", 60, 4, 5) | {"batch_size": 5, "backend": backend}
    full, blocks = fs.bait(**call), fs.bait(**call, fisher="block_diagonal")
    np.testing.assert_array_equal(blocks.forward_indices, full.forward_indices)


# -------------------------------------------------------------------------------- shapes
@pytest.mark.parametrize("d", [1, 31, 32, 33, 129])
@pytest.mark.parametrize(("kind", "C"), [("softmax", 2), ("sigmoid", 2), ("gaussian", 1)])
def test_odd_widths(kind: str, C: int, d: int, backend: str) -> None:
    call = arguments(kind, 40, d, C) | {"labeled": [5], "batch_size": 4, "lam": 0.1}
    assert_optimal(fs.bait(**call, backend=backend), call)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 31, 32, 33, 129, 257])
@pytest.mark.parametrize("kind", ["softmax", "gaussian", "dense"])
def test_odd_pool_sizes(kind: str, n: int, backend: str) -> None:
    call = arguments(kind, n, 3, 3) | {"batch_size": max(1, min(4, n // 2))}
    assert_optimal(fs.bait(**call, backend=backend), call)


@pytest.mark.parametrize("C", [1, 2, 3, 4, 5, 8, 10, 16, 17])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "block_diagonal"])
def test_class_counts(kind: str, C: int, backend: str) -> None:
    if C == 1 and kind != "sigmoid":
        pytest.skip("softmax outputs have at least two classes")
    call = arguments(kind, 45, 3, C) | {"labeled": [0, 7], "batch_size": 5, "lam": 0.1}
    assert_optimal(fs.bait(**call, backend=backend), call)


@pytest.mark.parametrize("r", [1, 2, 3, 5, 17])
@pytest.mark.parametrize("D", [1, 7, 33])
def test_dense_ranks(r: int, D: int, backend: str) -> None:
    V = np.random.default_rng(0).standard_normal((40, D, r))
    call = {"factors": V, "labeled": [3], "batch_size": 4, "lam": 0.1}
    assert_optimal(fs.bait(**call, backend=backend), call)


@pytest.mark.parametrize("kind", ["softmax", "gaussian", "dense"])
@pytest.mark.parametrize("labeled", [None, [0, 3, 4]])
def test_batch_of_all_free_rows(kind: str, labeled: Any, backend: str) -> None:
    call = arguments(kind, 17, 4, 3) | {"labeled": labeled}
    call["batch_size"] = 17 - len(labeled or [])
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    assert sorted(picks.indices) == sorted(set(range(17)) - set(labeled or []))


def test_more_features_than_rows(backend: str) -> None:
    call = arguments("softmax", 9, 60, 3) | {"batch_size": 3, "lam": 1e-2}
    assert_optimal(fs.bait(**call, backend=backend), call)


# --------------------------------------------------------------------------- degenerate
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_ties_go_to_the_lowest_index(kind: str, dtype: type, backend: str) -> None:
    """Four copies of each row, shuffled: of the free copies the first is picked first."""
    call = arguments(kind, 12, 4, 3, dtype=dtype)
    origin = np.random.default_rng(3).permutation(np.repeat(np.arange(12), 4))
    call = {k: v[origin] if isinstance(v, np.ndarray) else v for k, v in call.items()}
    call |= {"batch_size": 10, "labeled": [2, 17]}
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    assert picks.forward_indices is not None
    waiting = {
        row: [i for i in np.flatnonzero(origin == row).tolist() if i not in call["labeled"]]
        for row in range(12)
    }
    for pick in picks.forward_indices.tolist():
        assert pick == waiting[int(origin[pick])].pop(0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_of_equal_rows_is_picked_in_order(kind: str, backend: str) -> None:
    call = arguments(kind, 1, 4, 3)
    call = {k: np.repeat(v, 40, 0) if isinstance(v, np.ndarray) else v for k, v in call.items()}
    picks = fs.bait(**call, labeled=[1], batch_size=5, oversample=1, backend=backend)
    assert picks.indices.tolist() == [0, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_of_zeros_is_picked_in_order(kind: str, backend: str) -> None:
    call = arguments(kind, 20, 4, 3)
    zeros = "factors" if kind == "dense" else "X"
    call[zeros] = np.zeros_like(call[zeros])
    picks = fs.bait(**call, batch_size=5, oversample=1, backend=backend)
    assert picks.indices.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(picks.scores, 0.0)
    np.testing.assert_array_equal(picks.objective, 0.0)


@pytest.mark.parametrize("lam", [1e-6, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_duplicated_zero_and_rank_deficient_rows(
    kind: str, lam: float, dtype: type, backend: str
) -> None:
    """Issue 2: the reference's picks by regret, or a NumericalError that names the step."""
    call = arguments(kind, 60, 6, 3, dtype=dtype)
    rows = "factors" if kind == "dense" else "X"
    array = call[rows].copy()
    array[:, 4:6] = array[:, :2] + array[:, 2:4]  # of deficient rank
    array[10:20] = array[0:10]
    array[30:36] = 0.0
    call |= {rows: array, "labeled": [0, 31, 50], "batch_size": 8, "lam": lam}
    if "P" in call:
        call["P"][10:20] = call["P"][0:10]
    try:
        picks = fs.bait(**call, backend=backend)
    except fs.NumericalError as error:
        assert error.step is not None  # noqa: PT017  # either outcome is right
    else:
        assert_optimal(picks, call)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "block_diagonal", "binary"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_of_exactly_zero_and_one(kind: str, dtype: type, backend: str) -> None:
    call = arguments(kind, 60, 4, 4, dtype=dtype)
    P = call["P"]
    P[:20] = np.eye(4)[np.arange(20) % 4]  # certain: no information
    P[20:40, 0] = 0.0
    if kind != "sigmoid":
        P[20:40] /= P[20:40].sum(axis=1, keepdims=True)
    call |= {"labeled": [0, 20, 45], "batch_size": 6}
    picks = fs.bait(**call, backend=backend)
    assert_optimal(picks, call)
    assert picks.indices.min() >= 20


def test_only_certain_predictions(backend: str) -> None:
    X = features(np.random.default_rng(0), 30, 4)
    P = np.eye(3)[np.arange(30) % 3]
    picks = fs.bait(X, P, batch_size=4, oversample=1, backend=backend)
    assert picks.indices.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(picks.scores, 0.0)


def test_saturated_predictions(backend: str) -> None:
    """Softmax of large logits: weights over forty orders of magnitude."""
    call = arguments("softmax", 80, 4, 5)
    call["P"] = softmax_rows(np.random.default_rng(5), 80, 5, spread=30.0)
    call |= {"labeled": [1], "batch_size": 8, "lam": 1e-3}
    assert_optimal(fs.bait(**call, backend=backend), call)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_scale_of_the_features(scale: float, backend: str) -> None:
    call = arguments("softmax", 60, 4, 3) | {"batch_size": 6, "lam": scale**2}
    call["X"] = call["X"] * scale
    assert_optimal(fs.bait(**call, backend=backend), call)


# --------------------------------------------------------------------------- array kinds
def strided(array: np.ndarray) -> np.ndarray:
    wide = np.zeros([2 * size for size in array.shape], dtype=array.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def backwards(array: np.ndarray) -> np.ndarray:
    every = tuple(slice(None, None, -1) for _ in array.shape)
    return np.ascontiguousarray(array[every])[every]


def tensor(array: np.ndarray) -> Any:
    return pytest.importorskip("torch").from_numpy(array.copy())


VIEWS: dict[str, Callable[[np.ndarray], Any]] = {
    "fortran": np.asfortranarray,
    "strided": strided,
    "reversed": backwards,
    "torch": tensor,
    "torch-strided": lambda a: tensor(a).transpose(0, -1).contiguous().transpose(0, -1),
    "torch-grad": lambda a: tensor(a).requires_grad_(),
    "read-only": lambda a: np.frombuffer(a.tobytes(), dtype=a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "gaussian", "dense", "binary"])
@pytest.mark.parametrize("view", VIEWS)
def test_array_kinds_give_the_same_picks(
    view: str, kind: str, dtype: type, backend: str
) -> None:
    call = arguments(kind, 40, 5, 3, dtype=dtype)
    options = {"labeled": [1, 8], "batch_size": 5, "backend": backend}
    plain = fs.bait(**call, **options)
    seen = {k: VIEWS[view](v) if isinstance(v, np.ndarray) else v for k, v in call.items()}
    picks = fs.bait(**seen, **options)
    np.testing.assert_array_equal(picks.forward_indices, plain.forward_indices)
    np.testing.assert_array_equal(picks.indices, plain.indices)
    np.testing.assert_allclose(picks.objective, plain.objective, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_mapped_pool(tmp_path: Path, dtype: type, backend: str) -> None:
    call = arguments("softmax", 50, 4, 3, dtype=dtype)
    plain = fs.bait(**call, batch_size=5, backend=backend)
    for name in ("X", "P"):
        np.save(tmp_path / f"{name}.npy", call[name])
        call[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    picks = fs.bait(**call, batch_size=5, backend=backend)
    np.testing.assert_array_equal(picks.indices, plain.indices)


def test_mixed_precisions(backend: str) -> None:
    call = arguments("softmax", 50, 4, 3) | {"batch_size": 5}
    for name in ("X", "P"):
        mixed = call | {name: call[name].astype(np.float32)}
        assert_optimal(fs.bait(**mixed, backend=backend), mixed)


def test_half_precision_and_integers(backend: str) -> None:
    call = arguments("softmax", 50, 4, 3) | {"batch_size": 5}
    half = call | {"X": call["X"].astype(np.float16), "P": call["P"].astype(np.float16)}
    assert_optimal(fs.bait(**half, backend=backend), half)
    whole = call | {"X": np.rint(4 * call["X"]).astype(np.int8)}
    assert_optimal(fs.bait(**whole, backend=backend), whole)


def test_arguments_are_left_as_they_were(backend: str) -> None:
    for kind in KINDS:
        call = arguments(kind, 30, 4, 3) | {"labeled": np.array([9, 2, 4])}
        before = {k: v.copy() for k, v in call.items() if isinstance(v, np.ndarray)}
        fs.bait(**call, batch_size=4, backend=backend)
        for name, array in before.items():
            np.testing.assert_array_equal(call[name], array)


# ---------------------------------------------------------------------------- the answer
def test_select_by_name_is_the_function(backend: str) -> None:
    call = arguments("softmax", 40, 4, 3)
    options = {"labeled": [2], "batch_size": 4, "lam": 0.5, "backend": backend}
    by_name = fs.select("bait", features=call["X"], probabilities=call["P"], **options)
    np.testing.assert_array_equal(by_name.indices, fs.bait(**call, **options).indices)


def test_report(backend: str) -> None:
    picks = fs.bait(**arguments("softmax", 40, 4, 3), batch_size=4, backend=backend)
    assert picks.backend == backend
    assert picks.stop_reason == "complete"
    assert isinstance(picks.refreshes, int)
    assert picks.refreshes >= 0
    assert isinstance(picks.max_drift, float)
    assert picks.max_drift >= 0.0
    assert picks.seconds
    assert all(isinstance(s, float) and s >= 0.0 for s in picks.seconds.values())
    assert len(picks) == 4
