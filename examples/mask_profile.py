# SPDX-License-Identifier: Apache-2.0
"""Which layers does FisherMask look at? Train a small network on digits and draw the shares.

Run it with ``python examples/mask_profile.py [PICTURE.png]``; it takes seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import fisher_select as fs
from fisher_select.mask_profile import draw_mask_profile


def network() -> nn.Sequential:
    """Three convolutions and two linear layers for images of 8 x 8."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def main(path: Path) -> fs.MaskProfile:
    """Train on 200 digits, make a mask of 5 %, draw its profile to `path`."""
    digits = load_digits()
    x = torch.as_tensor(digits.images[:, None] / 16, dtype=torch.float32)
    y = torch.as_tensor(digits.target)
    labeled = np.arange(200)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[labeled]), y[labeled]).backward()
        optimizer.step()
    picks = fs.fisher_mask(
        model, x[:400], labeled=labeled, batch_size=10, sparsity=0.05, num_samples=256
    )
    if picks.profile is None:
        raise RuntimeError("fisher_mask returned no profile")
    print(picks.profile)
    draw_mask_profile(path, picks.profile, "FisherMask on digits: mask of 5 %")
    print(f"picture: {path}")
    return picks.profile


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "mask_profile.png"))
