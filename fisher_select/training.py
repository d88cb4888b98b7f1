# SPDX-License-Identifier: Apache-2.0
"""Trainers: fit a model to the labelled rows, and read out what selection needs.

`Trainer` says what the loop asks of one. `TorchTrainer` is the one supplied; torch is imported
inside the functions that use it, so that describing an experiment does not load it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fisher_select.extras import require

if TYPE_CHECKING:
    import torch

__all__ = ["Outputs", "TorchTrainer", "Trainer", "mlp"]


class Outputs(NamedTuple):
    """What a model says about some rows; the field names are those strategies ask for."""

    features: NDArray[Any]  # [n, d] input of the last layer, a ones column for its bias
    probabilities: NDArray[Any]  # [n, C] softmax outputs


class Trainer(Protocol):
    """How the loop gets from labelled rows to a model, and from a model to `Outputs`.

    The loop hands the model from `train` to `outputs` and looks at it no further, so any
    framework will do.
    """

    def train(
        self,
        model_factory: Callable[[], Any],
        inputs: NDArray[Any],
        labels: NDArray[Any],
        *,
        seed: int,
    ) -> Any:
        """Fit a fresh model to labelled rows; the same seed must give the same model."""
        ...

    def outputs(self, model: Any, inputs: NDArray[Any]) -> Outputs:
        """Features and probabilities of rows, labelled or not."""
        ...


def mlp(inputs: int, hidden: Sequence[int], classes: int) -> torch.nn.Sequential:
    """Build a multi-layer perceptron with ReLU, freshly initialised.

    Parameters
    ----------
    inputs
        Input width.
    hidden
        Width of each hidden layer, first to last; the last is the feature width of selection.
    classes
        Number of outputs (logits).
    """
    require("torch", extra="experiments")
    from torch import nn

    widths = [inputs, *hidden]
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


@dataclass(frozen=True)
class TorchTrainer:
    """Train a torch module from scratch with Adam on cross-entropy, on the CPU.

    The module must end in a ``torch.nn.Linear`` that gives the logits. The same seed gives the
    same model; torch's global random state is left as it was found.

    Attributes
    ----------
    epochs : int
        Passes over the labelled rows.
    learning_rate : float
        Step size of Adam.
    weight_decay : float
        L2 penalty, as Adam's ``weight_decay``.
    minibatch : int or None
        Rows a step, reshuffled each epoch; None takes all labelled rows in each step.
    threads : int or None
        Threads torch may use meanwhile; None leaves its own setting. One is the quickest for
        small networks, and gives the same result whatever the number of cores.
    """

    epochs: int = 200
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    minibatch: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        for name in ("minibatch", "threads"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")

    def train(
        self,
        model_factory: Callable[[], torch.nn.Module],
        inputs: NDArray[Any],
        labels: NDArray[Any],
        *,
        seed: int,
    ) -> torch.nn.Module:
        """Build a model and fit it to labelled rows; `seed` fixes weights and shuffling."""
        require("torch", extra="experiments")
        import torch

        with self._threads(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = model_factory()
            x = torch.as_tensor(inputs)
            y = torch.as_tensor(labels, dtype=torch.long)
            optimizer = torch.optim.Adam(
                model.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
            )
            model.train()
            for _ in range(self.epochs):
                for rows in torch.randperm(len(x)).split(self.minibatch or len(x)):
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                    optimizer.step()
        return model

    def outputs(self, model: torch.nn.Module, inputs: NDArray[Any]) -> Outputs:
        """Features and probabilities of every row, in one forward pass.

        Features are what enters the last linear layer, with a column of ones appended when that
        layer has a bias, so that the Fisher information covers the bias too.
        """
        from fisher_select import features

        with self._threads():
            seen = features.extract(
                model, np.asarray(inputs), bias_column=None, batch_rows=max(1, len(inputs))
            )
        return Outputs(np.asarray(seen.features), np.asarray(seen.outputs))

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """Hold torch to `threads` for a while; the setting belongs to the process."""
        import torch

        before = torch.get_num_threads()
        try:
            torch.set_num_threads(self.threads or before)
            yield
        finally:
            torch.set_num_threads(before)
