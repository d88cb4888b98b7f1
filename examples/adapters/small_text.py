# SPDX-License-Identifier: Apache-2.0
"""BAIT inside small-text: ten rounds on digits, which need no download as texts would.

Run it with ``python examples/adapters/small_text.py``; it takes seconds. For texts give a data
set of their embeddings, or a classifier that embeds them.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from small_text import PoolBasedActiveLearner, SklearnClassifierFactory, SklearnDataset

from fisher_select.adapters.small_text import FisherSelectStrategy

ROUNDS, BATCH = 10, 20


def main() -> list[float]:
    """Buy labels round by round; return the accuracy after each."""
    digits = load_digits()
    X, y, classes = digits.data / 16, digits.target, np.arange(10)
    pool = SklearnDataset(X[:1200], y[:1200], target_labels=classes)
    test = SklearnDataset(X[1200:], y[1200:], target_labels=classes)
    learner = PoolBasedActiveLearner(
        SklearnClassifierFactory(LogisticRegression(max_iter=300), 10),
        FisherSelectStrategy("bait"),  # was: small_text.GreedyCoreset()
        pool,
    )
    learner.initialize_data(np.arange(20), y[:20])
    scores = []
    for _ in range(ROUNDS):
        picks = learner.query(num_samples=BATCH)
        learner.update(y[picks])
        scores.append(float(np.mean(learner.classifier.predict(test) == y[1200:])))
        print(f"{len(learner.indices_labeled):4d} labels: {scores[-1]:.1%} right")
    return scores


if __name__ == "__main__":
    main()
