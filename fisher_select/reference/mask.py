# SPDX-License-Identifier: Apache-2.0
"""The specification of the Fisher mask: a diagonal summed in order, and a stable sort of it.

The compiled core does without the sort; see csrc/cpu/mask.cpp.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import FloatArray, IndexArray


def accumulate_squares(
    *,
    total: FloatArray,  # [params], added to in place
    gradients: FloatArray,  # [rows, params]
    weights: npt.NDArray[np.float64],  # [rows]
    threads: int,
) -> None:
    """Add sum_i weights_i gradients_i^2 to total, a float64 sum in the order of the rows."""
    del threads
    added = np.zeros(len(total))
    for weight, gradient in zip(weights, gradients, strict=True):
        added += weight * np.square(gradient, dtype=np.float64)
    total[:] = total + added


def top_k_mask(
    *,
    diagonal: FloatArray,  # [n]
    always: IndexArray,  # [a, 2] ranges (start, stop), sorted and apart
    layer_sizes: IndexArray,  # [L], adding up to n
    quotas: IndexArray,  # [L]
    threads: int,
) -> IndexArray:
    """Keep `always` and each layer's quota of the largest others, ties to the lowest index.

    Raises
    ------
    ValueError
        The first entry that is not a finite number of at least 0.
    """
    del threads
    _check_diagonal(diagonal)
    kept = np.zeros(len(diagonal), dtype=np.bool_)
    for start, stop in always:
        kept[start:stop] = True
    first = 0
    chosen = []
    for size, quota in zip(layer_sizes, quotas, strict=True):
        free = first + np.flatnonzero(~kept[first : first + size])
        chosen.append(free[np.argsort(-diagonal[free], kind="stable")[:quota]])
        first += size
    kept[np.concatenate(chosen)] = True
    return np.flatnonzero(kept).astype(np.int64, copy=False)


def _check_diagonal(diagonal: FloatArray) -> None:
    bad = np.flatnonzero(~(np.isfinite(diagonal) & (diagonal >= 0)))
    if bad.size:
        value = diagonal[bad[0]]
        wanted = "at least 0" if np.isfinite(value) else "finite"
        raise ValueError(f"diagonal must be {wanted}: entry {bad[0]} is {value:.6g}")
