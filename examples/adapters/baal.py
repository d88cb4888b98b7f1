# SPDX-License-Identifier: Apache-2.0
"""BAIT inside Baal: ten rounds on digits with a network whose outputs are sampled by dropout.

Run it with ``python examples/adapters/baal.py``; it takes seconds.
"""

from __future__ import annotations

import numpy as np
import torch
from baal.active import ActiveLearningDataset, ActiveLearningLoop
from baal.bayesian.dropout import MCDropoutModule
from baal.modelwrapper import ModelWrapper, TrainingArgs
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import TensorDataset

from fisher_select.adapters.baal import DatasetProvider, FisherSelectHeuristic

ROUNDS, BATCH, ITERATIONS = 10, 20, 10


def network() -> MCDropoutModule:
    """A perceptron 64 -> 64 -> 10 that drops a fifth of its hidden units, always."""
    torch.manual_seed(0)
    layers = nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10)
    return MCDropoutModule(nn.Sequential(*layers))


def main() -> list[float]:
    """Buy labels round by round; return the accuracy after each."""
    digits = load_digits()
    X = torch.as_tensor(digits.data / 16, dtype=torch.float32)
    y = torch.as_tensor(digits.target)
    dataset = ActiveLearningDataset(TensorDataset(X[:1200], y[:1200]), random_state=0)
    dataset.label_randomly(20)
    model = network()
    wrapper = ModelWrapper(
        model,
        TrainingArgs(
            optimizer=torch.optim.Adam(model.parameters(), lr=3e-3),
            criterion=nn.CrossEntropyLoss(),
            epoch=30,
            workers=0,
            use_cuda=False,
        ),
    )
    loop = ActiveLearningLoop(
        dataset,
        wrapper.predict_on_dataset,
        FisherSelectHeuristic(  # was: baal.active.heuristics.BatchBALD(BATCH)
            "bait", BATCH, DatasetProvider(dataset, wrapper, iterations=ITERATIONS)
        ),
        query_size=BATCH,
        iterations=ITERATIONS,
        verbose=False,
    )
    test, scores = TensorDataset(X[1200:], y[1200:]), []
    for _ in range(ROUNDS):
        wrapper.train_on_dataset(dataset)
        loop.step()
        outputs = wrapper.predict_on_dataset(test, iterations=ITERATIONS, verbose=False)
        right = outputs.mean(axis=2).argmax(axis=1) == digits.target[1200:]
        scores.append(float(np.mean(right)))
        print(f"{len(dataset) - BATCH:4d} labels: {scores[-1]:.1%} right")
    return scores


if __name__ == "__main__":
    main()
