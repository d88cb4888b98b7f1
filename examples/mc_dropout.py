# SPDX-License-Identifier: Apache-2.0
"""BALD by dropout: pick the rows on which the samples of a network disagree.

Run it with ``python examples/mc_dropout.py``; it takes seconds.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import fisher_select as fs


def network() -> nn.Sequential:
    """A perceptron with dropout before its last layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10))


def main() -> tuple[float, float]:
    """Train on 60 digits; return the errors among the rows picked, and among all."""
    digits = load_digits()
    x = torch.as_tensor(digits.data / 16, dtype=torch.float32)
    y = torch.as_tensor(digits.target)
    labeled = np.arange(60)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[labeled]), y[labeled]).backward()
        optimizer.step()
    # Twenty passes with dropout switched on; all else stays in evaluation mode.
    picks = fs.select("bald", model=model, pool=x, samples=20, labeled=labeled, batch_size=40)
    model.eval()
    with torch.no_grad():
        wrong = (model(x).argmax(1) != y).numpy()
    print(f"disagreement of the picks: {picks.scores[0]:.2f} to {picks.scores[-1]:.2f} nats")
    print(f"wrong: {wrong[picks.indices].mean():.0%} of the picks, {wrong.mean():.0%} of all")
    return float(wrong[picks.indices].mean()), float(wrong.mean())


if __name__ == "__main__":
    main()
