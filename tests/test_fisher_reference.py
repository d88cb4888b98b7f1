# SPDX-License-Identifier: Apache-2.0
"""The specification against brute force: every quantity recomputed from its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import KINDS, arguments, problem_of, softmax_rows

import fisher_select as fs
from fisher_select.reference import fisher as reference
from fisher_select.reference.factors import softmax_factors

N, D_FEATURES, CLASSES = 12, 3, 4


def logits_fisher(kind: str, p: np.ndarray) -> np.ndarray:
    """Fisher information of one sample's logits, from the definition."""
    if kind == "softmax":  # E over y of the score's outer product
        score = np.eye(len(p)) - p  # row y: d log p_y / d logits
        return np.einsum("y,ya,yb->ab", p, score, score)
    if kind == "binary":
        q = p.max()
        return np.array([[q * (1.0 - q)]])
    return np.diag(p * (1.0 - p))  # sigmoid, block_diagonal


def sample_information(call: dict[str, Any], kind: str) -> np.ndarray:
    """I(x_i) [n, D, D] without any factor."""
    if kind == "dense":
        return np.stack([v @ v.T for v in call["factors"]])
    if kind == "gaussian":
        return np.stack([np.outer(x, x) for x in call["X"]])
    pairs = zip(call["X"], call["P"], strict=True)
    return np.stack([np.kron(logits_fisher(kind, p), np.outer(x, x)) for x, p in pairs])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def call(kind: str) -> dict[str, Any]:
    options = {"labeled": [2, 5, 6], "batch_size": 3, "lam": 0.3}
    return arguments(kind, N, D_FEATURES, CLASSES) | options


def test_factors_give_the_information(call: dict[str, Any], kind: str) -> None:
    V = reference.pool_factors(problem_of(call))
    np.testing.assert_allclose(
        V @ V.transpose(0, 2, 1), sample_information(call, kind), atol=1e-14
    )


