# SPDX-License-Identifier: Apache-2.0
"""Files: arrays in from .npy (memory-mapped), .npz and .parquet; out goes all or nothing.

A file is written under a temporary name in its folder and renamed when complete, so that a
reader, or a killed run, never meets half of one.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select import parquet
from fisher_select.errors import first_line
from fisher_select.selection import Selection

__all__ = [
    "CORRUPT",
    "PICK_COLUMNS",
    "cannot_read",
    "check_readable",
    "check_writable",
    "format_csv",
    "make_folder",
    "pick_rows",
    "read_array",
    "read_indices",
    "replacing",
    "write_json",
    "write_text",
]

PICK_COLUMNS = ("rank", "index", "score")

# What NumPy and zipfile raise for files that are cut short, altered or of another kind.
CORRUPT = (
    ValueError,
    EOFError,
    OSError,
    SyntaxError,
    tokenize.TokenError,  # a header is parsed as Python
    zipfile.BadZipFile,
    zlib.error,
)


def read_array(path: Path, names: Sequence[str]) -> NDArray[Any]:
    """Read one array; the kind of file follows from its ending.

    Parameters
    ----------
    path
        ``.npy`` (memory-mapped, read-only), ``.npz`` (the first of `names` it holds, or its
        only array) or ``.parquet`` (numeric columns, or one column of equally long lists).
    names
        Names the array may have in an ``.npz`` file, the preferred one first.

    Returns
    -------
    ndarray
        Whatever the ``.npy`` or ``.npz`` file holds; [rows, columns] from ``.parquet``.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is of another kind, truncated, corrupt, or holds no such array.
    MissingExtraError
        ``.parquet`` without pyarrow installed.
    """
    check_readable(path)
    match path.suffix.lower():
        case ".npy":
            return _read_npy(path)
        case ".npz":
            return _read_npz(path, names)
        case ".parquet":
            return np.concatenate(list(parquet.pieces(path)))
        case ending:
            raise ValueError(f"{path}: expected a .npy, .npz or .parquet file, got {ending!r}")


def read_indices(path: Path) -> NDArray[Any]:
    """Read labelled rows: an index array or boolean mask, or the ``index`` column of a CSV.

    The CSV is what ``fisher-select select`` writes. Other endings are as in `read_array`
    (array name ``labeled``); a single column is returned as one dimension.
    """
    if path.suffix.lower() != ".csv":
        array = read_array(path, ("labeled",))
        return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    check_readable(path)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            header, *rows = csv.reader(stream)
        column = header.index("index")
        return np.array([int(row[column]) for row in rows], dtype=np.int64)
    except (IndexError, ValueError, OverflowError, csv.Error):
        raise ValueError(f"{path}: expected a CSV with a column 'index' of integers") from None


def check_readable(path: Path) -> None:
    """Raise the system's own reason now, so that later failures mean the content."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise cannot_read(path, error) from None


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except CORRUPT as error:
        raise ValueError(f"{path}: not a complete .npy file ({first_line(error)})") from None


def _read_npz(path: Path, names: Sequence[str]) -> NDArray[Any]:
    try:
        # Opened here because NumPy forgets to close what turns out not to be an archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            held = list(getattr(archive, "files", ()))
            name = next((name for name in names if name in held), None)
            if name is None and len(held) == 1:
                name = held[0]
            array = None if name is None else archive[name]
    except (*CORRUPT, TypeError) as error:
        raise ValueError(f"{path}: not a complete .npz file ({first_line(error)})") from None
    if array is None:
        raise ValueError(
            f"{path}: expected an array named {' or '.join(names)}, or a single array; "
            f"it holds {', '.join(held) or 'none'}"
        )
    return np.asarray(array)


def check_writable(path: Path) -> None:
    """Raise OSError now if `path` could not be written at the end of the work."""
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: it exists and is not a regular file")
    try:
        with replacing(path, commit=False) as temporary:
            temporary.touch()
    except OSError as error:
        raise OSError(f"cannot write {path}: {_reason(error)}") from None


def make_folder(path: Path) -> None:
    """Make a folder, and its parents, that files can be written to; OSError if impossible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make folder {path}: {_reason(error)}") from None
    check_writable(path / "probe")


@contextmanager
def replacing(path: Path, *, commit: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the ending of `path` and never outlives the block.
    """
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        if commit:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file or none."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: object) -> None:
    """Write a whole JSON file or none; NaN is refused, as JSON has no word for it."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def format_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV text; floats are written so that they read back exactly."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def pick_rows(selection: Selection) -> Iterator[tuple[int, int, float]]:
    """Rows of PICK_COLUMNS, one a pick; the first pick has rank 1."""
    picks = zip(selection.indices.tolist(), selection.scores.tolist(), strict=True)
    for rank, (index, score) in enumerate(picks, start=1):
        yield rank, index, score


def cannot_read(path: Path, error: OSError) -> OSError:
    """What to raise for a file or folder that the system would not open."""
    return OSError(f"cannot read {path}: {_reason(error)}")


def _reason(error: OSError) -> str:
    """The system's words without the path, which the message already names."""
    return (error.strerror or first_line(error)).lower()
