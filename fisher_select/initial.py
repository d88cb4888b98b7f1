# SPDX-License-Identifier: Apache-2.0
"""The rows a run starts from: given, drawn at random, or each class in its share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fisher_select.arrays import as_labeled
from fisher_select.datasets import Dataset
from fisher_select.options import as_count, one_of
from fisher_select.select import random

__all__ = ["STARTS", "initial_rows", "strata_of"]

STARTS = ("random", "stratified")


def strata_of(start: str, data: Dataset, oracle: object) -> NDArray[np.int64] | None:
    """The classes to draw the first rows by, or None where they are drawn at random.

    Parameters
    ----------
    start : {"random", "stratified"}
    data
        "stratified" reads the labels of its whole pool.
    oracle
        As given to the loop.

    Raises
    ------
    ValueError
        An unknown word, a task without classes that exclude each other, or an oracle: nobody
        knows the labels of a pool before they were bought.
    """
    if one_of("start", start, STARTS) == "random":
        return None
    if data.task != "multi_class":
        raise ValueError(
            f"start='stratified' needs classes that exclude each other, {data.name} is of the "
            f"task {data.task!r}; pass start='random'"
        )
    if oracle is not None:
        raise ValueError(
            "start='stratified' draws by the labels that the data set has of its whole pool, "
            "which an oracle is to give; pass start='random' with one"
        )
    return data.pool_labels


def initial_rows(
    n: int, initial: int | ArrayLike, *, seed: int, strata: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Check the given rows, or draw so many of them.

    Parameters
    ----------
    n
        Rows of the pool.
    initial
        Which rows, as indices or as a mask, or how many.
    seed
        Of the draw.
    strata : int array [n] or None
        Classes to draw by, see `shares`.

    Returns
    -------
    int64 array
        Sorted.

    Raises
    ------
    TypeError, ValueError
        No such rows, or fewer than there are classes to draw by.
    """
    if not isinstance(initial, int | np.integer):
        if strata is not None:
            raise ValueError("initial must be a number of rows with start='stratified'")
        rows = as_labeled(initial, n)
        if len(rows) == 0:
            raise ValueError("initial must name at least one row, got none")
        return rows
    count = as_count("initial", initial)
    if count > n:
        raise ValueError(f"initial must be at most the {n} rows of the pool, got {count}")
    if strata is None:
        return np.sort(random(n, batch_size=count, seed=seed).indices)
    order = random(n, batch_size=n, seed=seed).indices
    wanted = shares(np.bincount(strata), count)
    drawn = [order[strata[order] == label][:rows] for label, rows in enumerate(wanted)]
    return np.sort(np.concatenate(drawn))


def shares(sizes: NDArray[Any], count: int) -> NDArray[np.int64]:
    """How many of `count` rows each class gets: its share, and at least one where it has any.

    Parameters
    ----------
    sizes : int array [C]
        Rows of each class.
    count
        At most their sum.

    Raises
    ------
    ValueError
        More classes than rows to draw.
    """
    present = sizes > 0
    given = present.astype(np.int64)
    if count < given.sum():
        raise ValueError(
            f"initial must be at least {given.sum()} with start='stratified', one row a class "
            f"of the pool, got {count}"
        )
    for _ in range(count - given.sum()):  # to the class furthest behind its share (Webster)
        behind = np.where(given < sizes, sizes / (2 * given + 1), -1.0)
        given[behind.argmax()] += 1
    return given
