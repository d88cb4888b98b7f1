# SPDX-License-Identifier: Apache-2.0
"""From a PyTorch model and a DataLoader: features and probabilities are read for you.

Run it with ``python examples/torch_model.py``; it takes seconds.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import fisher_select as fs


def network() -> nn.Sequential:
    """Two convolutions and two linear layers; selection looks at the last one."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def main() -> fs.Selection:
    """Train on 100 digits, and ask which 20 of the others to label next."""
    digits = load_digits()
    x = torch.as_tensor(digits.images[:, None] / 16, dtype=torch.float32)
    y = torch.as_tensor(digits.target)
    labeled = np.arange(100)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[labeled]), y[labeled]).backward()
        optimizer.step()
    # In order: a loader that shuffles is refused, since picks are row numbers.
    loader = DataLoader(TensorDataset(x, y), batch_size=256)
    picks = fs.select("bait", model=model, pool=loader, labeled=labeled, batch_size=20)
    with torch.no_grad():
        wrong = (model(x).argmax(1) != y).numpy()
    print(f"rows to label next: {picks.indices.tolist()}")
    print(f"wrong: {wrong[picks.indices].mean():.0%} of them, {wrong.mean():.0%} of all")
    return picks


if __name__ == "__main__":
    main()
