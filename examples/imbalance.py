# SPDX-License-Identifier: Apache-2.0
"""A rare class: which strategies find the few malignant cells among benign ones?

Run it with ``python examples/imbalance.py``; it takes seconds. AEIG weighs labels by how rare
they are in an evaluation set; BAIT and random picks are beside it.
"""

from __future__ import annotations

import numpy as np

import fisher_select as fs
from fisher_select import datasets, training

MALIGNANT, BENIGN = 0, 1
KEPT, BATCH, ROUNDS = 20, 10, 3


def rare() -> datasets.Dataset:
    """scikit-learn's breast cancer data, with 20 malignant rows of the pool left."""
    data = datasets.breast_cancer()
    return datasets.with_counts(data, (KEPT, int((data.pool_labels == BENIGN).sum())), seed=0)


def run(strategy: str) -> tuple[int, float]:
    """How many malignant rows 30 bought labels have found, and the last AUC."""
    data = rare()
    learner = fs.ActiveLearner(
        lambda: training.mlp(inputs=30, hidden=(16,), classes=2),
        data,
        strategy=strategy,
        batch_size=BATCH,
        rounds=ROUNDS,
        initial=20,
        start="stratified",
        evaluation=40,  # set apart, labelled: AEIG measures entropy and frequencies on them
        trainer=training.TorchTrainer(epochs=100, threads=1, class_weights="balanced"),
    )
    records = list(learner)
    bought = np.concatenate([r.selection.indices for r in records if r.selection is not None])
    found = int((data.pool_labels[bought] == MALIGNANT).sum())
    return found, records[-1].metrics["macro_auc"]


def main() -> dict[str, tuple[int, float]]:
    """Compare three strategies."""
    results = {strategy: run(strategy) for strategy in ("aeig", "bait", "random")}
    for strategy, (found, auc) in results.items():
        print(f"{strategy:7} {found:2d} of {BATCH * ROUNDS} labels malignant, AUC {auc:.3f}")
    return results


if __name__ == "__main__":
    main()
