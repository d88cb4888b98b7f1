# SPDX-License-Identifier: Apache-2.0
"""Numbers out of .parquet files, some rows at a time."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.errors import first_line
from fisher_select.extras import require

__all__ = ["pieces", "row_count"]

_VALUES = 1 << 22  # of a piece: some tens of megabytes
_MOST_ROWS = 1 << 16


def row_count(path: Path) -> int:
    """Rows of the table, by what the file says at its end."""
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def pieces(path: Path) -> Generator[NDArray[Any]]:
    """The table's rows in order, as arrays [rows, width]; a single empty one of no rows.

    Parameters
    ----------
    path
        Numeric columns, or columns of equally long lists of numbers, side by side.

    Raises
    ------
    ValueError
        The file is damaged, has no columns, missing values, lists of different lengths or
        something other than numbers; the message names the column.
    MissingExtraError
        pyarrow is not installed.
    """
    with _opened(path) as file:
        import pyarrow as pa

        names = file.schema_arrow.names
        if not names:
            raise ValueError(f"{path}: the table has no columns")
        widths: list[int] | None = None
        try:
            for batch in file.iter_batches(batch_size=_rows_at_once(file)):
                table = pa.Table.from_batches([batch])
                columns = [_numbers(path, name, table.column(name)) for name in names]
                found = [column.shape[1] for column in columns]
                for name, width, before in zip(names, found, widths or found, strict=True):
                    if width != before:
                        raise _ragged(path, name)
                widths = found
                yield np.concatenate(columns, axis=1)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from None
        if widths is None:
            yield np.empty((0, len(names)))


def _opened(path: Path) -> Any:
    """The file as pyarrow's ParquetFile, which closes it at the end of a with block."""
    require("pyarrow", extra="parquet")
    import pyarrow as pa
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _rows_at_once(file: Any) -> int:
    """Rows of a piece, by how many numbers a row has on average."""
    groups = (file.metadata.row_group(g) for g in range(file.metadata.num_row_groups))
    values = sum(g.column(c).num_values for g in groups for c in range(g.num_columns))
    width = max(1, values // max(1, file.metadata.num_rows))
    return int(max(1, min(_MOST_ROWS, _VALUES // width)))


def _numbers(path: Path, name: str, column: Any) -> NDArray[Any]:
    """One table column as [rows, width]: width 1 for numbers, the length for lists of them."""
    import pyarrow.compute
    from pyarrow import types

    width, kind, gaps = 1, column.type, column.null_count
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        lengths = pyarrow.compute.unique(pyarrow.compute.list_value_length(column)).to_pylist()
        if len(lengths) > 1 and not gaps:
            raise _ragged(path, name)
        width, kind = lengths[0] if lengths else 0, kind.value_type
        column = pyarrow.compute.list_flatten(column)
        gaps += column.null_count
    if gaps:
        raise ValueError(f"{path}: column {name!r} has {gaps} missing values")
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        raise ValueError(f"{path}: column {name!r} holds {kind}, expected numbers")
    return np.asarray(column.to_numpy()).reshape(-1, width)


def _ragged(path: Path, name: str) -> ValueError:
    return ValueError(f"{path}: column {name!r} holds lists of different lengths")


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path}: not a complete .parquet file ({first_line(error)})")
