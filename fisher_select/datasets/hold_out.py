# SPDX-License-Identifier: Apache-2.0
"""A test set out of a source that brings none: seeded, stratified by class."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fisher_select.options import as_real, as_seed

__all__ = ["TEST_FRACTION", "Draw", "Part", "generator", "hold_out", "parts"]

TEST_FRACTION = 0.25
"""Share of the rows held out unless told otherwise."""


class Part(NamedTuple):
    """Some rows: inputs [n, ...] and their labels [n] or [n, classes]."""

    inputs: NDArray[Any]
    labels: NDArray[Any]


class Draw(IntEnum):
    """What a seed is for: one number given by the user, independent draws for each use."""

    HOLD_OUT = 0
    COUNTS = 1
    PROJECTION = 2
    NOISE = 3
    PART = 4
    DEGRADATION = 5


def generator(seed: int, draw: Draw) -> np.random.Generator:
    """The random numbers of one use of a seed."""
    as_seed(seed)
    return np.random.default_rng([seed, draw])


def hold_out(
    labels: NDArray[Any], test_fraction: float = TEST_FRACTION, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows into pool and test.

    Parameters
    ----------
    labels : ndarray [n] or [n, classes]
        Integers [n] are classes: the test set takes the same share of each, rounded, but at
        least one row of each class that has two or more, and never all of them. Floats, and
        labels that do not exclude each other, are split at random.
    test_fraction
        Share of the rows to hold out, between 0 and 1.
    seed
        Of the draw.

    Returns
    -------
    pool, test : ndarray of int64
        Row numbers, sorted.

    Raises
    ------
    ValueError
        A fraction outside (0, 1), or too few rows for both parts.
    """
    fraction = as_real("test_fraction", test_fraction, above=0)
    if fraction >= 1:
        raise ValueError(f"test_fraction must be less than 1, got {fraction:g}")
    draw = generator(seed, Draw.HOLD_OUT)
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        groups = [np.flatnonzero(labels == number) for number in np.unique(labels)]
    else:
        groups = [np.arange(len(labels))]
    held = []
    for rows in groups:
        count = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
        held.append(draw.permutation(rows)[:count])
    test = np.sort(np.concatenate(held)) if held else np.zeros(0, np.int64)
    if len(test) == 0:
        raise ValueError(f"{len(labels)} rows are too few to hold out a test set")
    return np.setdiff1d(np.arange(len(labels)), test), test


def parts(
    source: Path | str,
    rows: Part,
    test: Part | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
) -> tuple[Part, Part]:
    """Pool and test set: as the source has them, or split off the one part it has.

    Errors are those of `hold_out`, behind the name of the source.
    Splitting copies both parts, so that a memory map stays one only where `test` is given.
    """
    if test is not None:
        if test_fraction is not None:
            raise ValueError(
                f"{source}: test_fraction must not be set where there are test rows"
            )
        return rows, test
    fraction = TEST_FRACTION if test_fraction is None else test_fraction
    try:
        kept, held = hold_out(rows.labels, fraction, seed=seed)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    pool = Part(rows.inputs[kept], rows.labels[kept])
    return pool, Part(rows.inputs[held], rows.labels[held])
