# SPDX-License-Identifier: Apache-2.0
"""Regression: which patients of scikit-learn's diabetes data to measure next, by BAIT.

Run it with ``python examples/regression.py``; it takes seconds.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from torch import nn

import fisher_select as fs

ROUNDS, BATCH = 4, 20


def network() -> nn.Sequential:
    """A perceptron 10 -> 32 -> 1; its last layer is what the information is about."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))


def fit(inputs: torch.Tensor, target: torch.Tensor) -> nn.Sequential:
    """Train a fresh network on what is labelled."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-3)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs)[:, 0], target).backward()
        optimizer.step()
    return model


def main() -> list[float]:
    """Buy labels round by round; return the error on the held-out rows after each."""
    data = load_diabetes(scaled=True)
    x = torch.as_tensor(data.data * 20, dtype=torch.float32)
    y = torch.as_tensor((data.target - 152) / 77, dtype=torch.float32)
    pool, test = slice(0, 342), slice(342, None)
    labeled, errors = np.arange(BATCH), []
    for _ in range(ROUNDS + 1):
        model = fit(x[pool][labeled], y[pool][labeled])
        with torch.no_grad():
            errors.append(float((model(x[test])[:, 0] - y[test]).square().mean().sqrt()))
        print(f"{len(labeled):4d} labels: root mean squared error {errors[-1]:.3f}")
        # A regression has no probabilities: the features alone say what is informative.
        picks = fs.select(
            "bait",
            model=model,
            pool=x[pool],
            likelihood="gaussian",
            labeled=labeled,
            batch_size=BATCH,
        )
        labeled = np.concatenate([labeled, picks.indices])
    return errors


if __name__ == "__main__":
    main()
