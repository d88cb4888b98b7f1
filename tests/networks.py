# SPDX-License-Identifier: Apache-2.0
"""Small networks for the tests of model hooks, and autograd one sample at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

# So small networks are quickest on one thread, and on several they wait for each other where
# other processes hold the cores.
torch.set_num_threads(1)

Float64 = npt.NDArray[np.float64]


class Odd(nn.Module):
    """Everything at once: groups, dilation, a layer used twice, a bare parameter, in-place."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, stride=2)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.conv3 = nn.Conv2d(
            8, 6, 3, padding="same", dilation=2, padding_mode="circular", bias=False
        )
        self.norm3 = nn.GroupNorm(2, 6)
        self.relu = nn.ReLU(inplace=True)
        self.hidden = nn.Linear(6, 6)
        self.scale = nn.Parameter(torch.ones(6))
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.relu(self.conv2(x)) + self.relu(self.conv2(x.flip(2)))  # shared
        x = self.relu(self.norm3(self.conv3(x))).mean((2, 3))
        return self.head(torch.tanh(self.norm(self.hidden(x) * self.scale)))


class Tokens(nn.Module):
    """A linear layer over tokens, one on the tokens of all samples at once, and Conv1d."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.over = nn.Linear(4, 5)
        self.flat = nn.Linear(5, 5)
        self.conv = nn.Conv1d(5, 6, 2)
        self.head = nn.Linear(6, classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:  # [b, T]
        x = torch.tanh(self.over(self.embed(ids)))
        x = torch.tanh(self.flat(x.reshape(-1, 5))).reshape(len(ids), -1, 5)
        return self.head(torch.tanh(self.conv(x.transpose(1, 2))).mean(2))


class Tied(nn.Module):
    """The head's weight is the first layer's, transposed in use: no formula sees that."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 5)
        self.head = nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.first(x))
        return self.head(torch.tanh(hidden @ self.first.weight))


def seeded(make: Any, *arguments: Any, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A network with random weights, and batch norms that have seen data."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nn.Module = make(*arguments).to(dtype)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2.0)
    return model


def images(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, 3, 9, 8, generator=torch.Generator().manual_seed(1)).to(dtype)


def single_factors(model: nn.Module, x: torch.Tensor, likelihood: str) -> Float64:
    """V [n, all trainable parameters, C], one sample and output at a time by autograd."""
    model.eval()
    parameters = [p for p in model.parameters() if p.requires_grad]
    factors = []
    for row in range(len(x)):
        logits = model(x[row : row + 1])[0]
        columns = []
        for c in range(len(logits)):
            if likelihood == "softmax":
                log_p = logits.log_softmax(0)[c]
                value, weight = log_p, log_p.detach().exp().sqrt()
            elif likelihood == "sigmoid":
                q = logits[c].detach().sigmoid()
                value, weight = logits[c], (q * (1 - q)).sqrt()
            else:
                value, weight = logits[c], torch.tensor(1.0)
            gradient = torch.autograd.grad(
                value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            flat = torch.cat([g.reshape(-1) for g in gradient])
            columns.append((weight * flat).numpy())
        factors.append(np.stack(columns, axis=1))
    return np.stack(factors)
