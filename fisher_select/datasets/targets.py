# SPDX-License-Identifier: Apache-2.0
"""Labels as files have them into labels of a task: numbers checked, words numbered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_labels", "class_names", "numbered", "word"]


def as_labels(
    path: Path, labels: NDArray[Any], task: str, classes: int | None = None
) -> tuple[NDArray[Any], int]:
    """Check the labels of a file against a task.

    Parameters
    ----------
    path
        For messages.
    labels : ndarray [n] or [n, 1]; [n, classes] for "multi_label"
        Numbers.
    task
        One of `TASKS`.
    classes
        How many there are; None counts them: up to the largest label, or the columns.

    Returns
    -------
    labels : ndarray
        int64 [n] or [n, classes], or float64 [n] of a regression.
    classes : int
        As in `Dataset`.

    Raises
    ------
    ValueError
        Another shape or type, a label that the task has not, or fewer than two classes.
    """
    if labels.dtype.kind not in "biuf":
        raise ValueError(f"{path}: labels must be numbers, got {labels.dtype}")
    if task == "multi_label":
        return _indicators(path, labels, classes)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(
            f"{path}: labels of the task {task!r} must be [n] or [n, 1] with n at least 1, got "
            f"{list(labels.shape)}"
        )
    if task == "regression":
        values = labels.astype(np.float64)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise ValueError(
                f"{path}: labels must be finite, that of row {row} is {values[row]}"
            )
        return values, 1
    wrong = (labels < 0) | (labels != np.floor(labels))
    if classes is not None:
        wrong |= labels >= classes
    if wrong.any():
        row = int(np.argmax(wrong))
        wanted = "of 0 or more" if classes is None else f"from 0 to {classes - 1}"
        raise ValueError(
            f"{path}: labels must be integers {wanted}, that of row {row} is {labels[row]}"
        )
    numbers = labels.astype(np.int64)
    if classes is None:
        classes = int(numbers.max()) + 1
        if classes < 2:
            raise ValueError(f"{path}: labels must be of at least two classes, all are 0")
    return numbers, classes


def _indicators(
    path: Path, labels: NDArray[Any], classes: int | None
) -> tuple[NDArray[np.int64], int]:
    if labels.ndim != 2 or 0 in labels.shape or classes not in (None, labels.shape[1]):
        wanted = "[n, classes]" if classes is None else f"[n, {classes}]"
        raise ValueError(
            f"{path}: labels of the task 'multi_label' must be {wanted}, got "
            f"{list(labels.shape)}"
        )
    wrong = (labels != 0) & (labels != 1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{path}: labels of the task 'multi_label' must be 0 or 1, that of row {row} is "
            f"{labels[row, column]}"
        )
    return labels.astype(np.int64), labels.shape[1]


def word(value: object) -> str:
    """A label as a word: a whole number without its point, so that 1.0 and "1" are one."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def class_names(words: Iterable[str]) -> tuple[str, ...]:
    """Different words in order: as numbers if all of them are, otherwise as text."""
    different = sorted(set(words))
    try:
        return tuple(sorted(different, key=float))
    except ValueError:
        return tuple(different)


def numbered(path: Path, words: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    """Each word's place in `names`; ValueError for one that is not there."""
    places = {name: number for number, name in enumerate(names)}
    for row, label in enumerate(words):
        if label not in places:
            raise ValueError(
                f"{path}: row {row} has the label {label!r}, known are {_listed(names)}"
            )
    return np.array([places[label] for label in words], dtype=np.int64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:10]))
    return f"{shown}, ..." if len(names) > 10 else shown
