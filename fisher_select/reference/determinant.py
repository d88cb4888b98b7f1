# SPDX-License-Identifier: Apache-2.0
"""The specification of log-determinant (D-optimal) greedy selection, float64 NumPy."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.progress import ProgressCallback
from fisher_select.reference.factors import Float64, factors_of
from fisher_select.reference.fisher import inverse_root


def log_det_gains(V: Float64, R: Float64) -> Float64:  # [n, D, r], [D, D] -> [n]
    """How far log det M rises when V_i V_i^T is added: log det(I + V_i^T M^-1 V_i)."""
    S = R @ V
    G = S.transpose(0, 2, 1) @ S  # one small product a candidate: equal rows tie exactly
    gain: Float64 = np.linalg.slogdet(np.eye(V.shape[2]) + G)[1]
    return gain


def log_det_select(
    *,
    kind: str,
    features: Any,
    probabilities: Any,
    factors: Any,
    labeled: npt.NDArray[np.int64],
    batch_size: int,
    lam: float,
    rank: int = 0,
    merged: int = 1,
    progress: ProgressCallback | None = None,
    **_threads_and_chunks: object,
) -> dict[str, Any]:
    """Greedy maximisation of log det(lam I + sum V V^T), afresh at each step.

    The sum is over labelled rows and picks, and `rank` truncates the latter alone; ties go to
    the lowest index. Arguments and result
    as the compiled core's function of this name.
    """
    began = time.perf_counter()
    V = factors_of(kind, features, probabilities, factors, merged=merged)
    M = lam * np.eye(V.shape[1]) + np.einsum("nir,njr->ij", V[labeled], V[labeled])
    if rank:
        V = factors_of(kind, features, probabilities, factors, rank)
    free = np.ones(len(V), dtype=np.bool_)
    free[labeled] = False
    picks: list[int] = []
    scores: list[float] = []
    path: list[float] = []
    R = inverse_root(M, step=0)
    while len(picks) < batch_size:
        gain = np.where(free, log_det_gains(V, R), -np.inf)
        best = int(np.argmax(gain))
        picks.append(best)
        scores.append(float(gain[best]))
        free[best] = False
        M = M + V[best] @ V[best].T
        R = inverse_root(M, step=len(picks))
        path.append(float(-2.0 * np.log(np.diag(R)).sum()))  # log det M
        if progress is not None:
            progress("forward", len(picks), batch_size)
    return {
        "indices": np.array(picks, dtype=np.int64),
        "scores": np.array(scores),
        "objective": np.array(path),
        "seconds": {"forward": time.perf_counter() - began},
    }
