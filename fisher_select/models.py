# SPDX-License-Identifier: Apache-2.0
"""Models out of configuration files: the table ``[model]``, and a factory for a data set.

torch is imported where a model is made, so that reading a configuration does not load it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fisher_select import datasets, training
from fisher_select.datasets import Dataset
from fisher_select.options import one_of

__all__ = ["KINDS", "Model"]

KINDS = ("mlp", "linear", "resnet")


@dataclass(frozen=True)
class Model:
    """Table ``[model]``.

    Attributes
    ----------
    kind : {"mlp", "linear", "resnet"}
        A multi-layer perceptron; one linear layer, which is multinomial logistic regression
        (or linear regression); or a residual network of images. The first two take the inputs
        as vectors.
    hidden : tuple of int
        Widths of the perceptron's hidden layers, at least one; none for the others.
    dropout : float
        Share of units dropped in training: of each hidden layer, or of the residual network's
        features; selection by samples of the outputs needs it.
    width : int
        Maps of the residual network's first stage; each stage has twice as many as the last.
    blocks : tuple of int
        Its blocks a stage; (2, 2, 2, 2) with width 64 is ResNet-18.

    Raises
    ------
    ValueError
        An unknown kind, or a value out of range.
    """

    kind: str = "mlp"
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    width: int = 64
    blocks: tuple[int, ...] = (2, 2, 2, 2)

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if self.kind == "mlp" and (not self.hidden or min(self.hidden) < 1):
            raise ValueError(f"hidden must list widths of at least 1, got {list(self.hidden)}")
        if self.kind != "mlp" and self.hidden:
            raise ValueError(f"hidden is of kind 'mlp', {self.kind!r} has none")
        if self.kind == "linear" and self.dropout:
            raise ValueError("dropout must be 0 for kind 'linear', which has no hidden units")
        if self.width < 1 or not self.blocks or min(self.blocks) < 1:
            raise ValueError(
                f"width and blocks must be at least 1, got {self.width} and {list(self.blocks)}"
            )

    def prepared(self, data: Dataset) -> tuple[Callable[[], Any], Dataset]:
        """A factory of untrained models of these inputs, and the data in the shape they take.

        Raises
        ------
        ValueError
            A residual network of inputs that are no images.
        """
        if self.kind == "resnet":
            if data.pool_inputs.ndim != 4:
                raise ValueError(
                    "kind 'resnet' takes images [n, channels, height, width], got inputs of "
                    f"shape {list(data.pool_inputs.shape)}"
                )
            from fisher_select.resnet import resnet

            factory = partial(
                resnet,
                data.classes,
                channels=data.pool_inputs.shape[1],
                width=self.width,
                blocks=self.blocks,
                dropout=self.dropout,
            )
            return factory, data
        rows = datasets.flattened(data) if data.pool_inputs.ndim > 2 else data
        width = rows.pool_inputs.shape[1]
        return partial(training.mlp, width, self.hidden, data.classes, self.dropout), rows
