# SPDX-License-Identifier: Apache-2.0
"""Selection by a policy that was trained by reinforcement to raise a classifier's score.

How one is trained is in `fisher_select.reinforcement_learning`.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from fisher_select.arrays import Array, FloatArray, as_labeled, as_matrix, as_probabilities
from fisher_select.mean_distance import MeanDistances
from fisher_select.observation import Observation, actions_of, scores_of, state_of
from fisher_select.options import as_count, check_batch
from fisher_select.policy import Policy
from fisher_select.progress import ProgressCallback
from fisher_select.ranking import top
from fisher_select.selection import Selection

__all__ = ["as_policy", "reinforcement"]


def reinforcement(
    X: Array,
    P: Array,
    *,
    policy: Policy | str | Path | None = None,
    data: Array | None = None,
    state_probabilities: Array | None = None,
    labeled: Array | None = None,
    batch_size: int,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
) -> Selection:
    """Pick the rows with the largest Q values of a learned policy, ties to the lowest index.

    A row is an action of three numbers: the classifier's score, and the mean Euclidean
    distances to the labelled and to the unlabelled rows; the state is the classifier's sorted
    scores on rows it was not trained on. The batch is the set of the largest values: the
    value of a set is the mean of its actions' (equation 4).

    Parameters
    ----------
    X : array [n, d]
        Features, the latent space.
    P : array [n, C]
        Softmax probabilities.
    policy : Policy, str or Path
        A trained policy or its file, of this or of another data set.
    data : array [n, p] or None
        The rows as the classifier gets them, for a policy with ``space="data"`` alone.
    state_probabilities : array [k, C] or None
        Of a set aside for the state. None takes the unlabelled rows, which the classifier was
        not trained on either: no row is lost to the pool, and no label bought for it.
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked. Where there are none, the distance to them is 0.
    batch_size : int
        Rows to label now; need not be that of the policy's training.
    backend, threads, chunk_rows, progress
        Of the mean distances, see `fisher_select.mean_distances`.

    Returns
    -------
    Selection
        `scores` are the Q values, falling.

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; the message names the argument.
    OSError
        The policy's file cannot be read.

    References
    ----------
    Slade, Branson: Deep reinforced active learning for multi-class image classification,
    arXiv:2206.13391, 2022. Konyushkova, Sznitman, Fua: Discovering General-Purpose Active
    Learning Strategies, arXiv:1810.04114, 2018 (LAL-RL).
    """
    as_count("batch_size", batch_size)
    known = as_policy(policy)
    features = as_matrix("features", X)
    n = len(features)
    probabilities = as_probabilities(
        "probabilities", as_matrix("probabilities", P), n, "softmax"
    )
    rows = as_labeled(labeled, n)
    batch = check_batch(batch_size, n, len(rows))
    if known.view.space == "data":
        features = _as_data(data, n)
    apart = _as_state_rows(state_probabilities, probabilities.shape[1])
    start = time.perf_counter()
    free = np.setdiff1d(np.arange(n), rows)
    scores = scores_of(probabilities, known.view.score)
    seen = scores[free] if apart is None else scores_of(apart, known.view.score)
    means = MeanDistances(
        features,
        labeled=rows,
        backend=backend,
        threads=threads,
        chunk_rows=chunk_rows,
        progress=progress,
    )
    actions = actions_of(scores[free], means.to_labeled[free], means.to_unlabeled[free])
    measured = time.perf_counter()
    values = np.full(n, -np.inf)
    values[free] = known.q_values(Observation(state_of(seen, known.view.state_size), actions))
    picks = top(values, rows, batch)
    return Selection(
        indices=picks,
        scores=values[picks],
        backend=means.backend,
        seconds={"distances": measured - start, "score": time.perf_counter() - measured},
    )


def as_policy(policy: Policy | str | Path | None) -> Policy:
    """The policy, read from its file where a path is given.

    Raises
    ------
    ValueError, TypeError
        None, or neither a policy nor a path.
    """
    if isinstance(policy, Policy):
        return policy
    if policy is None:
        raise ValueError("policy must be given, a trained one or its file, got None")
    if not isinstance(policy, str | Path):
        raise TypeError(f"policy must be a Policy or a path, got {type(policy).__name__}")
    return Policy.load(policy)


def _as_data(data: Array | None, n: int) -> FloatArray:
    if data is None:
        raise ValueError("data [n, p] must be given for a policy of the data space, got None")
    found = as_matrix("data", data)
    if len(found) != n:
        raise ValueError(f"data must have one row for each of {n} features, got {len(found)}")
    return found


def _as_state_rows(P: Array | None, classes: int) -> FloatArray | None:
    if P is None:
        return None
    found = as_matrix("state_probabilities", P)
    found = as_probabilities("state_probabilities", found, len(found), "softmax")
    if found.shape[1] != classes:
        raise ValueError(
            f"state_probabilities must have the {classes} columns of probabilities, got "
            f"{found.shape[1]}"
        )
    return found
