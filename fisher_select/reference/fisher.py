# SPDX-License-Identifier: Apache-2.0
"""The specification: exact greedy trace selection in plain float64 NumPy.

Nothing is updated incrementally: M is factorised afresh at each step and every candidate is
scored anew, so nothing drifts. Names are those of DESIGN section 1. The fast backends are
tested against this file, which serves as a backend of its own on small pools.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from fisher_select.errors import NumericalError
from fisher_select.factors import TraceProblem
from fisher_select.reference.factors import Float64, factors_of
from fisher_select.selection import Selection

_NOISE = 1e-12
"""Gains below this share of the objective are its rounding noise: regrets are measured
against it there, not against a best gain that is itself noise."""


# -------------------------------------------------------------------------- information
def pool_factors(problem: TraceProblem, rank: int = 0) -> Float64:
    """V [n, D, r] of every row, unscaled; 0 keeps all columns."""
    probabilities, merged = problem.outputs()
    pool = (problem.features, probabilities, problem.factors)
    return factors_of(problem.kind, *pool, rank, merged)


def fisher_matrix(V: Float64) -> Float64:  # [n, D, r] -> [D, D]
    """Mean over the rows of V V^T; the mean over no rows is 0."""
    n, D, r = V.shape
    columns = V.transpose(1, 0, 2).reshape(D, n * r)
    F: Float64 = columns @ columns.T / max(n, 1)
    return F


def start(problem: TraceProblem) -> tuple[Float64, Float64, Float64]:
    """Scaled factors V [n, D, r], M before any pick [D, D], and F [D, D].

    `rank` truncates what a candidate brings alone: F and the labelled rows keep all columns.
    """
    V = pool_factors(problem)
    identity = np.eye(V.shape[1])
    M = problem.lam * identity + problem.shrink * fisher_matrix(V[problem.labeled])
    F = fisher_matrix(V) if problem.use_pool_fisher else identity
    candidates = pool_factors(problem, problem.rank) if problem.rank else V
    return problem.scale * candidates, M, F


def inverse_root(M: Float64, step: int) -> Float64:
    """R with M^-1 = R^T R, the inverse of M's Cholesky factor.

    NumericalError with the step where M is not positive definite. Working with R instead of
    M^-1 halves the digits lost to the condition of M.
    """
    try:
        R = np.linalg.inv(np.linalg.cholesky(M))
    except np.linalg.LinAlgError:
        raise _breakdown("M is not positive definite", step) from None
    if not np.isfinite(R).all():
        raise _breakdown("M^-1 overflows", step)
    return R


def objective(R: Float64, F: Float64) -> float:
    """tr(M^-1 F) = tr(R F R^T)."""
    return float(np.sum((R @ F) * R))


def _gram(V: Float64, R: Float64, F: Float64) -> tuple[Float64, Float64]:
    """G_i = V_i^T M^-1 V_i and H_i = V_i^T M^-1 F M^-1 V_i: [n, r, r] each.

    One small product a candidate, never one large one: equal candidates then get bitwise
    equal scores, wherever they stand, and their tie goes to the lowest index.
    """
    S = R @ V  # [n, D, r]
    W = R.T @ S  # M^-1 V_i
    return S.transpose(0, 2, 1) @ S, W.transpose(0, 2, 1) @ (F @ W)


def gains(V: Float64, R: Float64, F: Float64) -> Float64:  # [n]
    """How far tr(M^-1 F) falls when V_i V_i^T is added: tr(H_i (I + G_i)^-1)."""
    G, H = _gram(V, R, F)
    gain: Float64 = np.trace(np.linalg.solve(np.eye(V.shape[2]) + G, H), axis1=1, axis2=2)
    return gain


def losses(V: Float64, R: Float64, F: Float64) -> Float64:  # [n]
    """How far tr(M^-1 F) rises when V_i V_i^T is removed: tr(H_i (I - G_i)^-1).

    V holds factors that M contains; LinAlgError where M without one of them is singular.
    """
    G, H = _gram(V, R, F)
    loss: Float64 = np.trace(np.linalg.solve(np.eye(V.shape[2]) - G, H), axis1=1, axis2=2)
    return loss


# -------------------------------------------------------------------------------- greedy
def candidates(
    problem: TraceProblem, V: Float64, M: Float64, F: Float64
) -> npt.NDArray[np.bool_]:  # [n]
    """Which rows may be picked: the unlabelled ones, with a prefilter those of largest gain.

    V, M and F as `start` has them: the gains are those before any pick. Ties go to the lowest
    index.
    """
    free = np.ones(problem.n, dtype=np.bool_)
    free[problem.labeled] = False
    if problem.candidates == 0:
        return free
    gain = np.where(free, gains(V, inverse_root(M, step=0), F), -np.inf)
    if not np.isfinite(gain[free]).all():
        raise _breakdown("a gain overflows", 1)
    kept = np.argsort(-gain, kind="stable")[: problem.candidates]
    among = np.zeros(problem.n, dtype=np.bool_)
    among[kept] = True
    return among


def forward(
    problem: TraceProblem, V: Float64, M: Float64, F: Float64
) -> tuple[list[int], list[float], list[float], Float64]:
    """Add the largest gain, `forward_count` times, ties to the lowest index.

    V holds the scaled factors; M and F are those of `start`. Returns the picks in order, their
    gains, the objective after each, and the last M.
    """
    free = candidates(problem, V, M, F)
    picks: list[int] = []
    scores: list[float] = []
    path: list[float] = []
    R = inverse_root(M, step=0)
    while len(picks) < problem.forward_count:
        gain = np.where(free, gains(V, R, F), -np.inf)
        best = int(np.argmax(gain))
        if not np.isfinite(gain[best]):
            raise _breakdown("a gain overflows", len(picks) + 1)
        picks.append(best)
        scores.append(float(gain[best]))
        free[best] = False
        M = M + V[best] @ V[best].T
        R = inverse_root(M, step=len(picks))
        path.append(objective(R, F))
        if problem.progress is not None:
            problem.progress("forward", len(picks), problem.forward_count)
    return picks, scores, path, M


def backward(
    problem: TraceProblem, V: Float64, M: Float64, F: Float64, picks: list[int]
) -> tuple[list[int], list[float]]:
    """Drop the smallest loss until `batch_size` picks are left, ties to the lowest index.

    Returns the survivors in forward order and the objective after each removal.
    """
    kept = list(picks)
    path: list[float] = []
    total = len(picks) - problem.batch_size
    while len(path) < total:
        step = len(picks) + len(path)
        R = inverse_root(M, step)
        try:
            loss = losses(V[kept], R, F)
        except np.linalg.LinAlgError:
            raise _breakdown("M less a pick is singular", step + 1) from None
        smallest = min(range(len(kept)), key=lambda k: (loss[k], kept[k]))
        if not np.isfinite(loss[smallest]):
            raise _breakdown("a loss overflows", step + 1)
        dropped = kept.pop(smallest)
        M = M - V[dropped] @ V[dropped].T
        path.append(objective(inverse_root(M, step + 1), F))
        if problem.progress is not None:
            problem.progress("backward", len(path), total)
    return kept, path


def trace_select(problem: TraceProblem) -> Selection:
    """Forward greedy, then backward greedy (DESIGN section 2).

    Cost: O(n r D^2) a step and 8 n D r bytes several times over, so it is for small pools.

    Raises
    ------
    NumericalError
        M is not positive definite in float64 at some step.
    MemoryError
        The dense factors do not fit; the cpu backend never forms them.
    """
    # Overflow and the like are caught where they matter and named by step.
    with np.errstate(all="ignore"):
        clock = [time.perf_counter()]
        V, M, F = start(problem)
        clock.append(time.perf_counter())
        picks, gained, path, M = forward(problem, V, M, F)
        clock.append(time.perf_counter())
        kept, path_back = backward(problem, V, M, F, picks)
        clock.append(time.perf_counter())
    gain_of = dict(zip(picks, gained, strict=True))
    return Selection(
        indices=np.array(kept, dtype=np.int64),
        scores=np.array([gain_of[i] for i in kept]),
        backend="reference",
        forward_indices=np.array(picks, dtype=np.int64),
        objective=np.array(path + path_back),
        seconds=dict(
            zip(("prepare", "forward", "backward"), np.diff(clock).tolist(), strict=True)
        ),
    )


# ------------------------------------------------------------------------------- regret
def replay(problem: TraceProblem, forward_indices: npt.ArrayLike) -> Float64:
    """Regret of another backend's forward picks, each judged after its own predecessors.

    Returns
    -------
    float64 array [k]
        (best gain - the pick's gain) / best gain at each step; 0 is the best pick, infinity a
        row that was not free.
    """
    V, M, F = start(problem)
    free = candidates(problem, V, M, F)
    regrets: list[float] = []
    for step, pick in enumerate(np.asarray(forward_indices).tolist()):
        R = inverse_root(M, step)
        gain = np.where(free, gains(V, R, F), -np.inf)
        best = float(gain.max())
        regrets.append(_regret(best - float(gain[pick]), best, objective(R, F)))
        free[pick] = False
        M = M + V[pick] @ V[pick].T
    return np.array(regrets)


def replay_backward(
    problem: TraceProblem, forward_indices: npt.ArrayLike, indices: npt.ArrayLike
) -> Float64:
    """Regret of another backend's removals, from all forward picks down to its survivors.

    A Selection does not tell the order of its removals, so the kindest one is assumed: at each
    step the smallest loss among the picks that were dropped.

    Returns
    -------
    float64 array [k - B]
        (the removal's loss - smallest loss) / smallest loss at each step.
    """
    V, M, F = start(problem)
    left = [int(i) for i in np.asarray(forward_indices)]
    survivors = set(np.asarray(indices).tolist())
    M = M + len(left) * fisher_matrix(V[left])
    regrets: list[float] = []
    for step in range(len(left), 2 * len(left) - len(survivors)):
        R = inverse_root(M, step)
        loss = losses(V[left], R, F)
        dropped = min(
            (k for k, i in enumerate(left) if i not in survivors), key=lambda k: loss[k]
        )
        least = float(loss.min())
        regrets.append(_regret(float(loss[dropped]) - least, least, objective(R, F)))
        pick = left.pop(dropped)
        M = M - V[pick] @ V[pick].T
    return np.array(regrets)


# ------------------------------------------------------------------------------ helpers
def _regret(shortfall: float, best: float, objective_now: float) -> float:
    # Equal is equal, even where everything is 0.
    return shortfall / max(best, _NOISE * objective_now) if shortfall else 0.0


def _breakdown(what: str, step: int) -> NumericalError:
    return NumericalError(
        f"{what} at step {step}: raise lam, or scale the features down", step=step
    )
