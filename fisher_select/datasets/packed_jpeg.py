# SPDX-License-Identifier: Apache-2.0
"""JPEG images packed into one ``.npz``: their bytes one after the other, and where each begins.

Arrays: ``jpeg`` uint8 [bytes], ``offsets`` int [n + 1] (image i is
``jpeg[offsets[i]:offsets[i + 1]]``), ``labels`` int [n] and, if there, ``names`` [classes].
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.hold_out import Part, parts
from fisher_select.datasets.images import CHANNELS, decoded, stacked
from fisher_select.datasets.raw import read_npz, stem
from fisher_select.datasets.targets import as_labels
from fisher_select.options import one_of

__all__ = ["packed_jpeg"]


def packed_jpeg(
    path: str | Path,
    *,
    colour: str = "rgb",
    test_fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read an archive of JPEG images and hold out a test set, stratified by class.

    Parameters
    ----------
    path
        The ``.npz`` file.
    colour : {"rgb", "gray"}
        What to decode to.
    test_fraction, seed
        Share held out (a quarter if None), and the seed of that draw.

    Returns
    -------
    Dataset
        Multi-class; inputs uint8 [n, channels, height, width].

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is truncated or corrupt, lacks an array, or its arrays do not fit together; an image
        cannot be decoded or has another size than the first.
    MissingExtraError
        Pillow is not installed.
    """
    one_of("colour", colour, CHANNELS)
    path = Path(path)
    names = {key: key for key in ("jpeg", "offsets", "labels")}
    arrays = read_npz(path, names, {"names": "names"})
    jpeg, offsets = arrays["jpeg"], arrays["offsets"]
    _check_packing(path, jpeg, offsets)
    class_names = _class_names(path, arrays.get("names"))
    classes = None if class_names is None else len(class_names)
    labels, classes = as_labels(path, arrays["labels"], "multi_class", classes)
    if len(labels) != len(offsets) - 1:
        raise ValueError(f"{path}: {len(labels)} labels for {len(offsets) - 1} images")
    images = stacked(_images(path, jpeg, offsets, colour), len(labels))
    pool, test = parts(path, Part(images, labels), None, test_fraction, seed)
    return Dataset(
        stem(path), *pool, *test, classes, class_names=class_names, image_shape=images.shape[1:]
    )


def _check_packing(path: Path, jpeg: NDArray[Any], offsets: NDArray[Any]) -> None:
    if jpeg.ndim != 1 or jpeg.dtype != np.uint8:
        raise ValueError(
            f"{path}: jpeg must be uint8 [bytes], got {jpeg.dtype} of {jpeg.ndim} axes"
        )
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 2:
        raise ValueError(
            f"{path}: offsets must be integers [n + 1], got {offsets.dtype} of shape "
            f"{list(offsets.shape)}"
        )
    if offsets[0] != 0 or offsets[-1] != len(jpeg) or (offsets[1:] <= offsets[:-1]).any():
        raise ValueError(f"{path}: offsets must rise from 0 to the {len(jpeg)} bytes of jpeg")


def _class_names(path: Path, names: NDArray[Any] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(f"{path}: names must be strings [classes], got {names.dtype}")
    return tuple(names.tolist())


def _images(
    path: Path, jpeg: NDArray[np.uint8], offsets: NDArray[Any], colour: str
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Each image [channels, height, width] under the name it has in messages."""
    for row, (start, end) in enumerate(pairwise(offsets.tolist())):
        where = f"{path}: image {row}"
        yield where, decoded(jpeg[start:end].tobytes(), where, colour)
