# SPDX-License-Identifier: Apache-2.0
"""Log-determinant greedy: golden picks, the engine against the reference, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from problems import arguments, softmax_rows

import fisher_select as fs
from fisher_select.reference import fisher as reference
from fisher_select.reference.determinant import log_det_gains

CASES = [("rank_one", "softmax"), ("full", "softmax"), ("full", "sigmoid")]


def replay(call: dict[str, Any], kind: str, picks: fs.Selection) -> None:
    """Every pick within 1e-6 of the best gain at its step; gains and objective as fresh."""
    V = reference.factors_of(kind, call.get("X"), call.get("P"), call.get("factors"))
    labeled = np.asarray(call.get("labeled", []), dtype=int)
    M = call["lam"] * np.eye(V.shape[1]) + np.einsum("nir,njr->ij", V[labeled], V[labeled])
    free = np.ones(len(V), dtype=bool)
    free[labeled] = False
    assert picks.objective is not None
    for step, pick in enumerate(picks.indices.tolist()):
        gain = np.where(free, log_det_gains(V, reference.inverse_root(M, step)), -np.inf)
        assert gain.max() - gain[pick] <= 1e-6 * gain.max()
        assert picks.scores[step] == pytest.approx(gain[pick], rel=1e-6)
        M = M + V[pick] @ V[pick].T
        free[pick] = False
        assert picks.objective[step] == pytest.approx(np.linalg.slogdet(M)[1], rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("gradient", ["rank_one", "full"])
def test_golden(gradient: str, dtype: type, backend: str, shared_golden: Path) -> None:
    name = "maxdet_rank_one" if gradient == "rank_one" else "maxdet_full_rank"
    with np.load(shared_golden / f"{name}.npz") as golden:
        picks = fs.max_det(
            golden["X"].astype(dtype),
            golden["P"].astype(dtype),
            labeled=golden["labeled"],
            batch_size=int(golden["batch"]),
            lam=float(golden["lam"]),
            gradient=gradient,
            backend=backend,
        )
        np.testing.assert_array_equal(picks.indices, golden["kept"])


@pytest.mark.parametrize(("n", "d", "C"), [(31, 3, 2), (33, 1, 4), (64, 33, 3), (40, 3, 17)])
@pytest.mark.parametrize(("gradient", "kind"), CASES)
def test_against_the_reference(
    gradient: str, kind: str, n: int, d: int, C: int, backend: str
) -> None:
    call = arguments(kind, n, d, C) | {"labeled": [0, 7], "batch_size": 6, "lam": 0.1}
    call.pop("fisher", None)
    picks = fs.max_det(**call, gradient=gradient, backend=backend)
    replay(call, "gradient" if gradient == "rank_one" else kind, picks)


def test_dense_and_regression(backend: str) -> None:
    rng = np.random.default_rng(0)
    dense = {"factors": rng.standard_normal((50, 12, 3)), "batch_size": 9, "lam": 0.01}
    replay(dense, "dense", fs.max_det(**dense, gradient="full", backend=backend))
    line = {"X": rng.standard_normal((90, 12)), "batch_size": 40, "lam": 1e-4}
    picks = fs.max_det(**line, gradient="full", likelihood="gaussian", backend=backend)
    replay(line, "gaussian", picks)


def test_ties_go_to_the_lowest_index(backend: str) -> None:
    X = np.repeat(np.random.default_rng(1).standard_normal((5, 4)), 20, axis=0)
    P = np.repeat(softmax_rows(np.random.default_rng(2), 5, 3), 20, axis=0)
    picks = fs.max_det(X, P, batch_size=12, gradient="full", backend=backend)
    taken: set[int] = set()
    for pick in picks.indices.tolist():  # equal rows 20 g ... 20 g + 19
        assert set(range(pick // 20 * 20, pick)) <= taken
        taken.add(pick)


@pytest.mark.parametrize("gradient", ["rank_one", "full"])
def test_threads_and_chunks_do_not_matter(gradient: str) -> None:
    pytest.importorskip("fisher_select._core")
    call = arguments("softmax", 12_000, 40, 4) | {"labeled": [5], "batch_size": 25}
    call.pop("fisher")
    expected = fs.max_det(**call, gradient=gradient, threads=1)
    for threads, chunk_rows in [(2, None), (4, 7), (1, 64)]:
        picks = fs.max_det(**call, gradient=gradient, threads=threads, chunk_rows=chunk_rows)
        np.testing.assert_array_equal(picks.indices, expected.indices)
        np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-12)


def test_more_picks_than_parameters(backend: str) -> None:
    """Gains fall by orders of magnitude once every direction is covered."""
    call = arguments("softmax", 60, 2, 3) | {"batch_size": 60, "lam": 1e-6}
    call.pop("fisher")
    replay(call, "softmax", fs.max_det(**call, gradient="full", backend=backend))


def test_bad_input() -> None:
    X, P = np.ones((4, 2)), np.full((4, 2), 0.5)
    with pytest.raises(ValueError, match="gradient must be one of"):
        fs.max_det(X, P, batch_size=1, gradient="rank_two")
    with pytest.raises(ValueError, match="pass gradient='full' with likelihood='gaussian'"):
        fs.max_det(X, batch_size=1, likelihood="gaussian")
    with pytest.raises(ValueError, match="batch_size"):
        fs.max_det(X, P, batch_size=5)
    with pytest.raises(ValueError, match="lam must be greater than 0"):
        fs.max_det(X, P, batch_size=1, lam=0.0)


def test_ablations_by_name() -> None:
    pytest.importorskip("fisher_select._core")
    call = arguments("softmax", 80, 4, 3)
    arrays = {"features": call["X"], "probabilities": call["P"], "batch_size": 5}
    full = fs.max_det(call["X"], call["P"], batch_size=5, gradient="full")
    expected = {
        "bait_forward": fs.bait(call["X"], call["P"], batch_size=5, oversample=1.0),
        "bait_no_pool": fs.bait(call["X"], call["P"], batch_size=5, use_pool_fisher=False),
        "max_det": fs.max_det(call["X"], call["P"], batch_size=5),
        "max_det_full": full,
    }
    for name, selection in expected.items():
        np.testing.assert_array_equal(fs.select(name, **arrays).indices, selection.indices)
