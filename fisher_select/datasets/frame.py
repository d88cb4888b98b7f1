# SPDX-License-Identifier: Apache-2.0
"""A table as its file has it: named columns of numbers or of words, whatever the format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Frame"]

Column = NDArray[Any]
"""float64 [n], NaN where a value is missing; or objects [n], str, None where one is."""


@dataclass(frozen=True)
class Frame:
    """Columns of equal length in the file's order, and the file for messages.

    Raises
    ------
    ValueError
        No rows, no columns, or names that come twice.
    """

    path: Path
    names: tuple[str, ...]
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns[0]) == 0:
            missing = "rows" if self.columns else "columns"
            raise ValueError(f"{self.path}: no {missing} are left of the table")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{self.path}: two columns are named {', '.join(map(repr, twice))}"
            )

    def place(self, key: str, wanted: int | str) -> int:
        """The place of a column given by name, or by number (from the end if negative).

        `key` is the option's name for messages.
        """
        if isinstance(wanted, str):
            if wanted not in self.names:
                raise ValueError(
                    f"{self.path}: {key} {wanted!r} is no column; there are "
                    f"{', '.join(self.names)}"
                )
            return self.names.index(wanted)
        count = len(self.names)
        if not -count <= wanted < count:
            raise ValueError(
                f"{self.path}: {key} must be a name or -{count} to {count - 1}, got {wanted}"
            )
        return wanted % count

    def without(self, places: Iterable[int]) -> Frame:
        """The other columns."""
        left_out = set(places)
        kept = [place for place in range(len(self.names)) if place not in left_out]
        return Frame(
            self.path,
            tuple(self.names[place] for place in kept),
            tuple(self.columns[place] for place in kept),
        )

    def parsed(self, missing_words: Iterable[str], replace: Mapping[str, float]) -> Frame:
        """Take words for what they stand for: missing values, or numbers.

        A column of words becomes numbers where all that is left are numbers. Infinite values
        are refused.
        """
        missing = set(missing_words)
        columns = tuple(_parsed(column, missing, replace) for column in self.columns)
        for name, column in zip(self.names, columns, strict=True):
            if column.dtype.kind == "f" and np.isinf(column).any():
                row = int(np.argmax(np.isinf(column)))
                raise ValueError(f"{self.path}: column {name!r} is infinite in row {row}")
        return Frame(self.path, self.names, columns)

    def rows(self, kept: NDArray[np.int64]) -> Frame:
        """Some rows, by number."""
        return Frame(self.path, self.names, tuple(column[kept] for column in self.columns))

    def missing(self) -> NDArray[np.bool_]:
        """Where values are missing [n, columns]."""
        return np.column_stack([is_missing(column) for column in self.columns])


def is_missing(column: Column) -> NDArray[np.bool_]:
    """Where a column has no value [n]."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    return np.array([value is None for value in column], dtype=np.bool_)


def _parsed(column: Column, missing: set[str], replace: Mapping[str, float]) -> Column:
    if column.dtype.kind == "f":
        return column
    words = [None if word is None or word.strip() in missing else word for word in column]
    values = np.empty(len(words), dtype=np.float64)
    try:
        for row, word in enumerate(words):
            values[row] = np.nan if word is None else replace.get(word.strip(), word)
    except ValueError:
        found = np.empty(len(words), dtype=object)
        found[:] = words
        return found
    return values
