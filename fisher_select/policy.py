# SPDX-License-Identifier: Apache-2.0
"""A learned query strategy: the weights of its Q network, and what it has to be shown.

Applied by NumPy alone; torch reads and writes the file.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select import files
from fisher_select.errors import first_line
from fisher_select.extras import require
from fisher_select.observation import ACTION_WIDTH, SCORES, SPACES, Observation
from fisher_select.options import as_count, one_of

__all__ = ["CORRUPT", "Policy", "View"]

_FORMAT = "fisher_select.policy.1"
_ROWS = 8192  # actions a pass: bounds the activations to some megabytes

# What `torch.load` raises for files that are cut short, altered or of another kind.
CORRUPT = (*files.CORRUPT, RuntimeError, pickle.UnpicklingError, LookupError, AttributeError)

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """What of a classifier and its data a policy is shown.

    Attributes
    ----------
    score : {"confidence", "margin", "positive"}
        See `fisher_select.observation.scores_of`.
    space : {"latent", "data"}
        Where distances are taken: between features, or between inputs.
    state_size : int
        Length of the state, see `fisher_select.observation.state_of`.

    Raises
    ------
    TypeError, ValueError
        A value out of range; the message names it.
    """

    score: str = "confidence"
    space: str = "latent"
    state_size: int = 30

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)
        one_of("space", self.space, SPACES)
        as_count("state_size", self.state_size)


@dataclass(frozen=True, eq=False)
class Policy:
    """A Q function of state and action, a multi-layer perceptron with ReLU.

    Nothing in it depends on the number of rows, classes or features of the data it was trained
    on (see `fisher_select.observation`), so that it is applied to other data sets as it is
    (transfer); with ``score="positive"`` only to two classes.

    Attributes
    ----------
    weights : tuple of float32 array [out, in]
        One a layer; the first takes the S values of the state and then the 3 of the action,
        the last has one output.
    biases : tuple of float32 array [out]
    view : View
    metadata : mapping
        How it was trained, as values that JSON has.

    Raises
    ------
    ValueError
        Layers that do not fit together or to the view, or weights that are not finite.
    """

    weights: tuple[Float32, ...]
    biases: tuple[Float32, ...]
    view: View
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        widths = [self.view.state_size + ACTION_WIDTH, *(len(b) for b in self.biases)]
        shapes = [weight.shape for weight in self.weights]
        if not shapes or shapes != [(out, into) for into, out in pairwise(widths)]:
            raise ValueError(
                f"weights must be layers that fit a state of {self.view.state_size} and an "
                f"action of {ACTION_WIDTH}, got shapes {[list(shape) for shape in shapes]}"
            )
        if widths[-1] != 1:
            raise ValueError(f"weights must end in one output, got {widths[-1]}")
        if not all(np.isfinite(array).all() for array in (*self.weights, *self.biases)):
            raise ValueError("weights must be finite")

    def q_values(self, observation: Observation) -> npt.NDArray[np.float64]:
        """Q of each action in this state [k]; equal actions have equal values to the last bit.

        A product of matrices may round equal rows differently by their place, so each distinct
        action is computed once.
        """
        distinct, places = np.unique(observation.actions, axis=0, return_inverse=True)
        width = self.view.state_size
        # The state is the same for all: its share of the first layer is a constant.
        constant = self.weights[0][:, :width] @ observation.state + self.biases[0]
        values = np.empty(len(distinct))
        for start in range(0, len(distinct), _ROWS):
            h = distinct[start : start + _ROWS] @ self.weights[0][:, width:].T + constant
            for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
                h = np.maximum(h, 0.0) @ weight.T + bias
            values[start : start + _ROWS] = h[:, 0]
        return values[places.reshape(-1)]

    @cached_property
    def digest(self) -> str:
        """Equal for policies that pick alike: of view and weights."""
        found = hashlib.sha256(repr(self.view).encode())
        for array in (*self.weights, *self.biases):
            found.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:16]

    def save(self, path: str | Path) -> None:
        """Write one file of plain tensors, whole or not at all.

        Raises
        ------
        OSError
            It cannot be written.
        MissingExtraError
            Without torch.
        """
        require("torch", extra="torch")
        import torch

        value = {
            "format": _FORMAT,
            "weights": [torch.from_numpy(array.copy()) for array in self.weights],
            "biases": [torch.from_numpy(array.copy()) for array in self.biases],
            "view": dict(vars(self.view)),
            "metadata": json.dumps(dict(self.metadata), allow_nan=False),
        }
        files.check_writable(Path(path))
        with files.replacing(Path(path)) as temporary:
            torch.save(value, temporary)

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read back what `save` wrote; nothing in the file is executed.

        Raises
        ------
        OSError
            It cannot be read.
        ValueError
            Not a policy, or a damaged one.
        MissingExtraError
            Without torch.
        """
        require("torch", extra="torch")
        import torch

        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise files.cannot_read(Path(path), error) from None
        try:
            value = torch.load(path, map_location="cpu", weights_only=True)
            if value["format"] != _FORMAT:
                raise ValueError(f"format {value['format']!r}")
            return cls(
                _arrays(value["weights"]),
                _arrays(value["biases"]),
                View(**value["view"]),
                json.loads(value["metadata"]),
            )
        except (*CORRUPT, TypeError) as error:
            reason = first_line(error)
            raise ValueError(f"{path}: not a complete policy file ({reason})") from None


def _arrays(tensors: Sequence[Any]) -> tuple[Float32, ...]:
    return tuple(tensor.numpy().astype(np.float32, copy=False) for tensor in tensors)
