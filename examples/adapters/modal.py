# SPDX-License-Identifier: Apache-2.0
"""BAIT inside modAL: ten rounds on digits.

Run it with ``python examples/adapters/modal.py``; it takes seconds. modAL 0.4.2 wants
``scikit-learn<1.8``.
"""

from __future__ import annotations

import numpy as np
from modAL.models import ActiveLearner
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from fisher_select.adapters.modal import FisherSelectQuery

ROUNDS, BATCH = 10, 20


def main() -> list[float]:
    """Buy labels round by round; return the accuracy after each."""
    digits = load_digits()
    X, y = digits.data / 16, digits.target
    start, pool, test = np.arange(20), np.arange(20, 1200), np.arange(1200, len(X))
    learner = ActiveLearner(
        LogisticRegression(max_iter=300),
        FisherSelectQuery("bait"),  # was: modAL.uncertainty.uncertainty_sampling
        X[start],
        y[start],
    )
    scores = []
    for _ in range(ROUNDS):
        picks, samples = learner.query(X[pool], n_instances=BATCH)
        learner.teach(samples, y[pool[picks]])
        pool = np.delete(pool, picks)
        scores.append(float(learner.score(X[test], y[test])))
        print(f"{len(learner.X_training):4d} labels: {scores[-1]:.1%} right")
    return scores


if __name__ == "__main__":
    main()
