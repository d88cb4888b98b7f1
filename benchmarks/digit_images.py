# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's bundled digits as colour images of 32 x 32, shifted, in any number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

SIDE = 32
_SHIFT = 3  # pixels, either way


def digit_images(n: int, *, seed: int = 0) -> tuple[Tensor, npt.NDArray[np.int64]]:
    """Images [n, 3, 32, 32] in [0, 1] and their labels [n], the same for the same seed."""
    rng = np.random.default_rng(seed)
    digits = load_digits()
    chosen = rng.integers(len(digits.target), size=n)
    small = torch.as_tensor(digits.images[chosen], dtype=torch.float32)[:, None] / 16.0
    large = nn.functional.interpolate(small, SIDE, mode="bilinear", align_corners=False)
    moved = torch.empty_like(large)
    for row, (dy, dx) in enumerate(rng.integers(-_SHIFT, _SHIFT + 1, size=(n, 2)).tolist()):
        moved[row] = torch.roll(large[row], (dy, dx), (1, 2))
    return moved.expand(n, 3, SIDE, SIDE).contiguous(), digits.target[chosen].astype(np.int64)


def train(
    model: nn.Module,
    images: Tensor,
    labels: npt.NDArray[np.int64],
    *,
    epochs: int,
    seed: int = 0,
    learning_rate: float = 0.05,
) -> None:
    """Fit in place: SGD with momentum, a cosine schedule, batches of 64."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.as_tensor(labels)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=learning_rate, momentum=0.9, weight_decay=5e-4
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=generator).split(64):
            if len(rows) == 1:  # too few for the batch's statistics
                continue
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), targets[rows]).backward()
            optimizer.step()
        schedule.step()
    model.eval()
