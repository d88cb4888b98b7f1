# SPDX-License-Identifier: Apache-2.0
"""BAIT in the dual: dense factors with more parameters than the pool has columns.

The greedy needs inner products of the factors alone. With V [D, n r] all factors side by side,
``G = scale^2 V^T M^-1 V`` [n r, n r] follows from the Gram matrix ``V^T V`` and is kept instead
of the D x D matrices: exact, float64, and cheaper where n r < D.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from fisher_select.errors import NumericalError
from fisher_select.factors import TraceProblem
from fisher_select.selection import Selection

Float64 = npt.NDArray[np.float64]

PIECE = 2048
"""Parameters read at a time."""

_BLOCK = 1024  # columns of G worked on at a time: bounds the temporaries


def gram_matrix(columns: Callable[[int, int], Float64], size: int, length: int) -> Float64:
    """V^T V [size, size] from pieces of V's parameters; size^2 length / 2 multiplications.

    Parameters
    ----------
    columns : callable
        ``columns(start, stop)`` gives parameters start to stop of all columns of V, as
        float64 [size, stop - start].
    size, length : int
        n r and D.
    """
    gram = np.zeros((size, size), order="F")
    for start in range(0, length, PIECE):
        piece = columns(start, min(start + PIECE, length))
        # One triangle, by blocks of columns. BLAS has a routine for it (syrk), but OpenBLAS's
        # crashes at these sizes.
        for left in range(0, size, _BLOCK):
            block = slice(left, left + _BLOCK)
            gram[left:, block] += piece[left:] @ piece[block].T
    for left in range(0, size, _BLOCK):
        right = left + _BLOCK
        gram[left:right, right:] = gram[right:, left:right].T
    return gram


def trace_select(problem: TraceProblem, gram: Float64, n: int) -> Selection:
    """Greedy selection by tr(M^-1 F) as `fisher_select.bait` defines it, from V^T V alone.

    `gram` is overwritten. Memory beyond it: 2 n r^2 numbers a step. A step reads gram once,
    n^2 r^3 multiplications.

    Parameters
    ----------
    problem : TraceProblem
        Of kind "dense" with the pool's Fisher information; its factors are not read.
    gram : float64 array [n r, n r]
    n : int
        Rows of the pool.

    Raises
    ------
    NumericalError
        M is not positive definite in floating point; names the step.
    """
    state = _State(problem, gram, n)
    free = np.ones(n, dtype=bool)
    free[problem.labeled] = False
    clock = time.perf_counter()
    forward: list[int] = []
    gains: dict[int, float] = {}
    objective = []
    for step in range(problem.forward_count):
        candidates = np.flatnonzero(free)
        scores = state.changes(candidates, 1.0, step)
        best = int(np.argmax(scores))  # the first of equals: the lowest index
        pick = int(candidates[best])
        gains[pick] = float(scores[best])
        state.commit(pick, 1.0, step)
        free[pick] = False
        forward.append(pick)
        objective.append(state.objective())
        if problem.progress is not None:
            problem.progress("forward", step + 1, problem.forward_count)
    seconds = {"forward": time.perf_counter() - clock}
    clock = time.perf_counter()
    kept = sorted(forward)
    drops = problem.forward_count - problem.batch_size
    for step in range(drops):
        losses = state.changes(np.array(kept), -1.0, problem.forward_count + step)
        drop = kept.pop(int(np.argmin(losses)))
        state.commit(drop, -1.0, problem.forward_count + step)
        objective.append(state.objective())
        if problem.progress is not None:
            problem.progress("backward", step + 1, drops)
    seconds["backward"] = time.perf_counter() - clock
    survivors = [pick for pick in forward if pick in set(kept)]
    return Selection(
        indices=np.array(survivors, dtype=np.int64),
        scores=np.array([gains[pick] for pick in survivors]),
        backend="dual",
        forward_indices=np.array(forward, dtype=np.int64),
        objective=np.array(objective),
        seconds=seconds,
    )


class _State:
    """G = scale^2 V^T M^-1 V and, of each sample, G_i [r, r] and H_i [r, r].

    The start G_0 is not rewritten: a change of M by a sample is ``G <- G - sign T T^T``, and
    the T [n r, r] so far are kept beside it. H_i is the sum over j of ``G_ij G_ij^T`` over
    n scale^2.
    """

    def __init__(self, problem: TraceProblem, gram: Float64, n: int) -> None:
        r = len(gram) // n
        self._r, self._n = r, n
        self._gram = gram
        if len(problem.labeled) and problem.shrink > 0:
            self._add_labeled(problem)
        gram *= problem.scale**2 / problem.lam
        self._per_term = 1.0 / (n * problem.scale**2)
        self._trace = float(np.trace(gram))
        self._own = np.empty((n, r, r))
        self._information = np.empty((n, r, r))
        for i in range(n):
            columns = gram[:, i * r : (i + 1) * r]  # contiguous, and G is symmetric
            self._own[i] = columns[i * r : (i + 1) * r]
            self._information[i] = self._per_term * (columns.T @ columns)
        steps = 2 * problem.forward_count - problem.batch_size
        self._changes: Float64 = np.empty((len(gram), steps * r), order="F")
        self._signs: Float64 = np.empty(0)

    def changes(self, samples: npt.NDArray[np.int64], sign: float, step: int) -> Float64:
        """tr(H (I + sign G)^-1) of each sample: gains of adding, losses of removing it."""
        A = np.eye(self._r) + sign * self._own[samples]
        try:
            np.linalg.cholesky(A)
        except np.linalg.LinAlgError:
            raise _breakdown(step) from None
        solved = np.linalg.solve(A, self._information[samples])
        found: Float64 = np.trace(solved, axis1=1, axis2=2)
        return found

    def commit(self, sample: int, sign: float, step: int) -> None:
        """Add (sign 1) or remove (-1) a sample; one pass over G_0."""
        r = self._r
        own = slice(sample * r, (sample + 1) * r)
        U, signs = self._changes[:, : len(self._signs)], self._signs[:, None]
        column = self._gram[:, own] - U @ (signs * U[own].T)
        root = _cholesky(np.eye(r) + sign * column[own], step)
        T = np.ascontiguousarray(solve_triangular(root, column.T, lower=True).T)
        GT = (T.T @ self._gram).T - U @ (signs * (U.T @ T))  # as rows: the quicker way round
        t, g = T.reshape(-1, r, r), GT.reshape(-1, r, r)
        cross = g @ t.transpose(0, 2, 1)
        self._information -= (sign * self._per_term) * (cross + cross.transpose(0, 2, 1))
        self._information += self._per_term * (t @ (T.T @ T) @ t.transpose(0, 2, 1))
        self._own -= sign * (t @ t.transpose(0, 2, 1))
        self._trace -= sign * float(np.square(T).sum())
        self._changes[:, len(self._signs) : len(self._signs) + r] = T
        self._signs = np.append(self._signs, np.full(r, sign))

    def objective(self) -> float:
        """tr(M^-1 F)."""
        return self._trace * self._per_term

    def _add_labeled(self, problem: TraceProblem) -> None:
        """Woodbury: M_0 = lam I + shrink times the labelled samples' mean V V^T."""
        gram, labeled = self._gram, problem.labeled
        rows = (labeled[:, None] * self._r + np.arange(self._r)).reshape(-1)
        ridge = problem.lam * len(labeled) / problem.shrink
        root = _cholesky(ridge * np.eye(len(rows)) + gram[np.ix_(rows, rows)], 0)
        T = solve_triangular(root, gram[:, rows].T, lower=True).T
        for start in range(0, len(gram), _BLOCK):
            part = slice(start, start + _BLOCK)
            gram[:, part] -= T @ T[part].T


def _cholesky(A: Float64, step: int) -> Float64:
    try:
        root: Float64 = np.linalg.cholesky(A).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        raise _breakdown(step) from None
    return root


def _breakdown(step: int) -> NumericalError:
    return NumericalError(
        f"M is not positive definite in floating point after {step} changes: raise lam, or "
        "scale the factors",
        step,
    )
