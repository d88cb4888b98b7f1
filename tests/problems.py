# SPDX-License-Identifier: Apache-2.0
"""Random pools for the tests: small, seeded, with the awkward cases on demand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.factors import TraceProblem, trace_problem
from fisher_select.reference import fisher as reference
from fisher_select.selection import Selection

Float64 = npt.NDArray[np.float64]

REGRET = 1e-6  # DESIGN section 8: what a pick may lose against the reference's best


def features(rng: np.random.Generator, n: int, d: int) -> Float64:
    """Rows with a decaying spectrum, as a network's last layer has."""
    return rng.standard_normal((n, d)) * np.linspace(1.0, 0.2, d)


def softmax_rows(rng: np.random.Generator, n: int, C: int, spread: float = 1.5) -> Float64:
    odds = np.exp(spread * rng.standard_normal((n, C)))
    return odds / odds.sum(axis=1, keepdims=True)


def arguments(
    kind: str, n: int, d: int, C: int, *, seed: int = 0, dtype: type = np.float64
) -> dict[str, Any]:
    """Arrays and the options that name the kind, as `bait` takes them."""
    rng = np.random.default_rng(seed)
    if kind == "dense":
        return {"factors": rng.standard_normal((n, C * d, C)).astype(dtype)}
    X = features(rng, n, d).astype(dtype)
    if kind == "gaussian":
        return {"X": X, "likelihood": "gaussian"}
    if kind == "sigmoid":
        q = 1.0 / (1.0 + np.exp(-rng.standard_normal((n, C))))
        return {"X": X, "P": q.astype(dtype), "likelihood": "sigmoid"}
    P = softmax_rows(rng, n, C).astype(dtype)
    return {"X": X, "P": P, "fisher": "full" if kind == "softmax" else kind}


KINDS = ("softmax", "sigmoid", "gaussian", "dense", "block_diagonal", "binary")


def problem_of(call: dict[str, Any]) -> TraceProblem:
    """The problem that `bait(**call)` hands to its backend."""
    options = {k: v for k, v in call.items() if k not in {"X", "P", "backend"}}
    return trace_problem(call.get("X"), call.get("P"), **options)


def assert_optimal(picks: Selection, call: dict[str, Any]) -> None:
    """Judge a selection by regret, and its numbers against a fresh computation."""
    problem = problem_of(call)
    forward = picks.forward_indices
    assert forward is not None
    assert picks.objective is not None
    k, B = problem.forward_count, problem.batch_size

    assert forward.dtype == picks.indices.dtype == np.int64
    assert forward.shape == (k,)
    assert len(set(forward.tolist()) - set(problem.labeled.tolist())) == k
    assert picks.indices.shape == picks.scores.shape == (B,)
    survivors = set(picks.indices.tolist())
    assert picks.indices.tolist() == [i for i in forward.tolist() if i in survivors]
    assert picks.objective.shape == (k + k - B,)

    assert reference.replay(problem, forward).max() <= REGRET
    assert reference.replay_backward(problem, forward, picks.indices).max(initial=0) <= REGRET

    V, M, F = reference.start(problem)
    gain = {}
    path = []
    for step, pick in enumerate(forward.tolist()):
        R = reference.inverse_root(M, step)
        gain[pick] = reference.gains(V[[pick]], R, F)[0]
        M = M + V[pick] @ V[pick].T
        path.append(reference.objective(reference.inverse_root(M, step + 1), F))
    # The last objective is that of the survivors alone.
    for pick in set(forward.tolist()) - survivors:
        M = M - V[pick] @ V[pick].T
    last = reference.objective(reference.inverse_root(M, 0), F)
    noise = 1e-9 * path[0]
    np.testing.assert_allclose(picks.objective[:k], path, rtol=1e-6, atol=noise)
    np.testing.assert_allclose(picks.objective[-1], last, rtol=1e-6, atol=noise)
    np.testing.assert_allclose(
        picks.scores, [gain[i] for i in picks.indices.tolist()], rtol=1e-5, atol=noise
    )
