# SPDX-License-Identifier: Apache-2.0
"""The factors V_i of every sample, dense: what the engine never forms.

Names are those of DESIGN section 1.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Float64: TypeAlias = npt.NDArray[np.float64]


def softmax_factors(P: Float64) -> Float64:  # [n, C] -> [n, C, C]
    """L_i with L L^T = diag(p) - p p^T: columns sqrt(p_c) (e_c - p)."""
    L: Float64 = (np.eye(P.shape[1]) - P[:, :, None]) * np.sqrt(P)[:, None, :]
    return L


def leading_columns(P: Float64, rank: int) -> Float64:  # [n, C] -> [n, C, r]
    """The `rank` < C leading columns of L_i, in the form where the null column is gone.

    L sqrt(p) = 0. Reflecting sqrt(p) onto the axis of the most likely class k leaves the C - 1
    columns sqrt(p_c) (e_c - mu), c != k, with mu_c = p_c / (1 + sqrt(p_k)), mu_k = sqrt(p_k):
    their products add up to diag(p) - p p^T, and their norms fall with p_c. Kept are those of
    the most likely classes after k, ties to the lowest class: no other columns of this form
    leave less of the trace.
    """
    order = np.argsort(-P, axis=1, kind="stable")
    top, kept = order[:, :1], order[:, 1 : rank + 1]
    root = np.sqrt(np.take_along_axis(P, top, axis=1))
    mu = P / (1.0 + root)
    np.put_along_axis(mu, top, root, axis=1)
    scale = np.sqrt(np.take_along_axis(P, kept, axis=1))
    L: Float64 = (np.eye(P.shape[1])[:, kept].transpose(1, 0, 2) - mu[:, :, None]) * scale[
        :, None, :
    ]
    return L


def merged_factors(P: Float64, merged: int) -> Float64:  # [n, c + 1] -> [n, c + 1, c + 1]
    """Softmax factors where the last class is the sum of `merged` ones that move as one.

    Their logits move along u = (1, ..., 1) / sqrt(merged), of unit length as the other classes'
    axes are: with E = [e_1, ..., e_c, u] this is E^T L.
    """
    L = softmax_factors(P)
    L[:, -1] /= np.sqrt(merged)
    return L


def sigmoid_factors(Q: Float64) -> Float64:  # [n, C] -> [n, C, C]
    """L_i with L L^T = diag(q (1 - q))."""
    L: Float64 = np.eye(Q.shape[1]) * np.sqrt(Q * (1.0 - Q))[:, None, :]
    return L


def binary_factors(P: Float64) -> Float64:  # [n, C] -> [n, 1, 1]
    """Most likely class against the rest: L_i = sqrt(q (1 - q)), q = max_c p_c."""
    q = P.max(axis=1)
    L: Float64 = np.sqrt(q * (1.0 - q))[:, None, None]
    return L


def gaussian_factors(n: int) -> Float64:  # [n, 1, 1]
    """Regression with unit noise: L_i = 1."""
    return np.ones((n, 1, 1))


def last_layer(L: Float64, X: Float64) -> Float64:  # [n, C, r], [n, d] -> [n, C d, r]
    """V_i = L_i (x) x_i, class-major."""
    n, C, r = L.shape
    V: Float64 = np.einsum("ncr,nd->ncdr", L, X).reshape(n, C * X.shape[1], r)
    return V


def gradient_factors(P: Float64) -> Float64:  # [n, C] -> [n, C, 1]
    """BADGE's gradient of the logits at the most likely class: e_yhat - p."""
    L: Float64 = (np.eye(P.shape[1])[P.argmax(axis=1)] - P)[:, :, None]
    return L


_LINKS = {
    "softmax": softmax_factors,
    "sigmoid": sigmoid_factors,
    "block_diagonal": sigmoid_factors,  # the same with weights p (1 - p)
    "binary": binary_factors,
    "gradient": gradient_factors,
}


def factors_of(
    kind: str, features: Any, probabilities: Any, factors: Any, rank: int = 0, merged: int = 1
) -> Float64:  # [n, D, r]
    """V_i of every row, unscaled; `kind` as in factors.TraceProblem, or "gradient".

    `rank` keeps so many leading columns of a softmax factor, 0 all of them. `merged`: classes
    that its last one stands for.
    """
    try:
        if factors is not None:
            return np.ascontiguousarray(factors, dtype=np.float64)
        X = np.asarray(features, dtype=np.float64)
        if kind == "gaussian":
            return last_layer(gaussian_factors(len(X)), X)
        P = np.asarray(probabilities, dtype=np.float64)
        if merged > 1:
            return last_layer(merged_factors(P, merged), X)
        return last_layer(leading_columns(P, rank) if rank else _LINKS[kind](P), X)
    except MemoryError as error:
        n = len(features if factors is None else factors)
        raise MemoryError(
            f"backend='reference' keeps dense float64 factors of all {n} rows "
            f"({error}); use backend='cpu', which never forms them"
        ) from error
