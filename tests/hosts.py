# SPDX-License-Identifier: Apache-2.0
"""Real data and every strategy of the registry, for the tests inside other frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from toys import policy

from fisher_select import strategies

SAMPLED = ("bald", "mc_dropout_entropy")
INFORMATION_GAIN = ("information_gain", "eig", "aeig", "uig", "cfig")
OF_A_NETWORK = ("fisher_mask",)
PLAIN = tuple(
    name
    for name in strategies.names()
    if name not in (*SAMPLED, *INFORMATION_GAIN, *OF_A_NETWORK)
)
"""They need features and outputs alone."""


def digits(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [rows, 64] of handwritten digits with values in [0, 1], and their classes."""
    data = load_digits()
    return data.data[:rows] / 16, data.target[:rows]


def logistic() -> LogisticRegression:
    return LogisticRegression(max_iter=300)


def strategy(name: str) -> Any:
    """The strategy of that name, with what it cannot do without."""
    if name == "reinforcement":
        return strategies.get(name, policy=policy())
    if name == "fisher_mask":
        return strategies.get(name, sparsity=0.2, num_samples=32)
    return strategies.get(name)


def network(X: np.ndarray, y: np.ndarray, *, steps: int = 60) -> Any:
    """A small perceptron, trained on the digits."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(64, 12), torch.nn.ReLU(), torch.nn.Linear(12, 10)
        )
    inputs, labels = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return model.eval()
