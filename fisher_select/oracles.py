# SPDX-License-Identifier: Apache-2.0
"""Who labels the picked rows: an array that knows all, a function, or an expert with a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fisher_select.labels import LabelFormat

__all__ = ["FileOracle", "LabelsNeeded", "Oracle", "resolve"]

Oracle: TypeAlias = Callable[[NDArray[np.int64]], Any]
"""From rows of the pool [m] to their labels: int [m], 0 and 1 [m, C], or float [m].

A run that was killed between an answer and its being written down asks once more."""

_FILE = "to_label.csv"
_SHOWN = 10  # rows that a message lists


class LabelsNeeded(Exception):
    """The run waits for an expert; iterate again, or start it again, when labels are there.

    Attributes
    ----------
    path : Path
        The file to fill.
    rows : tuple of int
        Rows of the pool without a label.
    """

    def __init__(self, path: Path, rows: Sequence[int], total: int) -> None:
        listed = ", ".join(map(str, rows[:_SHOWN])) + (", ..." if len(rows) > _SHOWN else "")
        which = f"all {total}" if len(rows) == total else f"{len(rows)} of {total}"
        super().__init__(
            f"{path}: {which} rows wait for a label ({listed}); fill them in and run again"
        )
        self.path = path
        self.rows = tuple(rows)


@dataclass(frozen=True)
class FileOracle:
    """An expert fills a CSV file, between two starts of the run.

    The loop writes the picked rows with empty labels, raises `LabelsNeeded`, and takes the
    file, which it then removes, when it is iterated again and every row has its label.

    Attributes
    ----------
    path : Path or None
        None: ``to_label.csv`` in the run directory, which such a run must have.
    labels : LabelFormat or None
        Set by the loop.
    """

    path: Path | None = None
    labels: LabelFormat | None = None

    def __call__(self, rows: NDArray[np.int64]) -> Any:
        """Read the labels of `rows`, or ask for them.

        Raises
        ------
        LabelsNeeded
            Rows without a label; the file holds them now.
        ValueError
            A label that the task has not, or a file about other rows; nothing is overwritten.
        """
        if self.path is None or self.labels is None:
            raise ValueError("FileOracle must be handed to a loop, which knows path and labels")
        wanted = rows.tolist()
        if not self.path.exists():
            self.labels.write(self.path, dict.fromkeys(wanted))
            raise LabelsNeeded(self.path, wanted, len(wanted))
        found, missing = self.labels.read(self.path)
        other = sorted({*found, *missing} ^ set(wanted))
        if other:
            raise ValueError(
                f"{self.path}: expected the {len(wanted)} rows that were asked for and no "
                f"others, row {other[0]} is {'missing' if other[0] in wanted else 'no such'}"
            )
        if missing:
            raise LabelsNeeded(self.path, missing, len(wanted))
        return np.array([found[row] for row in wanted])

    def settled(self) -> None:
        """Remove the file: its labels have been written down."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def resolve(
    oracle: object, pool_labels: NDArray[Any], labels: LabelFormat, run_dir: Path | None
) -> Oracle:
    """The oracle as a function.

    Parameters
    ----------
    oracle : None, array [n, ...], callable or FileOracle
        None takes `pool_labels`.

    Raises
    ------
    ValueError
        An array of another length, or a `FileOracle` without a run directory.
    """
    if isinstance(oracle, FileOracle):
        if run_dir is None:
            raise ValueError("run_dir must be given with a FileOracle: labels are kept there")
        return replace(oracle, path=oracle.path or run_dir / _FILE, labels=labels)
    if callable(oracle):
        return oracle
    known = pool_labels if oracle is None else np.asarray(oracle)
    if known.ndim == 0 or len(known) != len(pool_labels):
        raise ValueError(
            f"oracle must hold a label for each of the {len(pool_labels)} rows of the pool, "
            f"got shape {list(known.shape)}"
        )
    return known.__getitem__
