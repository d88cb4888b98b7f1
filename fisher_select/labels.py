# SPDX-License-Identifier: Apache-2.0
"""Bought labels: what they may be for a task, and how a CSV file holds them.

The columns are ``index`` and ``label``, or for labels that do not exclude each other
``label_0`` to ``label_<C - 1>`` of 0 and 1.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select import files

__all__ = ["LabelFormat"]


@dataclass(frozen=True)
class LabelFormat:
    """The labels of a task: integers 0 to C - 1 [m], 0 and 1 [m, C], or finite values [m]."""

    task: str
    classes: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of a file's columns after ``index``."""
        if self.task == "multi_label":
            return tuple(f"label_{c}" for c in range(self.classes))
        return ("label",)

    def check(self, rows: NDArray[np.int64], labels: Any) -> NDArray[Any]:
        """Labels of `rows` as an array of this format; int64, or float64 of a regression.

        Raises
        ------
        ValueError
            Another shape, or a label that this task has not, naming its row.
        """
        array = np.asarray(labels)
        shape = (len(rows), self.classes) if self.task == "multi_label" else (len(rows),)
        if array.shape != shape:
            raise ValueError(
                f"labels of {len(rows)} rows must have shape {list(shape)}, got "
                f"{list(array.shape)}"
            )
        if array.dtype.kind not in "biuf":
            raise ValueError(f"labels must be numbers, got {array.dtype}")
        if self.task == "regression":
            bad = ~np.isfinite(array)
        else:
            bad = (array < 0) | (array > self._last) | (array != np.floor(array))
        if bad.any():
            at = int(np.flatnonzero(bad.reshape(len(rows), -1).any(axis=1))[0])
            raise ValueError(
                f"the label of row {rows[at]} must be {self._wanted}, got {array[at]}"
            )
        return array.astype(np.float64 if self.task == "regression" else np.int64)

    def write(self, path: Path, labels: Mapping[int, Any]) -> None:
        """Write labels by row, or empty cells where the label is None; whole or not at all."""
        empty = ("",) * len(self.columns)
        lines = [
            (row, *(empty if label is None else np.atleast_1d(label).tolist()))
            for row, label in labels.items()
        ]
        files.write_text(path, files.format_csv(("index", *self.columns), lines))

    def read(self, path: Path) -> tuple[dict[int, Any], list[int]]:
        """Labels by row, and the rows that have none, in the file's order.

        Further columns are left alone, so that an expert may add notes.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            No such table, a repeated row, or a label that this task has not; names file, row
            and value.
        """
        labels: dict[int, Any] = {}
        missing: list[int] = []
        for row, cells in self._cells(path):
            if row in labels or row in missing:
                raise ValueError(f"{path}: row {row} is there twice")
            if not all(cells):
                missing.append(row)
                continue
            try:
                values = [float(cell) for cell in cells]
            except ValueError:
                raise ValueError(
                    f"{path}: the label of row {row} must be {self._wanted}, got "
                    f"{','.join(cells)!r}"
                ) from None
            one = [values] if self.task == "multi_label" else values
            try:
                labels[row] = self.check(np.array([row]), one)[0]
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
        return labels, missing

    def _cells(self, path: Path) -> list[tuple[int, list[str]]]:
        wanted = ("index", *self.columns)
        try:
            # utf-8-sig: spreadsheets put a byte order mark in front.
            with path.open(newline="", encoding="utf-8-sig") as stream:
                header, *lines = [line for line in csv.reader(stream) if any(line)]
            where = [header.index(name) for name in wanted]
            found = [[line[at].strip() for at in where] for line in lines]
            return [(int(cells[0]), cells[1:]) for cells in found]
        except OSError as error:
            raise files.cannot_read(path, error) from None
        except (ValueError, IndexError, csv.Error):
            raise ValueError(
                f"{path}: expected a CSV with the columns {_listed(wanted)}, the first of "
                "integers"
            ) from None

    @property
    def _last(self) -> int:
        return 1 if self.task == "multi_label" else self.classes - 1

    @property
    def _wanted(self) -> str:
        if self.task == "regression":
            return "a finite number"
        return "0 or 1 each" if self.task == "multi_label" else f"an integer 0 to {self._last}"


def _listed(names: Sequence[str]) -> str:
    """All names, or the ends of a long list."""
    shown = [*names] if len(names) <= 4 else [*names[:2], "...", names[-1]]
    return ", ".join(shown)
