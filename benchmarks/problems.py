# SPDX-License-Identifier: Apache-2.0
"""Inputs of the benchmarks: clustered features and the outputs of a random last layer.

Everything is float32 with a fixed seed, and is drawn in chunks of rows so that making an input
never needs much more memory than the input (the memory benchmark relies on it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # the memory benchmark loads no torch
    from torch import Tensor

CHUNK_ROWS = 8192
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Problem:
    """One pool: features [n, d], probabilities [n, C] (None: regression), labelled rows [m].

    Arrays of NumPy, or tensors on a device (gpu/pools.py).
    """

    features: Float32 | Tensor
    probabilities: Float32 | Tensor | None
    labeled: npt.NDArray[np.int64]

    @property
    def likelihood(self) -> str:
        """What fs.bait calls it."""
        return "gaussian" if self.probabilities is None else "softmax"

    @property
    def outputs(self) -> Float32 | Tensor:
        """The probabilities of a softmax pool."""
        if self.probabilities is None:
            raise ValueError("a regression pool has no probabilities")
        return self.probabilities


def make_problem(n: int, d: int, classes: int, *, labeled: int = 0, seed: int = 0) -> Problem:
    """Draw a pool of ``n`` rows around ``max(classes, 2)`` centres.

    Parameters
    ----------
    n, d : int
        Rows and feature width.
    classes : int
        Softmax outputs; 1 makes a regression pool, without probabilities.
    labeled : int
        Rows marked as labelled, drawn at random.
    seed : int
        Of the one generator everything is drawn from.

    Notes
    -----
    Noise falls from 1 to 0.1 over the features, as the spectrum of a learnt embedding does.
    The last layer has weights of variance 4 / d, so outputs are neither flat nor saturated.
    """
    rng = np.random.default_rng(seed)
    centres = 0.7 * rng.standard_normal((max(classes, 2), d), dtype=np.float32)
    spread = np.linspace(1.0, 0.1, d, dtype=np.float32)
    weight = rng.standard_normal((d, classes)) * (2.0 / np.sqrt(d))
    features = np.empty((n, d), dtype=np.float32)
    probabilities = np.empty((n, classes), dtype=np.float32) if classes > 1 else None
    for first in range(0, n, CHUNK_ROWS):
        rows = features[first : first + CHUNK_ROWS]
        rng.standard_normal(out=rows, dtype=np.float32)
        rows *= spread
        rows += centres[rng.integers(len(centres), size=len(rows))]
        if probabilities is not None:
            probabilities[first : first + CHUNK_ROWS] = _softmax(rows @ weight)
    chosen = np.sort(rng.choice(n, labeled, replace=False)).astype(np.int64)
    return Problem(features, probabilities, chosen)


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    normalised: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return normalised
