# SPDX-License-Identifier: Apache-2.0
"""Noisy images: some of the pool's are zoomed, rotated and multiplied by Gaussian noise."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.hold_out import Draw, generator
from fisher_select.options import as_real

__all__ = ["MOST_ROTATION", "MOST_ZOOM", "SPREAD", "noisy"]

MOST_ROTATION = math.pi / 12
"""Angles are uniform between this and its negative."""

MOST_ZOOM = 0.2
"""Zoom factors are uniform within this of 1."""

SPREAD = 0.1
"""Standard deviation of the factors that pixels are multiplied by, about 1."""


def noisy(data: Dataset, share: float, *, seed: int = 0) -> Dataset:
    """Spoil a share of the pool's images; the test set stays as it is.

    Each is zoomed and rotated about its middle (linear interpolation, the edge's pixels beyond
    it), and each of its values multiplied by a Gaussian factor: the noise of Slade, Branson
    2022, whose zoom and spread are ours.

    Parameters
    ----------
    data
        Of images, flattened or not.
    share
        Of the pool's rows, drawn at random, from 0 to 1.
    seed
        Of the draw and of the noise.

    Raises
    ------
    ValueError
        No images, or a share out of range.
    """
    if as_real("noise", share, at_least=0) > 1:
        raise ValueError(f"noise must be at most 1, got {share:g}")
    if data.image_shape is None:
        raise ValueError(f"noise is for images, {data.name} has none")
    draw, n = generator(seed, Draw.NOISE), len(data.pool_inputs)
    rows = np.sort(draw.permutation(n)[: round(share * n)])
    found = np.array(data.pool_inputs)
    for row in rows.tolist():
        image = found[row].reshape(data.image_shape)
        found[row] = _spoilt(image, draw).reshape(found[row].shape)
    return replace(data, pool_inputs=found)


def _spoilt(image: NDArray[Any], draw: np.random.Generator) -> NDArray[Any]:
    """One image [channels, height, width], in its own type and between the type's limits."""
    angle = draw.uniform(-MOST_ROTATION, MOST_ROTATION)
    zoom = draw.uniform(1 - MOST_ZOOM, 1 + MOST_ZOOM)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    back = turn / zoom  # from a place in the new image to where its value is in the old one
    middle = (np.array(image.shape[1:]) - 1) / 2
    moved = [
        ndimage.affine_transform(
            channel, back, offset=middle - back @ middle, order=1, mode="nearest"
        )
        for channel in image.astype(np.float64)
    ]
    values = np.stack(moved) * draw.normal(1.0, SPREAD, image.shape)
    if image.dtype.kind != "f":
        limits = np.iinfo(image.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(image.dtype)
