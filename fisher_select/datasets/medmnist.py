# SPDX-License-Identifier: Apache-2.0
"""MedMNIST's ``.npz`` files: images and labels to train, to validate and to test.

Arrays ``{train,val,test}_images``, uint8 [n, height, width] or [n, height, width, 3], and
``{train,val,test}_labels`` [n, 1], or [n, classes] for labels that do not exclude each other
(Yang et al., MedMNIST v2, Scientific Data 2023; DermaMNIST and RetinaMNIST are of it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import TASKS, Dataset
from fisher_select.datasets.hold_out import Part
from fisher_select.datasets.images import channels_first
from fisher_select.datasets.raw import read_npz, stem
from fisher_select.datasets.targets import as_labels
from fisher_select.options import one_of

__all__ = ["medmnist"]

_PARTS = ("train", "val", "test")


def medmnist(
    path: str | Path, *, task: str | None = None, validation: str = "leave"
) -> Dataset:
    """Read one MedMNIST file of two-dimensional images.

    Parameters
    ----------
    path
        Such as ``retinamnist.npz``, of any size (28 to 224 pixels).
    task : {"multi_class", "multi_label", "regression"} or None
        None takes what the labels' columns say: one is "multi_class", more are "multi_label".
        Grades (RetinaMNIST's 0 to 4) are classes by default, or numbers of a "regression".
    validation : {"leave", "pool", "test"}
        Leave the validation part out, or add it behind the pool's or the test set's rows.

    Returns
    -------
    Dataset
        Inputs uint8 [n, channels, height, width].

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is truncated or corrupt, lacks an array, or its arrays do not fit together or the
        task.
    """
    one_of("validation", validation, ("leave", "pool", "test"))
    if task is not None:
        one_of("task", task, TASKS)
    path = Path(path)
    names = [f"{part}_{what}" for part in _PARTS for what in ("images", "labels")]
    arrays = read_npz(path, {name: name for name in names})
    if task is None:
        columns = arrays["train_labels"].shape[1:]
        task = "multi_label" if columns > (1,) else "multi_class"
    pool, classes = _part(path, arrays, "train", task)
    between, _ = _part(path, arrays, "val", task, classes)
    test, _ = _part(path, arrays, "test", task, classes)
    if validation == "pool":
        pool = _joined(path, pool, between)
    elif validation == "test":
        test = _joined(path, test, between)
    return Dataset(
        stem(path), *pool, *test, classes, task=task, image_shape=pool.inputs.shape[1:]
    )


def _part(
    path: Path,
    arrays: dict[str, NDArray[Any]],
    part: str,
    task: str,
    classes: int | None = None,
) -> tuple[Part, int]:
    """Images [n, channels, height, width] and labels of one part, and the number of classes."""
    images = arrays[f"{part}_images"]
    view = channels_first(images)
    if view is None or images.dtype != np.uint8 or 0 in images.shape:
        raise ValueError(
            f"{path}: {part}_images must be uint8 [n, height, width] or [n, height, width, 3], "
            f"got {images.dtype} {list(images.shape)}"
        )
    labels, classes = as_labels(path, arrays[f"{part}_labels"], task, classes)
    if len(labels) != len(view):
        raise ValueError(f"{path}: {len(labels)} {part}_labels for {len(view)} {part}_images")
    return Part(view, labels), classes


def _joined(path: Path, one: Part, other: Part) -> Part:
    if one.inputs.shape[1:] != other.inputs.shape[1:]:
        raise ValueError(f"{path}: the images of the parts differ in size")
    return Part(*(np.concatenate(both) for both in zip(one, other, strict=True)))
