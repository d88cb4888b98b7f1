# SPDX-License-Identifier: Apache-2.0
"""Parquet tables into a `Frame`, by pyarrow."""

from __future__ import annotations

from pathlib import Path

from fisher_select.datasets.delimited import as_column
from fisher_select.datasets.frame import Frame
from fisher_select.datasets.raw import opened
from fisher_select.errors import first_line
from fisher_select.extras import require

__all__ = ["read_parquet"]


def read_parquet(path: Path) -> Frame:
    """Read all columns; what is neither number nor bool becomes its text, null is missing.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is truncated or corrupt (pages carry checksums only where their writer made them),
        or has no rows.
    MissingExtraError
        pyarrow is not installed.
    """
    require("pyarrow", extra="datasets")
    import pyarrow as pa
    import pyarrow.parquet

    with opened(path):
        pass
    try:
        table = pyarrow.parquet.read_table(path, page_checksum_verification=True)
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise ValueError(
            f"{path}: not a complete .parquet file ({first_line(error)})"
        ) from None
    columns = tuple(as_column(column) for column in table.columns)
    return Frame(path, tuple(table.column_names), columns)
