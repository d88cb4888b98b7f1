# SPDX-License-Identifier: Apache-2.0
"""Inputs made on the device, of the same kind as those of `benchmarks.problems`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmarks.problems import Problem


def make_features(
    n: int, d: int, centres: int, device: torch.device, *, seed: int = 0
) -> Tensor:
    """Float32 [n, d] around some centres; noise falls from 1 to 0.1 over the features."""
    generator = torch.Generator(device).manual_seed(seed)
    features = torch.randn(n, d, generator=generator, device=device)
    features *= torch.linspace(1.0, 0.1, d, device=device)
    means = 0.7 * torch.randn(centres, d, generator=generator, device=device)
    features += means[torch.randint(centres, (n,), generator=generator, device=device)]
    return features


def make_layer(d: int, classes: int, device: torch.device, *, seed: int = 0) -> Tensor:
    """Weights [d, C] of a last layer whose outputs are neither flat nor saturated."""
    generator = torch.Generator(device).manual_seed(seed + 1)
    return torch.randn(d, classes, generator=generator, device=device) * (2.0 / d**0.5)


def make_device_problem(
    n: int, d: int, classes: int, device: torch.device, *, labeled: int = 0, seed: int = 0
) -> Problem:
    """A softmax pool of torch tensors on the device; the labelled rows are NumPy's."""
    features = make_features(n, d, classes, device, seed=seed)
    probabilities = torch.softmax(features @ make_layer(d, classes, device, seed=seed), dim=1)
    chosen = np.random.default_rng(seed).choice(n, labeled, replace=False)
    return Problem(features, probabilities, np.sort(chosen).astype(np.int64))
