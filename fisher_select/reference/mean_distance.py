# SPDX-License-Identifier: Apache-2.0
"""The specification of mean distances: plain float64 NumPy, every difference taken.

Distances are added up exactly, in levels: each is cut into parts that are whole multiples of a
level's unit, so sums of parts carry no rounding, depend on no order, and can be taken apart
again by a subtraction.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import FloatArray, IndexArray
from fisher_select.progress import ProgressCallback

Float64: TypeAlias = npt.NDArray[np.float64]

LEVELS = 3
MANTISSA_BITS = 52  # of a float64, after its leading one


def distance_sums(
    *,
    features: FloatArray,  # [n, d]
    references: FloatArray | None,  # [k, d]; None: the features
    rows: IndexArray | None,  # of the references; None: all
    scale: float,
    bits: int,
    progress: ProgressCallback | None = None,
    **_: Any,
) -> Float64:  # [LEVELS, n]
    """Sums of the distances of each row to the references, times `scale`, in levels.

    No scaled distance may exceed 1, nor 2^(52 - bits) be less than the number of references:
    then a level's unit, 2^(-bits (level + 1)), divides all its sums, which stay below 2^53 of
    it. The distance of two rows is a function of these two alone, the same in either order, and
    exactly 0 between equal rows.
    """
    X = np.ascontiguousarray(features, dtype=np.float64) * scale
    Y = X if references is None else np.asarray(references, dtype=np.float64) * scale
    chosen = Y if rows is None else Y[rows]
    sums = np.zeros((LEVELS, len(X)))
    for done, y in enumerate(chosen, start=1):
        rest = np.sqrt(((X - y) ** 2).sum(axis=1))
        for level in range(LEVELS):
            # A number of this size has the level's unit as its last bit.
            anchor = np.ldexp(1.5, MANTISSA_BITS - bits * (level + 1))
            part = (rest + anchor) - anchor
            sums[level] += part
            rest = rest - part
        if progress is not None:
            progress("distances", done, len(chosen))
    return sums
