# SPDX-License-Identifier: Apache-2.0
"""Where rows go: arrays in memory, or files that a later run completes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fisher_select import files

Rows: TypeAlias = "npt.NDArray[Any] | torch.Tensor"

SIDECAR = "progress.json"

_SECONDS_BETWEEN_RECORDS = 5.0  # at most so much work is done again after a kill


class MemoryStore:
    """NumPy arrays, or tensors on the model's device; made when the first rows come."""

    def __init__(self, n: int, *, on_device: bool) -> None:
        self._n = n
        self._on_device = on_device
        self._arrays: list[torch.Tensor] = []
        self.done = 0

    def put(self, rows: Sequence[torch.Tensor]) -> None:
        """Append rows to each array."""
        if not self._arrays:
            self._arrays = [
                torch.empty(
                    (self._n, *r.shape[1:]),
                    dtype=r.dtype,
                    device=r.device if self._on_device else "cpu",
                )
                for r in rows
            ]
        for array, new in zip(self._arrays, rows, strict=True):
            array[self.done : self.done + len(new)] = new
        self.done += len(rows[0])

    def close(self) -> None:
        """Nothing is open."""

    def arrays(self) -> list[Rows]:
        """What was put, complete."""
        return [array if self._on_device else array.numpy() for array in self._arrays]


class FileStore:
    """One memory-mapped ``.npy`` file a name in a folder, and a record of how far it got.

    ``progress.json`` holds the number of complete rows and a fingerprint of the model, the pool
    and the options. A store opened again with the same fingerprint goes on behind those rows;
    another fingerprint is an error, as the rows would not fit together.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    shapes : mapping
        Name of each array to its shape of one row.
    n : int
        Rows.
    dtype : NumPy dtype
    fingerprint : mapping
        Of everything the rows depend on; values that JSON has.

    Raises
    ------
    ValueError
        The folder belongs to something else, or its files are damaged.
    OSError
        It cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        shapes: Mapping[str, tuple[int, ...]],
        n: int,
        dtype: npt.DTypeLike,
        fingerprint: Mapping[str, Any],
    ) -> None:
        files.make_folder(folder)
        self._folder, self._fingerprint = folder, dict(fingerprint)
        self.done = self._rows_done()
        self._arrays = []
        for name, shape in shapes.items():
            path = folder / f"{name}.npy"
            if self.done == 0:
                array = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), (n, *shape))
            else:
                array = self._reopened(path, (n, *shape), np.dtype(dtype))
            self._arrays.append(array)
        self._recorded_at = float("-inf")
        self._record()

    def put(self, rows: Sequence[torch.Tensor]) -> None:
        """Write rows to each file."""
        for array, new in zip(self._arrays, rows, strict=True):
            array[self.done : self.done + len(new)] = new.cpu().numpy()
        self.done += len(rows[0])
        if time.monotonic() - self._recorded_at > _SECONDS_BETWEEN_RECORDS:
            self._record()

    def close(self) -> None:
        """Bring files and record up to date; also what an exception leaves is worth keeping."""
        self._record()

    def arrays(self) -> list[Rows]:
        """The memory-mapped files."""
        return list(self._arrays)

    def _record(self) -> None:
        """First the rows, then the count that vouches for them."""
        for array in self._arrays:
            array.flush()
        record = {"rows_done": self.done, "fingerprint": self._fingerprint}
        files.write_json(self._folder / SIDECAR, record)
        self._recorded_at = time.monotonic()

    def _rows_done(self) -> int:
        path = self._folder / SIDECAR
        if not path.exists():
            return 0
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            done, known = int(record["rows_done"]), dict(record["fingerprint"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}: not a record of this kind; delete the folder") from None
        differing = [key for key, mine in self._fingerprint.items() if known.get(key) != mine]
        if differing:
            raise ValueError(
                f"path {self._folder} holds rows of another {' and '.join(differing)}; "
                "delete it or pass another path"
            )
        return done

    def _reopened(
        self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> np.memmap[Any, np.dtype[Any]]:
        try:
            array = np.lib.format.open_memmap(path, "r+")
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{path}: cannot be continued ({error}); delete the folder"
            ) from None
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{path}: holds {array.dtype} {list(array.shape)}, wanted {dtype} "
                f"{list(shape)}; delete the folder"
            )
        return array
