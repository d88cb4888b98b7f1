# SPDX-License-Identifier: Apache-2.0
"""From arrays: any classifier with features and probabilities, here logistic regression.

Run it with ``python examples/select_arrays.py``; it takes seconds.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import fisher_select as fs

ROUNDS, BATCH = 4, 20


def run(strategy: str) -> list[float]:
    """Buy labels round by round; return the accuracy on the held-out rows after each."""
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    pool, test = slice(0, 1200), slice(1200, None)
    # The inputs of the last layer, which for logistic regression are the inputs of the model;
    # a column of ones stands for the bias.
    features = np.column_stack([X[pool], np.ones(1200)])
    labeled, accuracies = np.arange(20), []
    for number in range(ROUNDS + 1):
        model = LogisticRegression(max_iter=500).fit(X[pool][labeled], y[pool][labeled])
        accuracies.append(float(model.score(X[test], y[test])))
        picks = fs.select(
            strategy,
            features=features,  # of all rows, labelled ones included
            probabilities=model.predict_proba(X[pool]),
            labeled=labeled,  # these are never picked
            batch_size=BATCH,
            seed=number,
        )
        labeled = np.concatenate([labeled, picks.indices])
    return accuracies


def main() -> dict[str, list[float]]:
    """Compare BAIT with random picks."""
    found = {strategy: run(strategy) for strategy in ("bait", "random")}
    for number in range(ROUNDS + 1):
        scores = ", ".join(f"{name} {values[number]:.1%}" for name, values in found.items())
        print(f"{20 + number * BATCH:4d} labels: {scores} right")
    return found


if __name__ == "__main__":
    main()
