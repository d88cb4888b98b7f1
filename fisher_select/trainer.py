# SPDX-License-Identifier: Apache-2.0
"""What the loop asks of a trainer: a model from labelled rows, and what selection needs of it.

`Trainer` is asked of every one, the protocols after it for some strategies and for a run
directory. `fisher_select.training` has one for torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray

__all__ = ["LIKELIHOODS", "DropoutSampler", "LastLayer", "Outputs", "Resumable", "Trainer"]

LIKELIHOODS = {"multi_class": "softmax", "multi_label": "sigmoid", "regression": "gaussian"}
"""What the outputs of a model are, by task."""


class Outputs(NamedTuple):
    """What a model says about some rows; the field names are those strategies ask for."""

    features: NDArray[Any]  # [n, d] input of the last layer, a ones column for its bias
    probabilities: NDArray[Any]  # [n, C] softmax or sigmoid; a regression's outputs as they are


class Trainer(Protocol):
    """How the loop gets from labelled rows to a model, and from a model to `Outputs`.

    The loop hands the model from `train` to the other methods and looks at it no further, so
    any framework will do. `task` is "multi_class", "multi_label" or "regression".
    """

    def train(
        self,
        model_factory: Callable[[], Any],
        inputs: NDArray[Any],
        labels: NDArray[Any],
        *,
        task: str,
        seed: int,
        previous: Any = None,
    ) -> Any:
        """Fit a model to labelled rows; the same arguments must give the same model.

        `previous` is the model of the round before, for a warm start, which must stay as it is.
        """
        ...

    def outputs(self, model: Any, inputs: NDArray[Any], *, task: str) -> Outputs:
        """Features and probabilities of rows, labelled or not."""
        ...


@runtime_checkable
class LastLayer(Protocol):
    """A trainer for strategies that need the last layer's weights: information gain."""

    def last_layer(self, model: Any, inputs: NDArray[Any]) -> NDArray[Any]:
        """W [d, C] with which ``Outputs.features @ W`` are the logits, the bias among them."""
        ...


@runtime_checkable
class DropoutSampler(Protocol):
    """A trainer for strategies that need samples of the outputs: BALD, MC dropout."""

    def samples(
        self, model: Any, inputs: NDArray[Any], *, task: str, count: int, seed: int
    ) -> NDArray[Any]:
        """Outputs [count, n, C] under random dropout masks."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A trainer for a run directory, which keeps the last model and knows what made it."""

    def save(self, model: Any, path: Path) -> None:
        """Write the model to exactly this path."""
        ...

    def load(self, model_factory: Callable[[], Any], path: Path) -> Any:
        """Read it back, equal to the last bit."""
        ...

    def describe(self, model_factory: Callable[[], Any]) -> Mapping[str, object]:
        """All that decides what `train` makes of its arguments, as values that JSON has."""
        ...
