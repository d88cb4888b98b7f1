# SPDX-License-Identifier: Apache-2.0
"""Image quality as a regression: images blurred and noised by known amounts.

What a radiologist's rating of many images stands for where there is none: the target is the
peak signal-to-noise ratio of each image against the one it was made of.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.hold_out import Draw, generator
from fisher_select.options import as_real

__all__ = ["degraded"]

_WHITE = 255.0
# Mean square of the rounding to whole levels: an image left as it was has 5.9 B, not infinity.
_ROUNDING = 1 / 12


def degraded(data: Dataset, blur: float, noise: float, *, seed: int = 0) -> Dataset:
    """Blur and noise every image by its own random amounts, and make a regression of it.

    Parameters
    ----------
    data
        Inputs uint8 [n, channels, height, width]; its labels are dropped.
    blur
        Largest standard deviation of the Gaussian blur in pixels; each image's is uniform from
        0 to it.
    noise
        Largest standard deviation of the Gaussian noise as a share of white, likewise; added
        behind the blur and clipped.
    seed
        Of the amounts and of the noise.

    Returns
    -------
    Dataset
        Of task "regression". The target is the peak signal-to-noise ratio in bel (10 dB),
        ``log10(255^2 / (mean squared difference + 1/12))``, which is of the size of 1.

    Raises
    ------
    ValueError
        Other inputs, or an amount below 0.
    """
    for name, amount in (("blur", blur), ("noise", noise)):
        as_real(name, amount, at_least=0.0)
    shape = data.pool_inputs.shape
    if data.pool_inputs.dtype != np.uint8 or len(shape) != 4:
        raise ValueError(
            "inputs must be uint8 images [n, channels, height, width] to be degraded, got "
            f"{data.pool_inputs.dtype} of shape {list(shape)}"
        )
    draw = generator(seed, Draw.DEGRADATION)
    changes: dict[str, Any] = {}
    for part in ("pool", "test"):
        images = getattr(data, f"{part}_inputs")
        worse, quality = _degraded(images, blur, noise, draw)
        changes |= {f"{part}_inputs": worse, f"{part}_labels": quality}
    return replace(
        data, classes=1, task="regression", class_names=("quality in bel",), **changes
    )


def _degraded(
    images: NDArray[np.uint8], blur: float, noise: float, draw: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The degraded images, and the quality of each."""
    from scipy.ndimage import gaussian_filter  # slow to load, and needed nowhere else

    sigmas = draw.uniform(0.0, blur, len(images))
    deviations = _WHITE * draw.uniform(0.0, noise, len(images))
    worse, quality = np.empty_like(images), np.empty(len(images))
    for row, image in enumerate(images):
        clean = image.astype(np.float64)
        soft = gaussian_filter(clean, (0.0, sigmas[row], sigmas[row]))
        noisy = soft + deviations[row] * draw.standard_normal(image.shape)
        worse[row] = np.clip(np.rint(noisy), 0.0, _WHITE)
        error = np.mean((worse[row] - clean) ** 2)
        quality[row] = np.log10(_WHITE**2 / (error + _ROUNDING))
    return worse, quality
