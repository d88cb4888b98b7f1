# SPDX-License-Identifier: Apache-2.0
"""The pool: whatever holds the inputs, read in batches and always in the order of its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
)

from fisher_select.options import as_count

Batch: TypeAlias = Any
"""What a loader yields: a tensor, a tuple or list that starts with the inputs, or a mapping."""

TARGET_KEYS = ("labels", "label", "targets", "target")
"""Keys of a mapping that are no inputs of the model."""


class Pool:
    """Rows 0 to n - 1 of a tensor, an array, a Dataset or a DataLoader, in batches.

    Parameters
    ----------
    pool : tensor [n, ...], array [n, ...], Dataset or DataLoader
        A DataLoader must keep the order of its data set (``shuffle=False``,
        ``drop_last=False``); its own batch size, workers and collate function are used.
        Anything else is cut into batches of `batch_rows`.
    batch_rows : int
        Rows a batch.
    inputs : callable or None
        Turns a batch into the model's argument: a tensor, a tuple of arguments or a mapping of
        keyword arguments. None takes the first entry of a tuple or list, and a mapping without
        its labels (the way of transformers).

    Raises
    ------
    TypeError, ValueError
        No such pool, an empty one, or one whose order or length cannot be relied on; the
        message says what to pass instead.
    """

    def __init__(
        self, pool: Any, *, batch_rows: int, inputs: Callable[[Batch], Any] | None = None
    ) -> None:
        self._batch_rows = as_count("batch_rows", batch_rows)
        self._inputs = _default_inputs if inputs is None else inputs
        self._loader: DataLoader[Any] | None = None
        if isinstance(pool, DataLoader):
            _check_order(pool)
            self._loader, self._rows = pool, pool.dataset
        elif isinstance(pool, torch.Tensor | np.ndarray):
            if pool.ndim == 0:
                raise ValueError("pool must have rows [n, ...], got an array without axes")
            self._rows = torch.as_tensor(pool)
        elif isinstance(pool, Dataset) and not isinstance(pool, IterableDataset):
            self._loader = DataLoader(pool, batch_size=self._batch_rows)
            self._rows = pool
        else:
            raise TypeError(
                "pool must be a tensor, an array, a Dataset with a length or a DataLoader over "
                f"one, got {type(pool).__name__}"
            )
        # NumPy makes float64 by default, which no model is in by default.
        self._cast = isinstance(pool, np.ndarray)
        self.n = len(self._rows)
        if self.n == 0:
            raise ValueError("pool must have at least one row, got none")

    @property
    def generator(self) -> torch.Generator | None:
        """The DataLoader's own random generator, which reading it advances."""
        return None if self._loader is None else self._loader.generator

    def batches(
        self, like: torch.Tensor, rows: npt.NDArray[np.int64] | None = None
    ) -> Iterator[tuple[Inputs, int, Batch]]:
        """Yield the model's inputs, the number of rows and the batch as it came.

        Parameters
        ----------
        like : tensor
            A parameter of the model: inputs are moved to its device.
        rows : int64 array or None
            Rows wanted, in this order; None is all of them.

        Raises
        ------
        ValueError
            The pool yields more or fewer rows than its length.
        """
        wanted = self.n if rows is None else len(rows)
        seen = 0
        for batch in self._raw(rows):
            moved = _moved(self._inputs(batch), like, cast=self._cast)
            inputs = Inputs(moved)
            count = inputs.rows()
            seen += count
            yield inputs, count, batch
        if seen != wanted:
            raise ValueError(
                f"pool must yield the {wanted} rows that its length promises, got {seen}"
            )

    def head(self, like: torch.Tensor, count: int) -> Inputs:
        """The inputs of the first `count` rows, or of all where there are fewer."""
        rows = np.arange(min(count, self.n), dtype=np.int64)
        return next(iter(self.batches(like, rows)))[0]

    def fingerprint(self) -> str:
        """A digest of the length, the first row and the last one: cheap, and rarely wrong."""
        digest = hashlib.sha256(str(self.n).encode())
        for inputs, _, _ in self.batches(torch.empty(0), np.array([0, self.n - 1])):
            for tensor in inputs.tensors():
                digest.update(str((tuple(tensor.shape), tensor.dtype)).encode())
                digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _raw(self, rows: npt.NDArray[np.int64] | None) -> Iterator[Batch]:
        if self._loader is None:
            step = self._batch_rows
            order = None if rows is None else torch.as_tensor(rows)
            for start in range(0, self.n if order is None else len(order), step):
                piece = slice(start, start + step)
                found = self._rows[piece] if order is None else self._rows[order[piece]]
                yield _plain_strides(found)
        elif rows is None:
            yield from self._loader
        else:
            loader = self._loader
            yield from DataLoader(
                Subset(self._rows, rows.tolist()),
                batch_size=loader.batch_size,
                collate_fn=loader.collate_fn,
                num_workers=loader.num_workers,
                generator=loader.generator,
            )


