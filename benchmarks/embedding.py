# SPDX-License-Identifier: Apache-2.0
"""A real embedding for the distance benchmarks: a small network on augmented digits.

The network is trained on scikit-learn's bundled digits, shifted, turned and with noise, for
seconds; its last hidden layer [n, 512] and its softmax outputs [n, 10] on further augmented
digits are the pool. Kept in the user's cache folder, outside the repository.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

Float32 = npt.NDArray[np.float32]

VERSION = 1  # part of the cache's name: raise it when what is below changes
CLASSES = 10
SIDE = 8  # pixels of a digit
WIDE = 16  # pixels a side of what the network sees
STEPS, BATCH = 600, 256
PIECE = 4096  # images made and embedded at a time


@dataclass(frozen=True)
class Embedding:
    """One pool: features [n, d] and softmax outputs [n, 10], float32."""

    features: Float32
    probabilities: Float32


def digit_embedding(n: int = 60_000, d: int = 512, *, seed: int = 0) -> Embedding:
    """The last hidden layer of a small convolutional network on n augmented digits.

    Parameters
    ----------
    n, d : int
        Images, and width of the last hidden layer.
    seed : int
        Of the weights and of the augmentation.

    Notes
    -----
    The result depends on torch and its threads in the last digits; what is in the cache stays.
    """
    path = _cache_folder() / f"digits-v{VERSION}-{n}x{d}-seed{seed}.npz"
    if path.exists():
        with np.load(path) as file:
            return Embedding(file["features"], file["probabilities"])
    made = _make(n, d, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.npz")
    np.savez(partial, features=made.features, probabilities=made.probabilities)
    partial.replace(path)
    return made


def _cache_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    root = Path(cache) if cache else Path(tempfile.gettempdir())
    return root / "fisher_select_benchmarks"


def _make(n: int, d: int, seed: int) -> Embedding:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * (WIDE // 4) ** 2, d),
            nn.ReLU(),
        )
        head = nn.Linear(d, CLASSES)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32) / 16.0
    labels = torch.tensor(digits.target)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=1e-3)
    for _ in range(STEPS):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        logits = head(body(_augment(images[chosen], generator)))
        loss = nn.functional.cross_entropy(logits, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    features = np.empty((n, d), dtype=np.float32)
    probabilities = np.empty((n, CLASSES), dtype=np.float32)
    with torch.no_grad():
        for first in range(0, n, PIECE):
            rows = slice(first, min(first + PIECE, n))
            chosen = torch.randint(len(images), (rows.stop - first,), generator=generator)
            hidden = body(_augment(images[chosen], generator))
            features[rows] = hidden.numpy()
            probabilities[rows] = torch.softmax(head(hidden), dim=1).numpy()
    return Embedding(features, probabilities)


def _augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """[b, 8, 8] -> [b, 1, 16, 16]: turned, scaled and shifted a little, with noise."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), generator=generator)

    angle = uniform(-0.35, 0.35)
    scale = uniform(1.1, 1.6)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    shift_x, shift_y = uniform(-0.35, 0.35), uniform(-0.35, 0.35)
    rows = [torch.stack([cos, -sin, shift_x], 1), torch.stack([sin, cos, shift_y], 1)]
    grid = nn.functional.affine_grid(
        torch.stack(rows, 1), [len(images), 1, WIDE, WIDE], align_corners=False
    )
    moved = nn.functional.grid_sample(images[:, None], grid, align_corners=False)
    return moved + 0.05 * torch.randn(moved.shape, generator=generator)
