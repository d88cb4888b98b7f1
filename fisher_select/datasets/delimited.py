# SPDX-License-Identifier: Apache-2.0
"""Text tables into a `Frame`: separated by a character or by blanks, gzip or not (pyarrow)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fisher_select.datasets.frame import Column, Frame
from fisher_select.datasets.raw import opened
from fisher_select.errors import first_line
from fisher_select.extras import require

__all__ = ["BLANKS", "as_column", "read_delimited"]

BLANKS = "blanks"
"""The separator of tables whose columns are set apart by any number of blanks and tabs."""

_LARGEST = 2**31 - 1  # bytes that pyarrow parses as one block


def read_delimited(
    path: Path, *, header: bool, separator: str, quote: str, bad_lines: str
) -> Frame:
    """Read a text table.

    Parameters
    ----------
    path
        The file; its encoding is UTF-8.
    header
        Whether the first line has the names; otherwise they are "0", "1", ...
    separator
        One character, or "blanks".
    quote
        The character around cells that hold the separator.
    bad_lines : {"reject", "drop"}
        Refuse lines with more or fewer cells than the first, or leave them out.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        Lines of different lengths, other bytes than text, a corrupt gzip file, or no rows.
    MissingExtraError
        pyarrow is not installed.
    """
    require("pyarrow", extra="datasets")
    import pyarrow as pa
    from pyarrow import csv

    if separator != BLANKS and len(separator) != 1:
        raise ValueError(f"separator must be one character or {BLANKS!r}, got {separator!r}")
    if len(quote) != 1:
        raise ValueError(f"quote must be one character, got {quote!r}")
    with opened(path) as stream:
        text = stream.read()
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason})") from None
    if separator == BLANKS:
        text = b"\n".join(b" ".join(line.split()) for line in text.splitlines())
    if len(text) >= _LARGEST:
        raise ValueError(f"{path}: text tables of 2 GB and more are not read; use .parquet")
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            # One block: the type of a column follows from all of it, not from its beginning.
            # One thread: with more, messages lack the row.
            csv.ReadOptions(
                use_threads=False,
                autogenerate_column_names=not header,
                block_size=len(text) + 1,
            ),
            csv.ParseOptions(
                delimiter=" " if separator == BLANKS else separator,
                quote_char=quote,
                invalid_row_handler=None if bad_lines == "reject" else lambda _: "skip",
            ),
            csv.ConvertOptions(null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowException as error:
        raise ValueError(f"{path}: not a table ({first_line(error)})") from None
    names = table.column_names if header else map(str, range(table.num_columns))
    return Frame(path, tuple(names), tuple(as_column(column) for column in table.columns))


def as_column(column: Any) -> Column:
    """A column of pyarrow: numbers as float64, anything else as its text."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        # to_numpy gives NaN for what is missing in integers too, objects in booleans.
        if types.is_boolean(kind):
            column = column.cast(pa.uint8())
        return np.asarray(column.to_numpy()).astype(np.float64)
    found = np.empty(len(column), dtype=object)
    found[:] = [None if value is None else str(value) for value in column.to_pylist()]
    return found
