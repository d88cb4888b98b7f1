# SPDX-License-Identifier: Apache-2.0
"""The specification: information gain by an actual step of the last layer for every label.

Nothing is rearranged: each label's step is taken, the evaluation set runs through the changed
layer, and the mean entropy is what it is. Names are those of DESIGN section 2.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import FloatArray
from fisher_select.progress import ProgressCallback

Float64: TypeAlias = npt.NDArray[np.float64]


def information_gain(
    *,
    features: FloatArray,
    probabilities: FloatArray | None,
    eval_features: FloatArray,
    weight: FloatArray,
    bias: FloatArray | None,
    class_weights: FloatArray,
    by_probability: bool,
    normalize: bool,
    learning_rate: float,
    threads: int,
    chunk_rows: int,
    progress: ProgressCallback | None,
) -> Float64:
    """H1 - sum_c w_c H2_c of every row of `features` [n, d], in nats.

    w_c is class_weights [C], times p_c where `by_probability`. Cost: n C (m d C) and n C times
    m C exponentials, so it is for small pools; `threads` and `chunk_rows` have no effect.
    """
    del threads, chunk_rows
    X, E = features.astype(np.float64), eval_features.astype(np.float64)
    W = weight.astype(np.float64)
    C = W.shape[1]
    b = np.zeros(C) if bias is None else bias.astype(np.float64)
    P = softmax(X @ W + b) if probabilities is None else probabilities.astype(np.float64)
    P = P / P.sum(axis=1, keepdims=True)
    weights = (P if by_probability else np.ones_like(P)) * class_weights
    if normalize:
        weights = _normalized(weights)
    before = mean_entropy(E @ W + b)
    scores = np.empty(len(X))
    # Overflow shows in the score, and is told by fisher_select.information_gain.
    with np.errstate(all="ignore"):
        for a, (x, p) in enumerate(zip(X, P, strict=True)):
            gradients = p - np.eye(C)  # row c: of the cross-entropy of label c by the logits
            after = np.array(
                [
                    mean_entropy(
                        E @ (W - learning_rate * np.outer(x, g))
                        + (b if bias is None else b - learning_rate * g)
                    )
                    for g in gradients
                ]
            )
            scores[a] = before * (1.0 - weights[a].sum()) + weights[a] @ (before - after)
            if progress is not None:
                progress("score", a + 1, len(X))
    return scores


def softmax(logits: Float64) -> Float64:  # [n, C] -> [n, C]
    """Rows of probabilities."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    P: Float64 = odds / odds.sum(axis=1, keepdims=True)
    return P


def mean_entropy(logits: Float64) -> float:  # [m, C]
    """Mean over the rows of the softmax's entropy, log Z - A / Z: terms of one sign."""
    below = logits - logits.max(axis=1, keepdims=True)
    odds = np.exp(below)
    Z = odds.sum(axis=1)
    return float(np.mean(np.log(Z) - (odds * below).sum(axis=1) / Z))


def _normalized(weights: Float64) -> Float64:
    totals = weights.sum(axis=1, keepdims=True)
    nothing = np.flatnonzero(totals <= 0.0)
    if nothing.size:
        raise ValueError(
            f"normalize: row {nothing[0]} gives no probability to any class of eval_labels, "
            "so its weights add up to 0"
        )
    scaled: Float64 = weights / totals
    return scaled
