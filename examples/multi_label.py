# SPDX-License-Identifier: Apache-2.0
"""Several labels an image: is a digit even, prime, above four, has it a closed loop?

Run it with ``python examples/multi_label.py``; it takes seconds.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import fisher_select as fs

ROUNDS, BATCH = 3, 30
PROPERTIES = ({0, 2, 4, 6, 8}, {2, 3, 5, 7}, {5, 6, 7, 8, 9}, {0, 6, 8, 9})


def fit(inputs: torch.Tensor, labels: torch.Tensor) -> nn.Sequential:
    """Train a fresh perceptron 64 -> 32 -> 4 with one sigmoid a label."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, len(PROPERTIES)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(inputs), labels).backward()
        optimizer.step()
    return model


def main() -> list[float]:
    """Buy labels round by round; return the share of right labels after each."""
    digits = load_digits()
    x = torch.as_tensor(digits.data / 16, dtype=torch.float32)
    y = torch.tensor([[float(d in p) for p in PROPERTIES] for d in digits.target.tolist()])
    pool, test = slice(0, 1200), slice(1200, None)
    loader = DataLoader(TensorDataset(x[pool], y[pool]), batch_size=128)
    labeled, shares = np.arange(BATCH), []
    for _ in range(ROUNDS + 1):
        model = fit(x[pool][labeled], y[pool][labeled])
        with torch.no_grad():
            shares.append(float(((model(x[test]) > 0) == y[test].bool()).float().mean()))
        print(f"{len(labeled):4d} labels: {shares[-1]:.1%} of the test labels right")
        picks = fs.select(
            "bait",
            model=model,
            pool=loader,
            likelihood="sigmoid",
            labeled=labeled,
            batch_size=BATCH,
        )
        labeled = np.concatenate([labeled, picks.indices])
    return shares


if __name__ == "__main__":
    main()