@pytest.mark.parametrize("normalization", ["reference", "paper"])
def test_start(call: dict[str, Any], kind: str, normalization: str) -> None:
    information = sample_information(call, kind)
    V, M, F = reference.start(problem_of(call | {"normalization": normalization}))
    shrink, scale = (3 / 6, np.sqrt(3 / 6)) if normalization == "reference" else (1.0, 1.0)
    labelled = information[call["labeled"]].mean(axis=0)
    np.testing.assert_allclose(F, information.mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(M, 0.3 * np.eye(len(F)) + shrink * labelled, atol=1e-14)
    np.testing.assert_allclose(
        V @ V.transpose(0, 2, 1), scale**2 * information, atol=1e-14, rtol=1e-12
    )


def test_start_with_nothing_labelled_and_without_pool_fisher(kind: str) -> None:
    call = arguments(kind, N, D_FEATURES, CLASSES) | {"batch_size": 3, "lam": 0.3}
    unscaled = reference.pool_factors(problem_of(call))
    V, M, F = reference.start(problem_of(call | {"use_pool_fisher": False}))
    np.testing.assert_array_equal(V, unscaled)
    np.testing.assert_array_equal(M, 0.3 * np.eye(V.shape[1]))
    np.testing.assert_array_equal(F, np.eye(V.shape[1]))


def test_objective_gains_and_losses_are_differences_of_the_trace(call: dict[str, Any]) -> None:
    V, M, F = reference.start(problem_of(call))

    def trace(M: np.ndarray) -> float:
        return float(np.trace(np.linalg.inv(M) @ F))

    R = reference.inverse_root(M, step=0)
    assert reference.objective(R, F) == pytest.approx(trace(M), rel=1e-12)
    np.testing.assert_allclose(
        reference.gains(V, R, F), [trace(M) - trace(M + v @ v.T) for v in V], rtol=1e-10
    )
    everything = M + len(V) * reference.fisher_matrix(V)
    np.testing.assert_allclose(
        reference.losses(V, reference.inverse_root(everything, step=0), F),
        [trace(everything - v @ v.T) - trace(everything) for v in V],
        rtol=1e-10,
    )


def test_greedy_picks_the_best_addition_and_removal(call: dict[str, Any], kind: str) -> None:
    """Whole selection by brute force over the definition's matrices."""
    information = sample_information(call, kind)
    F = information.mean(axis=0)
    M = 0.3 * np.eye(len(F)) + 0.5 * information[call["labeled"]].mean(axis=0)
    information = 0.5 * information

    def after(sign: int, i: int) -> float:
        return float(np.trace(np.linalg.inv(M + sign * information[i]) @ F))

    free = [i for i in range(N) if i not in call["labeled"]]
    forward: list[int] = []
    path: list[float] = []
    for _ in range(6):
        value, pick = min((after(1, i), i) for i in free if i not in forward)
        forward.append(pick)
        path.append(value)
        M = M + information[pick]
    kept = list(forward)
    for _ in range(3):
        value, pick = min((after(-1, i), i) for i in kept)
        kept.remove(pick)
        path.append(value)
        M = M - information[pick]

    picks = fs.bait(**call, backend="reference")
    assert picks.forward_indices is not None
    assert picks.forward_indices.tolist() == forward
    assert picks.indices.tolist() == kept
    np.testing.assert_allclose(picks.objective, path, rtol=1e-10)


def test_scores_are_the_gains_when_picked(call: dict[str, Any]) -> None:
    picks = fs.bait(**call, backend="reference")
    _, M, F = reference.start(problem_of(call))
    before = reference.objective(reference.inverse_root(M, 0), F)
    assert picks.objective is not None
    assert picks.forward_indices is not None
    falls = -np.diff(picks.objective[:6], prepend=before)
    places = [picks.forward_indices.tolist().index(i) for i in picks.indices]
    np.testing.assert_allclose(picks.scores, falls[places], rtol=1e-9)


def test_regret_is_zero_for_its_own_picks(call: dict[str, Any]) -> None:
    picks = fs.bait(**call, backend="reference")
    problem = problem_of(call)
    np.testing.assert_array_equal(reference.replay(problem, picks.forward_indices), 0.0)
    assert reference.replay_backward(problem, picks.forward_indices, picks.indices).max() < 1e-9


def test_regret_of_other_picks_is_what_they_lose(call: dict[str, Any]) -> None:
    problem = problem_of(call)
    V, M, F = reference.start(problem)
    gain = reference.gains(V, reference.inverse_root(M, 0), F)
    gain[call["labeled"]] = -np.inf
    worst = int(np.argmin(np.where(np.isfinite(gain), gain, np.inf)))
    regrets = reference.replay(problem, [worst, 2, worst])
    assert regrets[0] == pytest.approx(1.0 - gain[worst] / gain.max())
    assert regrets[1] == np.inf  # labelled
    assert regrets[2] == np.inf  # picked before

    picks = fs.bait(**call, backend="reference")
    assert picks.forward_indices is not None
    dropped = np.setdiff1d(picks.forward_indices, picks.indices)
    swapped = np.append(picks.indices[1:], dropped[0])
    assert reference.replay_backward(problem, picks.forward_indices, swapped).max() > 1e-6


def test_the_inputs_are_left_as_they_were() -> None:
    call = arguments("dense", N, D_FEATURES, CLASSES)
    before = call["factors"].copy()
    fs.bait(**call, labeled=[0], batch_size=2, backend="reference")
    np.testing.assert_array_equal(call["factors"], before)


def test_softmax_factors_have_the_wanted_product() -> None:
    P = softmax_rows(np.random.default_rng(1), 5, 6)
    L = softmax_factors(P)
    wanted = np.stack([np.diag(p) - np.outer(p, p) for p in P])
    np.testing.assert_allclose(L @ L.transpose(0, 2, 1), wanted, atol=1e-15)
