# SPDX-License-Identifier: Apache-2.0
"""BAIT inside scikit-activeml: ten rounds on digits, from no label at all.

Run it with ``python examples/adapters/scikit_activeml.py``; it takes seconds.
"""

from __future__ import annotations

import warnings

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.utils import MISSING_LABEL
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from fisher_select.adapters.scikit_activeml import FisherSelectStrategy

ROUNDS, BATCH = 10, 20


def main() -> list[float]:
    """Buy labels round by round; return the accuracy after each."""
    digits = load_digits()
    X, pool, test = digits.data / 16, slice(0, 1200), slice(1200, None)
    y = np.full(1200, MISSING_LABEL)
    clf = SklearnClassifier(LogisticRegression(max_iter=300), classes=range(10))
    query = FisherSelectStrategy("bait")  # was: skactiveml.pool.Badge()
    scores = []
    for _ in range(ROUNDS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the first round, which has no labels to fit
            picks = query.query(X[pool], y, clf, batch_size=BATCH)
        y[picks] = digits.target[pool][picks]
        clf.fit(X[pool], y)
        scores.append(float(clf.score(X[test], digits.target[test])))
        print(f"{np.count_nonzero(~np.isnan(y)):4d} labels: {scores[-1]:.1%} right")
    return scores


if __name__ == "__main__":
    main()
