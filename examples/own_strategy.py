# SPDX-License-Identifier: Apache-2.0
"""Your own strategy: a frozen dataclass and a name; then it is one like the others.

Run it with ``python examples/own_strategy.py``; it takes seconds. This one picks uncertain rows
in dense regions (information density: Settles, Craven 2008), so that outliers do not win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import fisher_select as fs
from fisher_select import datasets, strategies, training


@dataclass(frozen=True)
class Density(strategies.Strategy):
    """Entropy times the mean similarity to the unlabelled rows, to the power of `beta`."""

    name = "density"
    takes = ("features", "probabilities")  # what the loop, or a caller, has to bring

    beta: float = 1.0

    def _run(self, arrays: Mapping[str, Any], **keywords: Any) -> fs.Selection:
        X, labeled = arrays["features"], keywords["labeled"]
        entropy = fs.uncertainty_scores(arrays["probabilities"])
        distance = fs.MeanDistances(X, labeled=labeled).to_unlabeled
        score = entropy * (1 / (1 + distance)) ** self.beta
        score[[] if labeled is None else labeled] = -np.inf
        best = np.argsort(-score, kind="stable")[: keywords["batch_size"]]
        return fs.Selection(indices=best, scores=score[best], backend="numpy")


def main() -> dict[str, float]:
    """Run it in the loop beside entropy; return the accuracies after 80 labels."""
    if "density" not in strategies.names():
        strategies.register("density", Density())
    accuracies = {}
    for strategy in ("density", "entropy", strategies.get("density", beta=2.0)):
        learner = fs.ActiveLearner(
            lambda: training.mlp(inputs=64, hidden=(32,), classes=10),
            datasets.digits(),
            strategy=strategy,
            batch_size=20,
            rounds=3,
            trainer=training.TorchTrainer(epochs=100, threads=1),
        )
        *_, last = learner
        accuracies[str(strategy)] = last.accuracy
        print(f"{strategy!s:22} {last.accuracy:.1%} at {last.labeled} labels")
    return accuracies


if __name__ == "__main__":
    main()
