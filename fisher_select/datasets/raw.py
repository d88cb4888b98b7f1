# SPDX-License-Identifier: Apache-2.0
"""Bytes and arrays out of files: gzip or not, zipped arrays, memory maps; failures are named.

What cannot be opened is an OSError in the system's words. What can, but is not whole, is a
ValueError of one line that names the file.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.errors import first_line
from fisher_select.files import CORRUPT, cannot_read

__all__ = [
    "check_finite",
    "licence_beside",
    "opened",
    "read_npy",
    "read_npz",
    "stem",
]

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 24  # of an array looked at together: bounds the temporaries

# A header that asks for more memory than there is counts: no array of that size was ever
# written.
_CORRUPT = (
    *CORRUPT,
    TypeError,
    RuntimeError,
    OverflowError,
    MemoryError,
    KeyError,
    struct.error,
)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream of a file's bytes, unpacked if they begin as gzip does.

    The checksum of a gzip file is checked when it is read to its end.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        The gzip stream is truncated or corrupt; raised where the block reads.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise cannot_read(path, error) from None
    with raw:
        packed = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        try:
            # gzip.open on a stream would leave the kind of its errors as it is.
            yield gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[misc]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{path}: not a complete gzip file ({first_line(error)})"
            ) from None


def read_npy(path: Path) -> NDArray[Any]:
    """Map an ``.npy`` file into memory, read-only; ValueError when it is not whole."""
    with opened(path):
        pass
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except _CORRUPT as error:
        raise ValueError(f"{path}: not a complete .npy file ({first_line(error)})") from None


def read_npz(
    path: Path, required: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> dict[str, NDArray[Any]]:
    """Read named arrays of an ``.npz`` file, their checksums checked; no pickled objects.

    Parameters
    ----------
    path
        The archive.
    required, optional
        For each name in the result, the array's name in the archive.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        A required array is missing, or the archive is truncated or corrupt.
    """
    with opened(path):
        pass
    wanted = dict(required) | dict(optional or {})
    try:
        with zipfile.ZipFile(path) as archive:
            held = [entry.removesuffix(".npy") for entry in archive.namelist()]
            missing = [name for name in required.values() if name not in held]
            found = {
                key: _read_member(archive, name)
                for key, name in wanted.items()
                if name in held and not missing
            }
    except _CORRUPT as error:
        raise ValueError(f"{path}: not a complete .npz file ({first_line(error)})") from None
    if missing:
        raise ValueError(
            f"{path}: no array named {', '.join(missing)}; it holds {_shown(held) or 'none'}"
        )
    return found


def _shown(names: list[str]) -> str:
    """Names out of a file, which may hold anything, on one line."""
    return ", ".join(name if name.isprintable() else repr(name) for name in names)


def _read_member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    # Read whole first: the checksum stands at the end, and is checked before the header is
    # believed.
    stream = io.BytesIO(archive.read(f"{name}.npy"))
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def check_finite(path: Path, what: str, array: NDArray[Any]) -> None:
    """Check that an array holds finite real numbers; ValueError names the first that is not.

    Floats are read once, piece by piece; integers are believed.
    """
    if array.dtype.kind in "biu":
        return
    if array.dtype.kind != "f":
        raise ValueError(f"{path}: {what} must be numbers, got {array.dtype}")
    step = max(1, _CHUNK_BYTES // max(1, array.nbytes // max(1, len(array))))
    for start in range(0, len(array), step):
        finite = np.isfinite(array[start : start + step])
        if not finite.all():
            first = start + int(np.argwhere(~finite)[0, 0])
            raise ValueError(f"{path}: {what} must be finite, row {first} is not")


def licence_beside(folder: Path) -> str | None:
    """The text of ``LICENSE``, ``LICENSE.txt`` or ``LICENSE.md`` of a folder, or None."""
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md"):
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace").strip()
    return None


def stem(path: Path) -> str:
    """A data set's name: the file's or folder's, without its endings."""
    return path.name.split(".")[0] or path.name
