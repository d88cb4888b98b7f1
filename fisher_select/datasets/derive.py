# SPDX-License-Identifier: Apache-2.0
"""New data sets from old ones: fewer classes, rare classes, scaled or flattened inputs.

Each function returns a new `Dataset` and leaves the given one as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.hold_out import Draw, generator

__all__ = ["flattened", "pool_part", "standardized", "subset", "unit_pixels", "with_counts"]

_CHUNK_VALUES = 1 << 20  # values looked at together: bounds the float64 temporaries to 8 MB


def subset(data: Dataset, classes: Sequence[int | str]) -> Dataset:
    """Keep some classes, in pool and test set, numbered anew in the order given.

    Parameters
    ----------
    data
        Of task "multi_class".
    classes
        At least two, by number or by name.

    Raises
    ------
    ValueError
        Another task, a class that does not exist or comes twice, a part left without rows.
    """
    _check_multi_class(data, "classes")
    numbers = [_class_number(data, entry) for entry in classes]
    if len(numbers) < 2 or len(set(numbers)) != len(numbers):
        raise ValueError(f"classes must be at least two different ones, got {list(classes)}")
    changes: dict[str, Any] = {"classes": len(numbers)}
    for part in ("pool", "test"):
        labels = getattr(data, f"{part}_labels")
        rows = np.flatnonzero(np.isin(labels, numbers))
        if len(rows) == 0:
            raise ValueError(f"classes {list(classes)} have no rows in the {part}")
        renumbered = np.full(data.classes, -1, dtype=np.int64)
        renumbered[numbers] = np.arange(len(numbers))
        changes[f"{part}_inputs"] = getattr(data, f"{part}_inputs")[rows]
        changes[f"{part}_labels"] = renumbered[labels[rows]]
    if data.class_names is not None:
        changes["class_names"] = tuple(data.class_names[number] for number in numbers)
    return replace(data, **changes)


def with_counts(data: Dataset, counts: Sequence[int], *, seed: int = 0) -> Dataset:
    """Draw so many rows of each class from the pool; the test set stays whole.

    Parameters
    ----------
    data
        Of task "multi_class".
    counts
        Rows of each class, in the order of the class numbers; 0 leaves a class out of the pool.
    seed
        Of the draw, without replacement; the rows keep their order.

    Raises
    ------
    ValueError
        Another task, not one count a class, or more rows than a class has.
    """
    _check_multi_class(data, "counts")
    present = np.bincount(data.pool_labels, minlength=data.classes)
    if len(counts) != data.classes:
        raise ValueError(f"counts must be one for each of {data.classes} classes, got {counts}")
    if sum(counts) < 1:
        raise ValueError(f"counts must leave at least one row, got {list(counts)}")
    draw, drawn = generator(seed, Draw.COUNTS), []
    for number, count in enumerate(counts):
        if not 0 <= count <= present[number]:
            raise ValueError(
                f"counts must be 0 to {present[number]} for class {number}, got {count}"
            )
        rows = np.flatnonzero(data.pool_labels == number)
        drawn.append(draw.permutation(rows)[:count])
    rows = np.sort(np.concatenate(drawn))
    return replace(data, pool_inputs=data.pool_inputs[rows], pool_labels=data.pool_labels[rows])


def pool_part(data: Dataset, number: int, parts: int, *, seed: int = 0) -> Dataset:
    """One of several disjoint parts of the pool; the test set stays whole.

    Parts with the same seed share no row: a policy is trained on one and judged on another.

    Parameters
    ----------
    data
        Of any task.
    number, parts
        Which part, counted from 1, of how many; their sizes differ by one row at most.
    seed
        Of the split; the rows keep their order.

    Raises
    ------
    ValueError
        No such part, or fewer rows than parts.
    """
    n = len(data.pool_inputs)
    if not 1 <= number <= parts <= n:
        raise ValueError(
            f"part must be [number, parts] with 1 <= number <= parts <= {n} rows, got "
            f"{[number, parts]}"
        )
    order = generator(seed, Draw.PART).permutation(n)
    rows = np.sort(np.array_split(order, parts)[number - 1])
    return replace(data, pool_inputs=data.pool_inputs[rows], pool_labels=data.pool_labels[rows])


def standardized(data: Dataset) -> Dataset:
    """Subtract the pool's mean and divide by its standard deviation, in pool and test set.

    Per column of inputs [n, d], per channel of inputs [n, channels, ...]; what is constant in
    the pool is centred only. Float inputs keep their type, others become float32. Statistics
    are float64, in two passes over the pool.
    """
    inputs = data.pool_inputs
    if inputs.ndim < 2 or inputs.dtype.kind not in "biuf":
        raise ValueError(
            f"inputs must be numbers [n, d] or [n, channels, ...], got {inputs.dtype} of shape "
            f"{list(inputs.shape)}"
        )
    others = tuple(axis for axis in range(inputs.ndim) if axis != 1)
    kept: dict[str, Any] = {"axis": others, "keepdims": True}
    mean = inputs.mean(dtype=np.float64, **kept)
    square = sum(((chunk - mean) ** 2).sum(**kept) for chunk in _chunks(inputs))
    deviation = np.sqrt(square * (inputs.shape[1] / inputs.size))
    # Of a constant only its own value is sure to say so: its deviation is a rounding error.
    deviation[inputs.min(**kept) == inputs.max(**kept)] = 1.0
    return _mapped(data, lambda chunk: (chunk - mean) / deviation)


def unit_pixels(data: Dataset) -> Dataset:
    """Scale uint8 inputs to float32 in [0, 1]; ValueError for inputs of another type."""
    if data.pool_inputs.dtype != np.uint8 or data.test_inputs.dtype != np.uint8:
        raise ValueError(
            f"inputs must be uint8 to be scaled to [0, 1], got {data.pool_inputs.dtype}"
        )
    return _mapped(data, lambda chunk: chunk / 255.0)


def flattened(data: Dataset) -> Dataset:
    """Inputs as rows [n, d] for models of vectors; `image_shape` stays as it was."""
    return replace(
        data,
        pool_inputs=data.pool_inputs.reshape(len(data.pool_inputs), -1),
        test_inputs=data.test_inputs.reshape(len(data.test_inputs), -1),
    )


def _chunks(inputs: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """Rows as float64, a bounded number of values at a time."""
    step = max(1, _CHUNK_VALUES * len(inputs) // inputs.size)
    for start in range(0, len(inputs), step):
        yield inputs[start : start + step].astype(np.float64)


def _mapped(data: Dataset, function: Callable[[NDArray[np.float64]], Any]) -> Dataset:
    """Apply a function of rows to both parts; floats keep their type, others get float32."""
    changes: dict[str, Any] = {}
    for name in ("pool_inputs", "test_inputs"):
        inputs = getattr(data, name)
        found = np.empty(inputs.shape, inputs.dtype if inputs.dtype.kind == "f" else np.float32)
        start = 0
        for chunk in _chunks(inputs):
            found[start : start + len(chunk)] = function(chunk)
            start += len(chunk)
        changes[name] = found
    return replace(data, **changes)


def _check_multi_class(data: Dataset, key: str) -> None:
    if data.task != "multi_class":
        raise ValueError(f"{key} are for the task 'multi_class', {data.name} is {data.task!r}")


def _class_number(data: Dataset, entry: int | str) -> int:
    """The number of a class given by number or name."""
    if isinstance(entry, str):
        names = data.class_names or ()
        if entry not in names:
            raise ValueError(f"classes has no {entry!r}; known names: {', '.join(names)}")
        return names.index(entry)
    if not 0 <= entry < data.classes:
        raise ValueError(f"classes must be 0 to {data.classes - 1}, got {entry}")
    return int(entry)
