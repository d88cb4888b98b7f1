# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 and CIFAR-100, "python version": pickled dictionaries of bytes and arrays.

A pickle is a program. The one that reads these files may build dictionaries, lists, strings,
numbers and NumPy arrays; whatever else a file asks for is refused before it is looked up.
Format: https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.raw import first_line, licence_beside, opened
from fisher_select.datasets.targets import as_labels
from fisher_select.options import one_of

__all__ = ["cifar", "read_batch"]

_SHAPE = (3, 32, 32)  # channels first: 1,024 red values, then green, then blue

# The function that NumPy's pickles call to make an empty array; its module's name has changed.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}

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


def read_batch(path: Path, keys: Sequence[bytes]) -> dict[bytes, Any]:
    """Unpickle a dictionary of bytes, lists and arrays; nothing of the file is executed.

    Parameters
    ----------
    path
        Written by Python 2, or by Python 3 up to pickle protocol 4.
    keys
        What must be there.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        It is truncated or corrupt, names anything but NumPy's arrays, or lacks a key.
    """
    with opened(path) as stream:
        try:
            found = _ArrayUnpickler(stream, encoding="bytes").load()
        except _Refused as error:
            raise ValueError(f"{path}: refused, for safety: {error}") from None
        except _CORRUPT as error:
            raise ValueError(f"{path}: not a complete pickle ({first_line(error)})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: must hold a dictionary, got {type(found).__name__}")
    # Python 3 wrote what Python 2 called str, if the file was pickled again.
    found = {k.encode() if isinstance(k, str) else k: v for k, v in found.items()}
    missing = [key.decode() for key in keys if key not in found]
    if missing:
        raise ValueError(f"{path}: no key {', '.join(missing)}")
    return found


class _Refused(pickle.UnpicklingError):
    """A pickle asks for something else than arrays."""


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in _ALLOWED:
            raise _Refused(f"the pickle asks for {module}.{name}, only arrays are read")
        allowed: Callable[..., Any] = _ALLOWED[module, name]
        return allowed


def _names(path: Path, key: bytes) -> tuple[str, ...]:
    names = read_batch(path, [key])[key]
    if not isinstance(names, list) or not all(isinstance(n, bytes | str) for n in names):
        raise ValueError(f"{path}: {key.decode()} must be a list of names")
    return tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else n for n in names)


def _batch(path: Path, key: bytes, classes: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Images [n, 3, 32, 32] and labels [n] of one file."""
    batch = read_batch(path, [b"data", key])
    data, width = batch[b"data"], int(np.prod(_SHAPE))
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
        raise ValueError(f"{path}: data must be an array of uint8")
    if data.ndim != 2 or data.shape[1] != width or len(data) == 0:
        raise ValueError(f"{path}: data must be [n, {width}], got {list(data.shape)}")
    if not isinstance(batch[key], list | np.ndarray) or len(batch[key]) != len(data):
        raise ValueError(f"{path}: {key.decode()} must be a list of {len(data)}, one an image")
    try:
        listed = np.asarray(batch[key])
    except ValueError:
        raise ValueError(f"{path}: {key.decode()} must be a list of numbers") from None
    labels, _ = as_labels(path, listed, "multi_class", classes)
    return data.reshape(-1, *_SHAPE), labels
