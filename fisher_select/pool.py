# SPDX-License-Identifier: Apache-2.0
"""Pools in files, opened without being read: arrays that may be larger than memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select import files, parquet
from fisher_select.errors import first_line
from fisher_select.extras import require

__all__ = ["open_pool", "shape_of"]

# What zarr and its codecs raise for what is missing, damaged or of another kind.
_ZARR_ERRORS = (OSError, ValueError, TypeError, KeyError, RuntimeError)


def open_pool(path: str | Path, *, folder: str | Path | None = None) -> NDArray[Any]:
    """Open the features of a pool as an array that is read only where it is used.

    Parameters
    ----------
    path
        ``.npy`` is mapped; an array in ``.npz`` is read whole. ``.parquet`` (numeric columns,
        or equally long lists of numbers) and ``.zarr`` (one array of two axes) are copied
        once, some rows at a time, to a file of plain numbers that is mapped.
    folder
        Where that file goes, which takes as much room as the numbers; it has no name any more
        when this returns, and is gone with the array. None is the system's folder for
        temporary files.

    Returns
    -------
    ndarray [n, d]
        The "cpu" engine streams it, whichever the strategy, and so do scores by NumPy: memory
        does not grow with n beyond the engine's state.

    Raises
    ------
    OSError
        The file is missing, cannot be read, or does not fit into `folder`.
    ValueError
        It is of another kind, damaged, holds no numbers or has no rows.
    MissingExtraError
        ``.parquet`` without pyarrow, ``.zarr`` without zarr.

    Examples
    --------
    >>> import fisher_select as fs
    >>> X = fs.open_pool("features.parquet")           # doctest: +SKIP
    >>> picks = fs.bait(X, P, batch_size=100)          # doctest: +SKIP
    """
    path = Path(path)
    match path.suffix.lower():
        case ".npy" | ".npz":
            return files.read_array(path, ("features", "X"))
        case ".parquet":
            files.check_readable(path)
            return _spooled(path, parquet.row_count(path), parquet.pieces(path), folder)
        case ".zarr":
            array = _zarr(path)
            return _spooled(path, array.shape[0], _zarr_pieces(path, array), folder)
        case ending:
            raise ValueError(
                f"{path}: expected a .npy, .npz, .parquet or .zarr pool, got {ending!r}"
            )


def shape_of(path: Path, names: Sequence[str]) -> tuple[int, int]:
    """The shape of the array in such a file, of which no more is read than tells it.

    An ``.npz`` file is read whole: `names` are those the array may have in it.

    Raises
    ------
    OSError, ValueError, MissingExtraError
        As `open_pool`, as far as the shape shows what is wrong.
    """
    match path.suffix.lower():
        case ".parquet":
            files.check_readable(path)
            with closing(parquet.pieces(path)) as pieces:
                return parquet.row_count(path), next(pieces).shape[1]
        case ".zarr":
            shape = _zarr(path).shape
        case _:
            shape = files.read_array(path, names).shape
    if len(shape) != 2:
        raise ValueError(f"{path}: expected numbers [n, d], got {list(shape)}")
    return shape[0], shape[1]


def _spooled(
    path: Path, rows: int, pieces: Iterator[NDArray[Any]], folder: str | Path | None
) -> NDArray[Any]:
    """The pieces, one below the other, in a mapped file without a name."""
    if rows == 0:
        raise ValueError(f"{path}: the pool has no rows")
    with tempfile.NamedTemporaryFile(
        dir=folder, prefix="fisher-select-", suffix=".npy"
    ) as file:
        for number, piece in enumerate(pieces):
            if number == 0:
                dtype, shape = piece.dtype.newbyteorder("<"), (rows, piece.shape[1])
                header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(piece, dtype=dtype).data)
        file.flush()
        # The map outlives the name, and so does the file under it.
        return np.lib.format.open_memmap(file.name, mode="r")


def _zarr(path: Path) -> Any:
    if not path.is_dir():
        raise OSError(f"cannot read {path}: no such folder")
    require("zarr", extra="zarr")
    import zarr

    try:
        array = zarr.open_array(path, mode="r")
    except _ZARR_ERRORS as error:
        raise ValueError(f"{path}: not a zarr array ({first_line(error)})") from None
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: expected numbers [n, d], got {array.dtype} {list(array.shape)}"
        )
    return array


def _zarr_pieces(path: Path, array: Any) -> Iterator[NDArray[Any]]:
    """By the array's own chunks of rows: each is decompressed once."""
    step = array.chunks[0]
    for begin in range(0, array.shape[0], step):
        try:
            yield np.asarray(array[begin : begin + step])
        except _ZARR_ERRORS as error:
            raise ValueError(
                f"{path}: rows {begin} on are damaged ({first_line(error)})"
            ) from None
