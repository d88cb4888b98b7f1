# SPDX-License-Identifier: Apache-2.0
"""Inputs and labels as NumPy wrote them: named arrays of an ``.npz``, or ``.npy`` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fisher_select.datasets.dataset import TASKS, Dataset
from fisher_select.datasets.hold_out import Part, parts
from fisher_select.datasets.raw import check_finite, read_npy, read_npz, stem
from fisher_select.datasets.targets import as_labels
from fisher_select.options import one_of

__all__ = ["npy", "npz"]


def npz(
    path: str | Path,
    *,
    inputs: str = "inputs",
    labels: str = "labels",
    test_inputs: str | None = None,
    test_labels: str | None = None,
    task: str = "multi_class",
    test_fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read named arrays of one archive.

    Parameters
    ----------
    path
        The ``.npz`` file.
    inputs, labels
        Names of the pool's arrays: numbers [n, ...], and labels as in `Dataset` or [n, 1].
    test_inputs, test_labels
        Names of the test set's arrays; both None hold out a part of the pool.
    task : {"multi_class", "multi_label", "regression"}
        What a label is.
    test_fraction, seed
        Share held out (a quarter if None), and the seed of that draw.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is truncated or corrupt, lacks an array, or holds what does not fit together.
    """
    one_of("task", task, TASKS)
    _check_pair("test_inputs", test_inputs, "test_labels", test_labels)
    path = Path(path)
    names = {"inputs": inputs, "labels": labels}
    if test_inputs is not None and test_labels is not None:
        names |= {"test_inputs": test_inputs, "test_labels": test_labels}
    arrays = read_npz(path, names)
    rows, classes = _part((path, arrays["inputs"]), (path, arrays["labels"]), task)
    test = None
    if test_inputs is not None:
        given = (path, arrays["test_inputs"]), (path, arrays["test_labels"])
        test, _ = _part(*given, task, classes)
    pool, test = parts(path, rows, test, test_fraction, seed)
    return Dataset(stem(path), *pool, *test, classes, task=task)


def npy(
    path: str | Path,
    labels: str | Path,
    *,
    test_path: str | Path | None = None,
    test_labels: str | Path | None = None,
    task: str = "multi_class",
    test_fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read ``.npy`` files, mapped into memory: with a test set given, inputs stay on disk.

    They are read once, piece by piece, to find values that are not finite. Where no test set is
    given both parts are copied into memory.

    Parameters
    ----------
    path, labels
        Files of the pool's inputs [n, ...] and labels, as in `Dataset` or [n, 1].
    test_path, test_labels
        Files of the test set; both None hold out a part of the pool.
    task, test_fraction, seed
        As in `npz`.

    Raises
    ------
    OSError
        A file is missing or cannot be read.
    ValueError
        A file is truncated or corrupt, or holds what does not fit together.
    """
    one_of("task", task, TASKS)
    _check_pair("test_path", test_path, "test_labels", test_labels)
    rows, classes = _part(_mapped(path), _mapped(labels), task)
    test = None
    if test_path is not None and test_labels is not None:
        test, _ = _part(_mapped(test_path), _mapped(test_labels), task, classes)
    pool, test = parts(path, rows, test, test_fraction, seed)
    return Dataset(stem(Path(path)), *pool, *test, classes, task=task)


def _check_pair(one: str, value: object, other: str, value_of_other: object) -> None:
    if (value is None) != (value_of_other is None):
        raise ValueError(f"{one} and {other} must be set together")


def _mapped(path: str | Path) -> tuple[Path, NDArray[Any]]:
    return Path(path), read_npy(Path(path))


def _part(
    inputs: tuple[Path, NDArray[Any]],
    labels: tuple[Path, NDArray[Any]],
    task: str,
    classes: int | None = None,
) -> tuple[Part, int]:
    """Checked inputs and labels, each given with its file, and the number of classes."""
    (path, rows), (labels_path, raw) = inputs, labels
    if rows.ndim < 2 or 0 in rows.shape:
        raise ValueError(
            f"{path}: inputs must be [n, ...] of at least two axes, got {list(rows.shape)}"
        )
    found, classes = as_labels(labels_path, raw, task, classes)
    if len(found) != len(rows):
        raise ValueError(f"{labels_path}: {len(found)} labels for {len(rows)} inputs")
    check_finite(path, "inputs", rows)
    return Part(rows, found), classes
