# SPDX-License-Identifier: Apache-2.0
"""Tables of pandas, polars and pyarrow, and columns of them, as NumPy arrays and as rows.

None of the three is ever imported, only met when already loaded. Rows count by position: an
index of pandas neither reorders nor aligns anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fisher_select.extras import is_a

__all__ = ["column_to_numpy", "is_column", "is_table", "rows_at", "table_to_numpy"]

_TABLES = (
    ("pandas", "DataFrame"),
    ("polars", "DataFrame"),
    ("pyarrow", "Table"),
    ("pyarrow", "RecordBatch"),
)
_COLUMNS = (
    ("pandas", "Series"),
    ("polars", "Series"),
    ("pyarrow", "Array"),
    ("pyarrow", "ChunkedArray"),
)


class _Column(NamedTuple):
    """A column of a table, and whether its type is one of numbers or bools."""

    label: object
    values: Any
    type: Any
    numeric: bool


def is_table(value: object) -> bool:
    """Whether it is a table in memory: a DataFrame, or pyarrow's Table or RecordBatch."""
    return any(is_a(value, library, kind) for library, kind in _TABLES)


def is_column(value: object) -> bool:
    """Whether it is a column in memory: a Series, or pyarrow's Array or ChunkedArray."""
    return any(is_a(value, library, kind) for library, kind in _COLUMNS)


def table_to_numpy(name: str, table: Any) -> npt.NDArray[Any]:
    """Columns of numbers, side by side, as an array [n, d].

    A view where the library keeps them in one array, as pandas does with a frame made of one.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    table : table
        One for which `is_table` holds.

    Raises
    ------
    TypeError
        A column holds neither numbers nor bools; the message names it.
    ValueError
        A column lacks an entry; the message names row and column. NaN among floats is left to
        whoever checks the numbers.
    """
    columns = list(_columns(table))
    if not columns:
        return np.empty((len(table), 0))
    for column in columns:
        if not column.numeric:
            raise TypeError(
                f"{name} must hold numbers: column {column.label!r} is of type {column.type}"
            )
    for column in columns:
        row = _first_null(column.values)
        if row is not None:
            raise ValueError(
                f"{name} must have no missing values: row {row}, column {column.label!r} is "
                "null"
            )
    if is_a(table, "pandas", "DataFrame"):
        # By itself pandas makes objects of bools beside floats, and of types that can be null.
        common = np.result_type(*(_numpy_type(column.type) for column in columns))
        array: npt.NDArray[Any] = table.to_numpy(dtype=common)
        return array
    return np.asarray(table)


def column_to_numpy(name: str, column: Any) -> npt.NDArray[Any]:
    """Entries of a column as an array [n], of whatever type they are.

    Raises
    ------
    ValueError
        An entry is missing; the message names its row.
    """
    row = _first_null(column)
    if row is not None:
        raise ValueError(f"{name} must have no missing values: row {row} is null")
    if is_a(column, "pandas", "Series"):
        array: npt.NDArray[Any] = column.to_numpy(dtype=_numpy_type(column.dtype))
        return array
    return np.asarray(column)


def rows_at(rows: Any, indices: npt.NDArray[np.int64]) -> Any:
    """Rows of a table, a column, an array or a list, in the order of `indices`."""
    if hasattr(rows, "iloc"):  # pandas: the labels stay on
        return rows.iloc[indices]
    if any(is_a(rows, *kind) for kind in (*_TABLES, *_COLUMNS) if kind[0] == "pyarrow"):
        return rows.take(indices)
    if hasattr(rows, "__array__"):  # NumPy, torch, polars
        return rows[indices]
    return [rows[i] for i in indices]


def _columns(table: Any) -> Iterator[_Column]:
    if is_a(table, "pandas", "DataFrame"):
        for at, label in enumerate(table.columns):  # labels may repeat
            values = table.iloc[:, at]
            kind = getattr(_numpy_type(values.dtype), "kind", "O")
            yield _Column(label, values, values.dtype, kind in "biuf")
    elif is_a(table, "polars", "DataFrame"):
        for values in table.iter_columns():
            dtype = values.dtype
            numeric = dtype.is_integer() or dtype.is_float() or str(dtype) == "Boolean"
            yield _Column(values.name, values, dtype, numeric)
    else:
        known = sys.modules["pyarrow"].types
        tests = (known.is_integer, known.is_floating, known.is_boolean)
        for field, values in zip(table.schema, table.columns, strict=True):
            numeric = any(test(field.type) for test in tests)
            yield _Column(field.name, values, field.type, numeric)


def _numpy_type(dtype: Any) -> np.dtype[Any] | None:
    """NumPy's type of a pandas column, also of one that can hold nulls; None without one."""
    return dtype if isinstance(dtype, np.dtype) else getattr(dtype, "numpy_dtype", None)


def _first_null(column: Any) -> int | None:
    """The first missing entry of a column whose type knows them: NumPy's types do not."""
    if is_a(column, "pandas", "Series"):
        if isinstance(column.dtype, np.dtype):
            return None
        missing = column.isna()
    else:
        missing = column.is_null()
    found = np.flatnonzero(np.asarray(missing))
    return int(found[0]) if found.size else None
