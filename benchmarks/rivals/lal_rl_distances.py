# SPDX-License-Identifier: Apache-2.0
"""Distances as the LAL-RL environment takes them, written plainly with SciPy.

At each step of an episode every unlabelled row wants its mean distance to the labelled and to
the unlabelled rows, itself counted at distance 0.

- "kept": the authors' code (github.com/ksenia-konyushkova/LAL-RL). One matrix of all distances
  an episode, out of which each step takes the rows and columns it wants. Theirs are cosine
  distances; here they are Euclidean, as our feature is.
- "anew": nothing is kept, and each step computes the distances that it wants.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist, pdist, squareform

Float64: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Form: TypeAlias = Literal["kept", "anew"]


class LalRlDistances:
    """One episode; a matrix of n^2 distances is made here where it is kept."""

    def __init__(self, features: npt.NDArray[np.float32], form: Form) -> None:
        self._features = features.astype(np.float64)
        self._distances = squareform(pdist(self._features)) if form == "kept" else None

    def means(self, known: Rows, unknown: Rows) -> tuple[Float64, Float64]:
        """Mean distances of the unlabelled rows to the labelled and the unlabelled ones."""
        to_known = self._between(known, unknown).mean(axis=0)
        to_unknown = self._between(unknown, unknown).mean(axis=0)
        return to_known, to_unknown

    def _between(self, rows: Rows, columns: Rows) -> Float64:
        if self._distances is None:
            distances: Float64 = cdist(self._features[rows], self._features[columns])
            return distances
        return self._distances[rows, :][:, columns]
