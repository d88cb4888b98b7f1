# SPDX-License-Identifier: Apache-2.0
"""What a run is made of, as values that JSON has: equal ones give equal records."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets import Dataset
from fisher_select.oracles import FileOracle
from fisher_select.strategies import Strategy

__all__ = ["describe", "digest"]

_MOST_ROWS = 1024  # of an array; evenly spaced
_SHOWN_DIGITS = 16

# Set each round, or without effect on the picks.
_LEFT_OUT = ("seed", "progress", "threads", "chunk_rows")


def digest(array: NDArray[Any]) -> str:
    """A digest of shape, type and at most 1,024 rows: cheap, and rarely wrong."""
    step = max(1, len(array) // _MOST_ROWS)
    found = hashlib.sha256(f"{array.shape}{array.dtype}".encode())
    found.update(np.ascontiguousarray(array[::step]).tobytes())
    return found.hexdigest()[:_SHOWN_DIGITS]


def describe(data: Dataset, oracle: object, strategy: Strategy) -> dict[str, Any]:
    """The data set, who labels it, and what picks."""
    return {
        "dataset": _dataset(data),
        "oracle": _oracle(oracle, data.pool_labels),
        "strategy": _strategy(strategy),
    }


def _dataset(data: Dataset) -> dict[str, Any]:
    """Name, task and digests; the pool's labels are no part of it, the oracle has them."""
    return {
        "name": data.name,
        "task": data.task,
        "classes": data.classes,
        "pool_inputs": digest(data.pool_inputs),
        "test_inputs": digest(data.test_inputs),
        "test_labels": digest(data.test_labels),
    }


def _strategy(strategy: Strategy) -> dict[str, Any]:
    """Name and options, those left out that change no pick."""
    options = {k: v for k, v in strategy.described().items() if k not in _LEFT_OUT}
    return {"name": strategy.name} | {k: _plain(v) for k, v in options.items()}


def _oracle(oracle: object, pool_labels: NDArray[Any]) -> str:
    """The digest of an array, the name of a function, or that it is a file."""
    if isinstance(oracle, FileOracle):
        return "file"
    if callable(oracle):
        return str(_plain(oracle))
    return digest(np.asarray(pool_labels if oracle is None else oracle))


def _plain(value: object) -> Any:
    """Functions and objects by their name: their addresses differ from run to run."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, partial):
        given = [*value.args, *(f"{k}={v!r}" for k, v in value.keywords.items())]
        return f"{_plain(value.func)}({', '.join(map(str, given))})"
    named: Any = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
