# SPDX-License-Identifier: Apache-2.0
"""Fitting a torch module to labelled rows: losses by task, class weights, early stopping."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

__all__ = ["Stopping", "as_inputs", "as_targets", "fit", "loss_of"]

Loss: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From outputs [b, C] and targets of a batch to their mean loss."""


@dataclass(frozen=True)
class Stopping:
    """When to stop before the last epoch; None switches a rule off."""

    accuracy: float | None  # of the training passes of an epoch
    loss: float | None  # the same
    validation_share: float | None
    patience: int


def as_inputs(inputs: NDArray[Any], device: str) -> torch.Tensor:
    """Rows as a tensor of plain strides; float64 becomes torch's default type.

    torch takes no negative strides, and its CPU convolutions crash in the backward pass on the
    odd ones that NumPy leaves on axes of length 1; a new contiguous array has neither.
    """
    plain = np.array(inputs, order="C", copy=True)
    dtype = torch.get_default_dtype() if plain.dtype.kind == "f" else None
    return torch.as_tensor(plain, device=device, dtype=dtype)


def as_targets(labels: NDArray[Any], task: str, device: str) -> torch.Tensor:
    """Class indices [n], or what outputs [n, C] are compared with: 0 and 1, or values."""
    if task == "multi_class":
        return torch.as_tensor(np.array(labels), dtype=torch.long, device=device)
    matrix = np.array(labels, order="C").reshape(len(labels), -1)
    return torch.as_tensor(matrix, dtype=torch.get_default_dtype(), device=device)


def loss_of(
    task: str, targets: torch.Tensor, class_weights: str | tuple[float, ...] | None
) -> Loss:
    """The loss of a task, its weights worked out on all labelled `targets`.

    Cross-entropy; for labels that do not exclude each other binary cross-entropy, a weight
    being that of a label's presence against its absence; the mean squared error of a
    regression. "balanced" weighs a class by n / (classes seen * its count), as scikit-learn
    does, and a label by its rows without over its rows with it.
    """
    if task == "regression":
        if class_weights is not None:
            raise ValueError("class_weights must be None for a regression")
        squared: Loss = functional.mse_loss
        return squared
    if task == "multi_label":
        weights = _presence_weights(targets, class_weights)

        def of_labels(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return functional.binary_cross_entropy_with_logits(logits, y, pos_weight=weights)

        return of_labels
    if class_weights is None:
        plain: Loss = functional.cross_entropy
        return plain
    of_class = _class_weights(targets, class_weights)

    def weighted(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        w = of_class[y]
        return (w * functional.cross_entropy(logits, y, reduction="none")).sum() / w.sum()

    return weighted


def fit(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: Loss,
    *,
    task: str,
    epochs: int,
    minibatch: int | None,
    optimizer: torch.optim.Optimizer,
    stopping: Stopping,
) -> int:
    """Train in place on rows x [n, ...], y [n, ...]; return the number of epochs it took.

    Rows are reshuffled each epoch and cut into batches that differ by one row at most, so that
    none is left with a single one where there are more. Draws come from torch's global state.
    """
    held_out = _Validation(model, x, y, loss, stopping)
    x, y = held_out.x, held_out.y
    pieces = math.ceil(len(x) / (minibatch or len(x)))
    model.train()
    for epoch in range(1, epochs + 1):
        right = total = 0.0
        for rows in torch.randperm(len(x)).to(x.device).tensor_split(pieces):
            optimizer.zero_grad()
            outputs = _matrix(model(x[rows]))
            value = loss(outputs, y[rows])
            value.backward()
            optimizer.step()
            if stopping.loss is not None:
                total += float(value.detach()) * len(rows)
            if stopping.accuracy is not None:
                right += _share_right(outputs.detach(), y[rows], task) * len(rows)
        if stopping.accuracy is not None and right / len(x) >= stopping.accuracy:
            return epoch
        if stopping.loss is not None and total / len(x) <= stopping.loss:
            return epoch
        if held_out.exhausted():
            return epoch - held_out.restore_best()
    held_out.restore_best()
    return epochs


class _Validation:
    """Rows kept from training, and the weights that did best on them."""

    def __init__(
        self,
        model: nn.Module,
        x: torch.Tensor,
        y: torch.Tensor,
        loss: Loss,
        stopping: Stopping,
    ) -> None:
        self._model, self._loss, self._patience = model, loss, stopping.patience
        self._best, self._since = math.inf, 0
        self._weights: dict[str, Any] | None = None
        count = round((stopping.validation_share or 0.0) * len(x))
        self._active = stopping.validation_share is not None
        if self._active and not 0 < count < len(x):
            raise ValueError(
                f"validation_share must leave rows on both sides, got {count} of {len(x)} "
                "labelled rows to validate on"
            )
        order = torch.randperm(len(x)) if self._active else torch.arange(len(x))
        held, kept = order[:count].to(x.device), order[count:].to(x.device)
        self._x, self._y = x[held], y[held]
        self.x, self.y = x[kept], y[kept]

    def exhausted(self) -> bool:
        """Measure after an epoch; True when there was none better for `patience` epochs."""
        if not self._active:
            return False
        self._model.eval()
        with torch.no_grad():
            value = float(self._loss(_matrix(self._model(self._x)), self._y))
        self._model.train()
        self._since += 1
        if value < self._best:
            self._best, self._since = value, 0
            self._weights = copy.deepcopy(self._model.state_dict())
        return self._since >= self._patience

    def restore_best(self) -> int:
        """Put the best weights back; return how many epochs ago they were."""
        if self._weights is not None:
            self._model.load_state_dict(self._weights)
        return self._since


def _matrix(outputs: torch.Tensor) -> torch.Tensor:
    """A single output is often returned as [b]."""
    return outputs[:, None] if outputs.ndim == 1 else outputs


def _share_right(outputs: torch.Tensor, y: torch.Tensor, task: str) -> float:
    if task == "multi_class":
        return float((outputs.argmax(dim=1) == y).float().mean())
    return float(((outputs >= 0) == (y >= 0.5)).float().mean())


def _class_weights(y: torch.Tensor, given: str | tuple[float, ...]) -> torch.Tensor:
    """One weight a class [C]; of a class without labels it is never read."""
    if not isinstance(given, str):
        if int(y.max()) >= len(given):
            raise ValueError(
                f"class_weights must have one weight a class, got {len(given)} and a label "
                f"{int(y.max())}"
            )
        return torch.tensor(given, device=y.device)
    counts = torch.bincount(y)
    return len(y) / ((counts > 0).sum() * counts.clamp(min=1))


def _presence_weights(
    y: torch.Tensor, given: str | tuple[float, ...] | None
) -> torch.Tensor | None:
    """Weight of each label's presence [C]; 1 for a label that is always or never there."""
    if given is None:
        return None
    if not isinstance(given, str):
        if len(given) != y.shape[1]:
            raise ValueError(
                f"class_weights must have one weight for each of the {y.shape[1]} labels, got "
                f"{len(given)}"
            )
        return torch.tensor(given, device=y.device)
    present = y.sum(dim=0)
    absent = len(y) - present
    return torch.where((present > 0) & (absent > 0), absent / present.clamp(min=1), 1.0)
