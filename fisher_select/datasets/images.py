# SPDX-License-Identifier: Apache-2.0
"""Image files into uint8 arrays, by Pillow."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.errors import first_line
from fisher_select.extras import require

__all__ = ["CHANNELS", "channels_first", "decoded", "stacked"]

CHANNELS = {"gray": 1, "rgb": 3}
_MODES = {"gray": "L", "rgb": "RGB"}
_DEEP = ("I", "F")  # Pillow's kinds of more than 8 bits, which it would clip


def decoded(
    data: bytes, where: str, colour: str, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Decode one image.

    Parameters
    ----------
    data
        What an image file holds.
    where
        What to call it in messages.
    colour : {"gray", "rgb"}
        What to convert it to; transparency is dropped.
    size : (height, width) or None
        What to resize it to (bilinear, smoothed where it shrinks); None leaves it.

    Returns
    -------
    ndarray of uint8 [channels, height, width]

    Raises
    ------
    ValueError
        No image, truncated, corrupt, too large to be true, or deeper than 8 bits.
    MissingExtraError
        Pillow is not installed.
    """
    require("PIL", extra="datasets")
    from PIL import Image

    corrupt = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
    bomb = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as file:
                deep = file.mode.startswith(_DEEP)
                if not deep:
                    image = file.convert(_MODES[colour])
    except (*corrupt, *bomb) as error:
        raise ValueError(f"{where}: not a complete image ({first_line(error)})") from None
    if deep:
        raise ValueError(f"{where}: images must have 8 bits a channel, got mode {file.mode!r}")
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(*image.size[::-1], CHANNELS[colour]).transpose(2, 0, 1)


def stacked(images: Iterable[tuple[str, NDArray[np.uint8]]], count: int) -> NDArray[np.uint8]:
    """Collect images into one array.

    Parameters
    ----------
    images
        What to call each in messages, and its pixels [channels, height, width].
    count
        How many there are, at least one.

    Returns
    -------
    ndarray of uint8 [count, channels, height, width]

    Raises
    ------
    ValueError
        An image of another size than the first.
    """
    rows = iter(images)
    _, first = next(rows)
    found = np.empty((count, *first.shape), np.uint8)
    found[0] = first
    for row, (where, image) in enumerate(rows, start=1):
        if image.shape != first.shape:
            raise ValueError(
                f"{where}: the image is {image.shape[1]} x {image.shape[2]}, the first one "
                f"{first.shape[1]} x {first.shape[2]}"
            )
        found[row] = image
    return found


def channels_first(images: NDArray[Any]) -> NDArray[Any] | None:
    """View [n, height, width] or [n, height, width, 3] as [n, channels, height, width].

    None for arrays of other shapes.
    """
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] == 3:
        return np.moveaxis(images, 3, 1)
    return None
