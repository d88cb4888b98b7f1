# SPDX-License-Identifier: Apache-2.0
"""BAIT for MONAI Label: images ranked by a scoring method, and served one a call.

Run it with ``python examples/adapters/monai_label.py``; it takes seconds. The datastore here is
the least that the two tasks ask of MONAI Label's: digits by name. In an app they are what
``init_scoring_methods`` and ``init_strategies`` return.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from fisher_select.adapters.monai_label import FisherSelectNext, FisherSelectScoring

ROUNDS, BATCH = 10, 20
DIGITS = load_digits()
X, Y = DIGITS.data / 16, DIGITS.target


class Datastore:
    """1,200 images of which some are labelled."""

    def __init__(self) -> None:
        self.info: dict[str, dict[str, Any]] = {f"{row:04d}": {} for row in range(1200)}
        self.labeled = [f"{row:04d}" for row in range(20)]

    def get_labeled_images(self, *_: Any) -> list[str]:
        return self.labeled

    def get_unlabeled_images(self, *_: Any) -> list[str]:
        return sorted(set(self.info) - set(self.labeled))

    def get_image_info(self, image: str) -> dict[str, Any]:
        return self.info[image]

    def update_image_info(self, image: str, info: dict[str, Any]) -> None:
        self.info[image].update(info)


def features(_: Any, images: list[str]) -> np.ndarray:
    """Of a segmentation network this would be its pooled bottleneck."""
    return X[[int(image) for image in images]]


def probabilities(datastore: Datastore, images: list[str]) -> np.ndarray:
    """Outputs of a model of what is labelled."""
    return model(datastore).predict_proba(features(datastore, images))


def model(datastore: Datastore) -> LogisticRegression:
    """What the app's training task would have left."""
    rows = [int(image) for image in datastore.get_labeled_images()]
    return LogisticRegression(max_iter=300).fit(X[rows], Y[rows])


def main() -> list[float]:
    """Buy labels round by round; return the accuracy after each."""
    datastore, serve = Datastore(), FisherSelectNext()
    score = FisherSelectScoring(
        "bait", BATCH, {"features": features, "probabilities": probabilities}
    )
    scores = []
    for _ in range(ROUNDS):
        score({}, datastore)
        for _ in range(BATCH):
            served = serve({"strategy": "bait"}, datastore)
            datastore.labeled.append(served["id"])
        scores.append(float(model(datastore).score(X[1200:], Y[1200:])))
        print(f"{len(datastore.labeled):4d} labels: {scores[-1]:.1%} right")
    return scores


if __name__ == "__main__":
    main()