class Inputs:
    """The arguments of one call of the model."""

    def __init__(self, value: Any) -> None:
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        if isinstance(value, Mapping):
            self.kwargs = dict(value)
        else:
            self.args = value if isinstance(value, tuple) else (value,)
        if not self.tensors():
            raise TypeError(
                "pool must yield tensors, tuples that start with one, or mappings of them, got "
                f"{type(value).__name__}; pass inputs= to turn a batch into the model's inputs"
            )

    def tensors(self) -> list[torch.Tensor]:
        """All tensors, in order."""
        values = (*self.args, *self.kwargs.values())
        return [value for value in values if isinstance(value, torch.Tensor)]

    def rows(self) -> int:
        """Rows of the first tensor."""
        return len(self.tensors()[0])

    def replaced(
        self, tensors: Sequence[torch.Tensor]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments with other tensors in place of `tensors()`."""
        following = iter(tensors)

        def swap(value: Any) -> Any:
            return next(following) if isinstance(value, torch.Tensor) else value

        args = tuple(swap(value) for value in self.args)
        return args, {key: swap(value) for key, value in self.kwargs.items()}

    def __call__(self, model: torch.nn.Module) -> Any:
        return model(*self.args, **self.kwargs)


def targets(batch: Batch) -> torch.Tensor:
    """The labels of a batch: its second entry, or the entry of a mapping under TARGET_KEYS."""
    found = None
    if isinstance(batch, Mapping):
        found = next((batch[key] for key in TARGET_KEYS if key in batch), None)
    elif isinstance(batch, Sequence) and len(batch) > 1:
        found = batch[1]
    if not isinstance(found, torch.Tensor):
        raise ValueError(
            "eval_pool must yield (inputs, labels) or a mapping with 'labels', or eval_labels "
            "must be given"
        )
    return found


def _default_inputs(batch: Batch) -> Any:
    value = batch[0] if isinstance(batch, tuple | list) and batch else batch
    if isinstance(value, Mapping):
        return {key: entry for key, entry in value.items() if key not in TARGET_KEYS}
    return value


def _moved(value: Any, like: torch.Tensor, *, cast: bool) -> Any:
    if isinstance(value, torch.Tensor):
        narrow = cast and value.is_floating_point() and like.is_floating_point()
        return value.to(like.device, like.dtype if narrow else None, non_blocking=True)
    if isinstance(value, Mapping):
        return {key: _moved(entry, like, cast=cast) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_moved(entry, like, cast=cast) for entry in value)
    return value


def _plain_strides(rows: torch.Tensor) -> torch.Tensor:
    """The same contiguous memory with the usual strides, also of axes of length 1.

    NumPy leaves any stride on such an axis (images[rows, None] has that of a pixel on its
    channel), and torch's CPU convolutions crash on it in the backward pass.
    """
    return rows.contiguous().view(-1).view(rows.shape)


def _check_order(loader: DataLoader[Any]) -> None:
    """Row i of the picks must be row i of the data set."""
    advice = "pass DataLoader(dataset, batch_size=..., shuffle=False), or the data set itself"
    if isinstance(loader.dataset, IterableDataset):
        raise TypeError(
            "pool must have a length and rows that can be read again, got a DataLoader over an "
            "IterableDataset; pass a map-style data set or an array"
        )
    sampler, batch_sampler = loader.sampler, loader.batch_sampler
    inner = getattr(batch_sampler, "sampler", sampler)
    for kind in (sampler, inner):
        if not isinstance(kind, SequentialSampler):
            raise ValueError(
                "pool must keep the order of its data set, or the picks would name other "
                f"rows: got a DataLoader that shuffles or samples ({type(kind).__name__}); "
                f"{advice}"
            )
    if type(batch_sampler) is not BatchSampler:
        raise ValueError(
            f"pool must yield plain batches, got a DataLoader with batch_sampler "
            f"{type(batch_sampler).__name__}; {advice}"
        )
    if batch_sampler.drop_last:
        raise ValueError(f"pool must not drop rows, got a DataLoader with drop_last; {advice}")
