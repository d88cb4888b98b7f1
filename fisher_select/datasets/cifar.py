# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 and CIFAR-100, "python version": pickled dictionaries of bytes and arrays.

A pickle is a program. Those read here may build dictionaries, lists, strings and numbers, and
say what arrays of bytes they hold, which are made here, after a check. Whatever else a file
asks for is refused before it is looked up.
Format: https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009).
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.raw import licence_beside, opened
from fisher_select.errors import first_line
from fisher_select.options import one_of

__all__ = ["cifar"]

_SHAPE = (3, 32, 32)  # channels first: 1,024 red values, then green, then blue

# A damaged pickle can fail in any of the operations it is made of.
_CORRUPT = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


def cifar(path: str | Path, *, labels: str = "fine") -> Dataset:
    """Read the folder of CIFAR-10 or CIFAR-100 as its archive unpacks.

    Parameters
    ----------
    path
        ``cifar-10-batches-py`` (``data_batch_1`` to ``data_batch_5``, ``test_batch``,
        ``batches.meta``) or ``cifar-100-python`` (``train``, ``test``, ``meta``). What tells
        them apart is the file ``batches.meta``.
    labels : {"fine", "coarse"}
        Of CIFAR-100: its 100 classes or its 20 superclasses.

    Returns
    -------
    Dataset
        Multi-class; inputs uint8 [n, 3, 32, 32].

    Raises
    ------
    OSError
        A file is missing or cannot be read.
    ValueError
        A file is truncated, corrupt, asks for more than arrays and bytes, or lacks a key; sizes
        or labels are wrong.
    """
    one_of("labels", labels, ("fine", "coarse"))
    folder = Path(path)
    if (folder / "batches.meta").is_file():
        if labels != "fine":
            raise ValueError(f"labels must be 'fine' for CIFAR-10, got {labels!r}")
        names = _names(folder / "batches.meta", b"label_names")
        train = [folder / f"data_batch_{number}" for number in range(1, 6)]
        key, test = b"labels", folder / "test_batch"
    else:
        names = _names(folder / "meta", f"{labels}_label_names".encode())
        key, train, test = f"{labels}_labels".encode(), [folder / "train"], folder / "test"
    batches = [_batch(file, key, len(names)) for file in (*train, test)]
    pool_inputs, pool_labels = map(np.concatenate, zip(*batches[:-1], strict=True))
    return Dataset(
        folder.resolve().name,
        pool_inputs,
        pool_labels,
        *batches[-1],
        classes=len(names),
        class_names=names,
        image_shape=_SHAPE,
        licence=licence_beside(folder),
    )


def _read_batch(path: Path, keys: Sequence[bytes]) -> dict[bytes, Any]:
    """Unpickle a dictionary that has `keys`; its arrays are still stand-ins.

    Python 2 wrote it, or Python 3 by a protocol up to 4.
    """
    with opened(path) as stream:
        data = stream.read()
    try:
        _check_operations(data)
        found = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
    except _Refused as error:
        raise ValueError(f"{path}: refused, for safety: {error}") from None
    except _CORRUPT as error:
        raise ValueError(f"{path}: not a complete pickle ({first_line(error)})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: must hold a dictionary, got {type(found).__name__}")
    # Python 3 wrote what Python 2 called str, if the file was pickled again.
    found = {
        k.encode("utf-8", "replace") if isinstance(k, str) else k: v for k, v in found.items()
    }
    missing = [key.decode() for key in keys if key not in found]
    if missing:
        raise ValueError(f"{path}: no key {', '.join(missing)}")
    return found


def _check_operations(data: bytes) -> None:
    """Check that lengths lie within the data, and that nothing is numbered out of turn.

    The unpickler makes room for all lower numbers of what it is to remember, at once: one
    altered byte can ask for gigabytes.
    """
    for opcode, argument, position in pickletools.genops(data):
        remembers = opcode.name in ("PUT", "BINPUT", "LONG_BINPUT")
        # Each lower number takes at least a byte before this one.
        if remembers and argument not in range((position or 0) + 1):
            raise ValueError(f"object number {argument} at byte {position}")


class _Refused(pickle.UnpicklingError):
    """A pickle asks for something else than arrays."""


class _Kind:
    """Stands for a NumPy type in a pickle: keeps its code, such as "u1"."""

    def __init__(self, code: object = None, *_: object) -> None:
        self.code = code.decode("ascii", "replace") if isinstance(code, bytes) else code

    def __setstate__(self, state: object) -> None:
        """Byte order and fields: nothing that one byte could have."""


class _Array:
    """Stands for an array in a pickle: NumPy's own way to restore one trusts the file."""

    def __init__(self, *_: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def table(self) -> NDArray[np.uint8] | None:
        """The array, if it is one of uint8 [rows, columns] and has as many bytes."""
        match self.state:
            case (_, (int(rows), int(columns)), _Kind(code="u1"), fortran, bytes(data)):
                if min(rows, columns) > 0 and rows * columns == len(data):
                    order: Literal["F", "C"] = "F" if fortran else "C"
                    return np.frombuffer(data, np.uint8).reshape(rows, columns, order=order)
        return None


# The module of the function that makes an empty array has had two names.
_STAND_INS: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _STAND_INS:
            raise _Refused(f"the pickle asks for {module}.{name}, only arrays are read")
        return _STAND_INS[module, name]


def _names(path: Path, key: bytes) -> tuple[str, ...]:
    names = _read_batch(path, [key])[key]
    if not isinstance(names, list) or not all(isinstance(n, bytes | str) for n in names):
        raise ValueError(f"{path}: {key.decode()} must be a list of names")
    return tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else n for n in names)


def _batch(path: Path, key: bytes, classes: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Images [n, 3, 32, 32] and labels [n] of one file."""
    batch = _read_batch(path, [b"data", key])
    held, width = batch[b"data"], math.prod(_SHAPE)
    data = held.table() if isinstance(held, _Array) else None
    if data is None or data.shape[1] != width:
        raise ValueError(f"{path}: data must be an array of uint8 [n, {width}]")
    listed = batch[key]
    if not isinstance(listed, list) or len(listed) != len(data):
        raise ValueError(f"{path}: {key.decode()} must be a list of {len(data)}, one an image")
    if not all(type(label) is int and 0 <= label < classes for label in listed):
        raise ValueError(f"{path}: {key.decode()} must be integers from 0 to {classes - 1}")
    return data.reshape(-1, *_SHAPE), np.array(listed, dtype=np.int64)
