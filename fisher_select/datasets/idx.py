# SPDX-License-Identifier: Apache-2.0
"""The idx format of MNIST and its kin (Fashion-MNIST, EMNIST, KMNIST), gzip-packed or not.

A file holds one array: two zero bytes, a type code, the number of axes, each axis's length as
four bytes, then the values; all big-endian (LeCun, Cortes, Burges: the MNIST database).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.raw import check_finite, licence_beside, opened
from fisher_select.datasets.targets import as_labels

__all__ = ["idx", "read_idx"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


def idx(path: str | Path, *, train: str = "train", test: str = "t10k") -> Dataset:
    """Read a folder of four idx files: images and labels, to train and to test.

    Parameters
    ----------
    path
        The folder. Its files are ``<part>-images-idx3-ubyte`` and ``<part>-labels-idx1-ubyte``,
        each with or without ``.gz``.
    train, test
        What stands for ``<part>`` in the files of the pool and of the test set.

    Returns
    -------
    Dataset
        Multi-class; inputs uint8 [n, 1, height, width]. Classes go from 0 to the pool's largest
        label. The licence is that of a file ``LICENSE`` in the folder.

    Raises
    ------
    OSError
        A file is missing or cannot be read.
    ValueError
        A file is of another kind, truncated, too long or corrupt; images and labels differ in
        number; test labels exceed the pool's.
    """
    folder = Path(path)
    pool_inputs, pool_labels, classes = _part(folder, train)
    test_inputs, test_labels, _ = _part(folder, test, classes)
    if test_inputs.shape[1:] != pool_inputs.shape[1:]:
        raise ValueError(
            f"{folder}: the images of {train} and {test} differ in size, "
            f"{list(pool_inputs.shape[1:])} and {list(test_inputs.shape[1:])}"
        )
    return Dataset(
        folder.resolve().name,
        pool_inputs,
        pool_labels,
        test_inputs,
        test_labels,
        classes,
        image_shape=pool_inputs.shape[1:],
        licence=licence_beside(folder),
    )


def read_idx(path: Path) -> NDArray[Any]:
    """Read the array of one idx file, in native byte order.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        A wrong magic number, fewer or more bytes than the header says, or a corrupt gzip file.
    """
    with opened(path) as stream:
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not magic[3]:
            raise ValueError(
                f"{path}: not an idx file: it begins with {magic.hex() or 'nothing'}"
            )
        kind, axes = np.dtype(_TYPES[magic[2]]), magic[3]
        header = stream.read(4 * axes)
        if len(header) < 4 * axes:
            raise ValueError(
                f"{path}: truncated idx file: {axes} axes announced, header cut off"
            )
        shape = tuple(np.frombuffer(header, ">u4").tolist())
        size = math.prod(shape) * kind.itemsize
        try:
            # One byte more than announced: there must be none, and the gzip checksum is met.
            values = stream.read(size + 1)
        except (OverflowError, MemoryError):
            raise ValueError(f"{path}: truncated idx file: no room for shape {shape}") from None
    if len(values) != size:
        problem = "truncated" if len(values) < size else "too long"
        raise ValueError(
            f"{path}: {problem} idx file: shape {list(shape)} takes {size} bytes, "
            f"got {'more' if len(values) > size else len(values)}"
        )
    return np.frombuffer(values, kind.newbyteorder(">")).astype(kind, copy=False).reshape(shape)


def _part(
    folder: Path, part: str, classes: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64], int]:
    """Images [n, 1, height, width], labels [n] and the number of classes of one part."""
    images_path = _present(folder / f"{part}-images-idx3-ubyte")
    labels_path = _present(folder / f"{part}-labels-idx1-ubyte")
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or 0 in images.shape:
        raise ValueError(
            f"{images_path}: images must be [n, height, width], got {list(images.shape)}"
        )
    check_finite(images_path, "images", images)
    if labels.ndim != 1 or len(labels) != len(images):
        raise ValueError(
            f"{labels_path}: labels must be [n] for {len(images)} images, got "
            f"{list(labels.shape)}"
        )
    found, classes = as_labels(labels_path, labels, "multi_class", classes)
    return images[:, None], found, classes


def _present(path: Path) -> Path:
    """The file itself if it is there, otherwise the gzip-packed one."""
    return path if path.is_file() else path.with_name(f"{path.name}.gz")
