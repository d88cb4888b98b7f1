# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an array, in the same words wherever it lies: on the host or a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SUM_TOLERANCE = 1e-3
"""How far a softmax row's sum may be from 1: float16 outputs round by up to 5e-4."""

RANGE_TOLERANCE = 1e-6
"""How far a probability may lie outside [0, 1]: a few float32 roundings. Clipped."""

RENORMALIZE_ABOVE = 1e-5
"""Where a sum is off by more, which float32 rounding does not explain, sums are divided out."""


def shape_of(shape: tuple[int, ...]) -> str:
    """Write a shape as messages do: [3, 4]."""
    return f"[{', '.join(map(str, shape))}]"


def check_axes(name: str, shape: tuple[int, ...], axes: tuple[str, ...]) -> None:
    """ValueError unless there are these axes, none of them empty."""
    wanted = f"[{', '.join(axes)}]"
    if len(shape) != len(axes):
        raise ValueError(
            f"{name} must have {len(axes)} axes {wanted}, got {len(shape)} with shape "
            f"{shape_of(shape)}"
        )
    if 0 in shape:
        raise ValueError(f"{name} must not be empty: {wanted} wanted, got {shape_of(shape)}")


def check_one_axis(name: str, shape: tuple[int, ...]) -> None:
    """ValueError unless there is one axis, not empty."""
    if len(shape) != 1 or shape[0] == 0:
        raise ValueError(f"{name} must have one axis [n], n >= 1, got shape {shape_of(shape)}")


def check_outputs(name: str, shape: tuple[int, ...], n: int, *, softmax: bool) -> None:
    """ValueError unless a matrix of outputs has n rows, and classes enough for a softmax."""
    rows, classes = shape
    if rows != n:
        raise ValueError(
            f"{name} must have one row for each row of features: {n} wanted, got {rows}"
        )
    if softmax and classes < 2:
        raise ValueError(f"{name} must have at least 2 columns for softmax, got {classes}")


def not_finite(name: str, row: int, values: npt.NDArray[Any]) -> ValueError:
    """Names the first entry of a row, [d] or [D, r], that is not finite."""
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
    return ValueError(f"{name} must be finite: row {row}, column {first[0]} is {values[first]}")


def not_probabilities(name: str, row: int, values: npt.NDArray[Any]) -> ValueError:
    """Names the first entry of a row [C] outside [0, 1], or else the row's sum."""
    exact = values.astype(np.float64)
    total = exact.sum()
    outside = np.flatnonzero((exact < -RANGE_TOLERANCE) | (exact > 1.0 + RANGE_TOLERANCE))
    if outside.size:
        return ValueError(
            f"{name} must lie in [0, 1] (not logits): row {row}, column {outside[0]} is "
            f"{exact[outside[0]]:.6g}, the row's sum {total:.6g}"
        )
    return ValueError(
        f"{name} must sum to 1 in each row for softmax (within {SUM_TOLERANCE:g}): "
        f"row {row} sums to {total:.6g}"
    )
