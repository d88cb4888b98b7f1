# SPDX-License-Identifier: Apache-2.0
"""What a learned query strategy sees: the classifier's state, and three numbers for each row.

One definition for the environment that trains a policy and for the strategy that applies it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fisher_select.options import one_of

__all__ = [
    "ACTION_WIDTH",
    "SCORES",
    "SPACES",
    "Observation",
    "actions_of",
    "scores_of",
    "state_of",
]

SCORES = ("confidence", "margin", "positive")
SPACES = ("latent", "data")
ACTION_WIDTH = 3

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


class Observation(NamedTuple):
    """A state and the actions open in it, one for each unlabelled row.

    Attributes
    ----------
    state : float32 array [S]
        See `state_of`.
    actions : float32 array [k, 3]
        See `actions_of`.
    """

    state: Float32
    actions: Float32


def scores_of(P: npt.NDArray[Any], kind: str) -> Float64:
    """The classifier's score of each row, between 0 and 1.

    ==========  ============================================================================
    confidence  ``max_c p_c``.
    margin      ``p_first - p_second``, of the two most likely classes.
    positive    ``p_1`` of two classes: the binary score of LAL-RL.
    ==========  ============================================================================

    Parameters
    ----------
    P : array [n, C]
    kind : {"confidence", "margin", "positive"}

    Raises
    ------
    ValueError
        "positive" with another number of classes than two.
    """
    one_of("score", kind, SCORES)
    p = np.asarray(P, dtype=np.float64)
    if kind == "confidence":
        return np.asarray(p.max(axis=1))
    if kind == "margin":
        second, first = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:].T
        return np.asarray(first - second)
    if p.shape[1] != 2:
        raise ValueError(f"score 'positive' is of two classes, got {p.shape[1]}")
    return p[:, 1].copy()


def state_of(scores: Float64, size: int) -> Float32:
    """The sorted scores of a set of rows, as `size` evenly spaced quantiles.

    A set of exactly `size` rows gives its sorted scores, as in the papers. Sets of any other
    size give vectors of the same length and meaning, which lets a policy go from one data set
    to another.

    Parameters
    ----------
    scores : float64 array [k]
        Of rows that the classifier was not trained on, in any order.
    size : int
        Length S of the state.
    """
    return np.quantile(scores, np.linspace(0.0, 1.0, size)).astype(np.float32)


def actions_of(scores: Float64, to_labeled: Float64, to_unlabeled: Float64) -> Float32:
    """One row (score, mean distance to labelled rows, mean distance to unlabelled rows) each.

    Distances are divided by the mean of `to_unlabeled`: the unit of a latent space differs from
    data set to data set, and from one training of the classifier to the next.

    Parameters
    ----------
    scores, to_labeled, to_unlabeled : float64 array [k]
        Of the unlabelled rows.
    """
    unit = to_unlabeled.mean() or 1.0  # all rows in one place have no distances
    return np.stack([scores, to_labeled / unit, to_unlabeled / unit], axis=1).astype(np.float32)
