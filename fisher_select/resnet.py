# SPDX-License-Identifier: Apache-2.0
"""ResNet-18 and narrower ones after He et al., 2015 (arXiv:1512.03385, table 1), for 32 x 32.

Two stems: the paper's own for ImageNet (7 x 7, stride 2, then max pooling), which leaves maps
of 8, 4, 2 and 1 pixels a side of a 32 x 32 image, and the usual one for small images (3 x 3,
stride 1), which leaves 32, 16, 8 and 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["STEMS", "Block", "resnet", "seeded"]

STEMS = ("imagenet", "small")


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, a 1 x 1 convolution where sizes change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:  # [b, inputs, h, w] -> [b, outputs, h', w']
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet(
    classes: int,
    *,
    channels: int = 3,
    width: int = 64,
    blocks: tuple[int, ...] = (2, 2, 2, 2),
    stem: str = "small",
    dropout: float = 0.0,
) -> nn.Sequential:
    """A residual network; the defaults with width 64 are ResNet-18, 11.2 million parameters.

    Parameters
    ----------
    classes, channels : int
        Outputs, and colours of the images.
    width : int
        Maps of the first stage; each following stage has twice as many at half the side.
    blocks : tuple of int
        Blocks of each stage.
    stem : {"imagenet", "small"}
    dropout : float
        Share of the features dropped in training before the last layer; 0 puts no layer in.
    """
    if stem not in STEMS:
        raise ValueError(f"stem must be one of {STEMS}, got {stem!r}")
    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 3, padding=1, bias=False)
        if stem == "small"
        else nn.Conv2d(channels, width, 7, 2, padding=3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
    if stem == "imagenet":
        layers.append(nn.MaxPool2d(3, 2, padding=1))
    inputs = width
    for stage, count in enumerate(blocks):
        outputs = width * 2**stage
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(Block(inputs, outputs, stride))
            inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout:
        layers.append(nn.Dropout(dropout))
    layers.append(nn.Linear(inputs, classes))
    return nn.Sequential(*layers)


def seeded(classes: int, *, seed: int = 0, **options: object) -> nn.Sequential:
    """A freshly initialised `resnet`, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return resnet(classes, **options)  # type: ignore[arg-type]  # passed on as given
