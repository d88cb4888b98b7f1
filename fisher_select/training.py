# SPDX-License-Identifier: Apache-2.0
"""The trainer for torch modules, and a small network for the experiments.

torch is imported inside the functions that use it, so that describing an experiment does not
load it; the fit itself is in fitting.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.extras import require
from fisher_select.trainer import LIKELIHOODS, Outputs, Trainer

if TYPE_CHECKING:
    import torch

__all__ = ["Outputs", "TorchTrainer", "Trainer", "mlp"]

_ROWS = 1024  # a batch of forward passes: bounds the activations of large networks


def mlp(
    inputs: int, hidden: Sequence[int], classes: int, dropout: float = 0.0
) -> torch.nn.Sequential:
    """Build a multi-layer perceptron with ReLU, freshly initialised.

    Parameters
    ----------
    inputs
        Input width.
    hidden
        Width of each hidden layer, first to last; the last is the feature width of selection.
    classes
        Number of outputs (logits).
    dropout
        Share of each hidden layer's units dropped in training; 0 puts no dropout layers in.
    """
    require("torch", extra="experiments")
    from torch import nn

    widths = [inputs, *hidden]
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


@dataclass(frozen=True)
class TorchTrainer:
    """Train a torch module with Adam: cross-entropy, binary cross-entropy or squared error.

    The module must end in a ``torch.nn.Linear`` that gives the logits, or the values of a
    regression. The same seed gives the same model (on a CPU); torch's global random state is
    left as it was found.

    Attributes
    ----------
    epochs : int
        Passes over the labelled rows, at most.
    learning_rate : float
        Step size of Adam.
    weight_decay : float
        L2 penalty, as Adam's ``weight_decay``.
    minibatch : int or None
        Rows a step at most, reshuffled each epoch; None takes all labelled rows in each step.
    threads : int or None
        Threads torch may use meanwhile; None leaves its own setting. One is the quickest for
        small networks, and gives the same result whatever the number of cores.
    warm_start : bool
        Start from the weights of the round before instead of fresh ones. Off, as in the BAIT
        paper: warm starts generalise worse (Ash, Adams 2020).
    class_weights : "balanced", tuple of float or None
        Weight of each class in the loss; for labels that do not exclude each other, of their
        presence. "balanced" makes rare classes count as much as frequent ones.
    stop_accuracy : float or None
        Stop after the epoch in whose passes this share of the labelled rows was right; 0.99 is
        the rule of BADGE and BAIT. Not for a regression.
    stop_loss : float or None
        Stop after the epoch whose mean loss is no larger.
    validation_share : float or None
        Keep this share of the labelled rows, drawn at random by seed, from training; stop when
        their loss was not lowered for `patience` epochs, and take the best weights.
    patience : int
        Epochs; only with `validation_share`.
    device : str
        Where models are trained and run, such as "cuda".
    """

    epochs: int = 200
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    minibatch: int | None = None
    threads: int | None = None
    warm_start: bool = False
    class_weights: str | tuple[float, ...] | None = None
    stop_accuracy: float | None = None
    stop_loss: float | None = None
    validation_share: float | None = None
    patience: int = 10
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        for name in ("epochs", "minibatch", "threads", "patience"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        weights = self.class_weights
        if isinstance(weights, str) and weights != "balanced":
            raise ValueError(f"class_weights must be 'balanced' or numbers, got {weights!r}")
        if isinstance(weights, tuple) and not (weights and min(weights) > 0):
            raise ValueError(f"class_weights must be positive, got {list(weights)}")
        for name in ("stop_accuracy", "validation_share"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, got {share}")
        if self.stop_loss is not None and not self.stop_loss > 0:
            raise ValueError(f"stop_loss must be positive, got {self.stop_loss}")

    def train(
        self,
        model_factory: Callable[[], torch.nn.Module],
        inputs: NDArray[Any],
        labels: NDArray[Any],
        *,
        task: str = "multi_class",
        seed: int,
        previous: torch.nn.Module | None = None,
    ) -> torch.nn.Module:
        """Build a model and fit it; `seed` fixes weights, shuffling and the validation rows."""
        require("torch", extra="experiments")
        import torch

        from fisher_select import fitting

        if self.stop_accuracy is not None and task == "regression":
            raise ValueError("stop_accuracy must be None for a regression; see stop_loss")
        with self._threads(), self._seeded(seed):
            model = model_factory().to(self.device)
            if self.warm_start and previous is not None:
                model.load_state_dict(previous.state_dict())
            y = fitting.as_targets(labels, task, self.device)
            fitting.fit(
                model,
                fitting.as_inputs(inputs, self.device),
                y,
                fitting.loss_of(task, y, self.class_weights),
                task=task,
                epochs=self.epochs,
                minibatch=self.minibatch,
                optimizer=torch.optim.Adam(
                    model.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
                ),
                stopping=fitting.Stopping(
                    self.stop_accuracy, self.stop_loss, self.validation_share, self.patience
                ),
            )
        return model

    def outputs(
        self, model: torch.nn.Module, inputs: NDArray[Any], *, task: str = "multi_class"
    ) -> Outputs:
        """Features and probabilities of every row.

        Features are what enters the last linear layer, with a column of ones appended when that
        layer has a bias, so that the Fisher information covers the bias too.
        """
        from fisher_select import features

        with self._threads():
            seen = features.extract(
                model,
                np.ascontiguousarray(inputs),
                likelihood=LIKELIHOODS[task],
                bias_column=None,
                batch_rows=_ROWS,
            )
        return Outputs(np.asarray(seen.features), np.asarray(seen.outputs))

    def last_layer(self, model: torch.nn.Module, inputs: NDArray[Any]) -> NDArray[Any]:
        """The last linear layer as a matrix [d, C] on `Outputs.features`, bias included."""
        from fisher_select import features

        layer = features.last_linear(model, np.ascontiguousarray(inputs))
        rows = [layer.weight.detach().cpu().numpy().T]
        if layer.bias is not None:
            rows.append(layer.bias.detach().cpu().numpy()[None])
        return np.concatenate(rows)

    def samples(
        self,
        model: torch.nn.Module,
        inputs: NDArray[Any],
        *,
        task: str = "multi_class",
        count: int,
        seed: int,
    ) -> NDArray[Any]:
        """Outputs [count, n, C] with the model's dropout layers active."""
        from fisher_select import features

        with self._threads():
            return features.dropout_samples(
                model,
                np.ascontiguousarray(inputs),
                samples=count,
                seed=seed,
                likelihood=LIKELIHOODS[task],
                batch_rows=_ROWS,
            )

    def save(self, model: torch.nn.Module, path: Path) -> None:
        """Write the model's parameters and buffers."""
        import torch

        torch.save(model.state_dict(), path)

    def load(self, model_factory: Callable[[], torch.nn.Module], path: Path) -> torch.nn.Module:
        """A model with the parameters and buffers of the file."""
        require("torch", extra="experiments")
        import torch

        with self._seeded(0):
            model = model_factory().to(self.device)
        model.load_state_dict(torch.load(path, map_location=self.device, weights_only=True))
        return model

    def describe(self, model_factory: Callable[[], torch.nn.Module]) -> dict[str, object]:
        """The options, and the modules of a model."""
        require("torch", extra="experiments")
        with self._seeded(0):
            return asdict(self) | {"model": str(model_factory())}

    @contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """Seed torch for a while; its own state is put back."""
        import torch

        devices = [] if self.device == "cpu" else [torch.device(self.device)]
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

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
