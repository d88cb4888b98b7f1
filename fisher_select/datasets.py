# SPDX-License-Identifier: Apache-2.0
"""Labelled data for the loop: a pool whose labels are bought row by row, and a test set.

Readers are looked up by name (`load`), so that a configuration file can name them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.extras import require

__all__ = ["Dataset", "digits", "load", "names"]


@dataclass(frozen=True)
class Dataset:
    """Inputs and labels of a pool and of a test set.

    Attributes
    ----------
    name : str
        For titles and messages.
    pool_inputs : ndarray [n, ...]
        What can be labelled; the loop's picks are rows of this array.
    pool_labels : ndarray of int [n]
        Classes 0 to ``classes - 1``; read only for rows that were picked.
    test_inputs : ndarray [t, ...]
        Held out; used to measure, never to train or to select.
    test_labels : ndarray of int [t]
        Their classes.
    classes : int
        Number of classes, at least 2; of labels for "multi_label"; 1 for "regression".
    task : {"multi_class", "multi_label", "regression"}
        Labels are classes [n], 0 and 1 [n, classes], or numbers [n].

    Raises
    ------
    ValueError
        Row counts that disagree, or labels outside the classes.
    """

    name: str
    pool_inputs: NDArray[Any]
    pool_labels: NDArray[Any]
    test_inputs: NDArray[Any]
    test_labels: NDArray[Any]
    classes: int
    task: str = "multi_class"

    def __post_init__(self) -> None:
        least = 2 if self.task == "multi_class" else 1
        if self.classes < least:
            raise ValueError(f"classes must be at least {least}, got {self.classes}")
        for part in ("pool", "test"):
            inputs, labels = getattr(self, f"{part}_inputs"), getattr(self, f"{part}_labels")
            wide = (self.classes,) if self.task == "multi_label" else ()
            if len(inputs) == 0 or labels.shape != (len(inputs), *wide):
                raise ValueError(
                    f"{part}_labels must hold one label for each of the {len(inputs)} rows of "
                    f"{part}_inputs (at least one), got shape {labels.shape}"
                )
            if self.task == "regression":
                continue
            last = 1 if self.task == "multi_label" else self.classes - 1
            if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > last:
                raise ValueError(f"{part}_labels must be integers from 0 to {last}")


def digits() -> Dataset:
    """scikit-learn's bundled digits: 1,797 images of 8 x 8 pixels, ten classes, no download.

    Pixels are scaled to [0, 1]. One third is held out, stratified by class, always the same:
    1,198 rows to label from and 599 to test on.
    """
    require("sklearn", extra="experiments")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    inputs = (pixels / 16.0).astype(np.float32)
    pool_inputs, test_inputs, pool_labels, test_labels = train_test_split(
        inputs, labels.astype(np.int64), test_size=1 / 3, stratify=labels, random_state=0
    )
    return Dataset("digits", pool_inputs, pool_labels, test_inputs, test_labels, classes=10)


_READERS: dict[str, Callable[[], Dataset]] = {"digits": digits}


def names() -> tuple[str, ...]:
    """Names that `load` knows."""
    return tuple(sorted(_READERS))


def load(name: str) -> Dataset:
    """Read a data set by name; ValueError lists the names there are."""
    if name not in _READERS:
        raise ValueError(f"unknown data set {name!r}; available: {', '.join(names())}")
    return _READERS[name]()
