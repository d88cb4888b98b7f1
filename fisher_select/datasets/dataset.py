# SPDX-License-Identifier: Apache-2.0
"""Labelled data for the loop: a pool whose labels are bought row by row, and a test set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.options import one_of

__all__ = ["TASKS", "Dataset"]

TASKS = ("multi_class", "multi_label", "regression")
"""What a label is: one class of several, any of several, or a number."""


@dataclass(frozen=True)
class Dataset:
    """Inputs and labels of a pool and of a test set.

    Attributes
    ----------
    name : str
        For titles and messages.
    pool_inputs : ndarray [n, ...]
        What can be labelled; the loop's picks are rows of this array. Images are uint8
        [n, channels, height, width] until they are scaled; a memory map stays one.
    pool_labels : ndarray
        Multi-class: integers [n], 0 to ``classes - 1``. Multi-label: integers [n, classes], 0
        or 1. Regression: finite floats [n]. Read only for rows that were picked.
    test_inputs : ndarray [t, ...]
        Held out; used to measure, never to train or to select.
    test_labels : ndarray [t] or [t, classes]
        Their labels.
    classes : int
        Outputs of a model: classes (at least 2), labels that do not exclude each other (at
        least 1), or 1 for a regression.
    task : {"multi_class", "multi_label", "regression"}
        What a label is.
    class_names : tuple of str or None
        One a class, in the order of the numbers; the target's name for a regression.
    image_shape : (channels, height, width) or None
        What an input can be reshaped to for a picture of it, flattened or not.
    licence : str or None
        Licence text, where the source brings one.

    Raises
    ------
    ValueError
        Shapes that disagree, labels that the task has not, an unknown task.
    """

    name: str
    pool_inputs: NDArray[Any]
    pool_labels: NDArray[Any]
    test_inputs: NDArray[Any]
    test_labels: NDArray[Any]
    classes: int
    task: str = "multi_class"
    class_names: tuple[str, ...] | None = None
    image_shape: tuple[int, int, int] | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        one_of("task", self.task, TASKS)
        self._check_classes()
        for part in ("pool", "test"):
            self._check_part(part)
        shape = self.pool_inputs.shape[1:]
        if self.test_inputs.shape[1:] != shape:
            raise ValueError(
                f"test_inputs must have rows of shape {list(shape)}, as pool_inputs has, got "
                f"{list(self.test_inputs.shape[1:])}"
            )
        image = self.image_shape
        if image is not None and math.prod(image) != math.prod(shape):
            raise ValueError(
                f"image_shape must be (channels, height, width) of as many values as a row of "
                f"shape {list(shape)} has, got {image}"
            )

    def _check_classes(self) -> None:
        least = 2 if self.task == "multi_class" else 1
        if self.classes < least:
            raise ValueError(f"classes must be at least {least}, got {self.classes}")
        if self.task == "regression" and self.classes != 1:
            raise ValueError(f"classes must be 1 for a regression, got {self.classes}")
        if self.class_names is not None and len(self.class_names) != self.classes:
            raise ValueError(
                f"class_names must name the {self.classes} classes, got {len(self.class_names)}"
            )

    def _check_part(self, part: str) -> None:
        inputs, labels = getattr(self, f"{part}_inputs"), getattr(self, f"{part}_labels")
        one = (self.classes,) if self.task == "multi_label" else ()
        if len(inputs) == 0 or labels.shape != (len(inputs), *one):
            raise ValueError(
                f"{part}_labels must hold {'a row of labels' if one else 'one label'} for each "
                f"of the {len(inputs)} rows of {part}_inputs (at least one), got shape "
                f"{labels.shape}"
            )
        if self.task == "regression":
            if labels.dtype.kind != "f" or not np.isfinite(labels).all():
                raise ValueError(f"{part}_labels must be finite floats")
            return
        last = 1 if one else self.classes - 1
        if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > last:
            raise ValueError(f"{part}_labels must be integers from 0 to {last}")
