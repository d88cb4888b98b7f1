# SPDX-License-Identifier: Apache-2.0
"""The boundary for scalar arguments: each is checked once, here, and named in the message.

Arrays have their own boundary in arrays.py.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Iterable


def as_count(name: str, value: object) -> int:
    """Check a whole number of at least 1.

    Raises
    ------
    TypeError
        Not an integer (a bool is not one either).
    ValueError
        Less than 1.
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got a bool ({value})")
    try:
        count = operator.index(value)  # type: ignore[arg-type]  # that it fails is the test
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {_described(value)}") from None
    if count < 1:
        raise ValueError(f"{name} must be at least 1, got {count}")
    return count


def as_real(
    name: str, value: object, *, above: float | None = None, at_least: float | None = None
) -> float:
    """Check a finite real number, strictly `above` or `at_least` a bound.

    Raises
    ------
    TypeError
        Not a real number (a bool or a string is not one).
    ValueError
        Not finite, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {_described(value)}")
    real = float(value)
    if not math.isfinite(real):
        raise ValueError(f"{name} must be finite, got {real}")
    if above is not None and not real > above:
        raise ValueError(f"{name} must be greater than {above:g}, got {real:g}")
    if at_least is not None and not real >= at_least:
        raise ValueError(f"{name} must be at least {at_least:g}, got {real:g}")
    return real


def one_of(name: str, value: object, choices: Iterable[str]) -> str:
    """Check a word out of a short list; ValueError lists them."""
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
    return value


def as_seed(seed: object) -> int | None:
    """Check a seed: None, or an integer of at least 0."""
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise TypeError(f"seed must be an integer or None, got {_described(seed)}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    return int(seed)


def check_batch(batch_size: object, n: int, labeled_count: int) -> int:
    """Check that so many unlabelled rows exist: never a short answer.

    Raises
    ------
    TypeError, ValueError
        Not a positive integer, or more than the n - labeled_count free rows.
    """
    batch = as_count("batch_size", batch_size)
    free = n - labeled_count
    if batch > free:
        raise ValueError(
            f"batch_size must be at most the number of unlabelled rows: got {batch}, "
            f"but only {free} of {n} rows are free ({labeled_count} labelled)"
        )
    return batch


def resolve_threads(threads: object) -> int:
    """Number of threads to use: the caller's, else OMP_NUM_THREADS, else the usable cores."""
    if threads is not None:
        return as_count("threads", threads)
    # OMP_NUM_THREADS may list one number a nesting level ("4,2"); the first is ours. Words
    # that are no number are ignored, as OpenMP runtimes do.
    outermost = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if outermost.isdecimal() and int(outermost) > 0:
        return int(outermost)
    if hasattr(os, "sched_getaffinity"):  # Linux; respects taskset and container pinning
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _described(value: object) -> str:
    """The value's type, with the value where it is short enough to print."""
    text = repr(value)
    kind = type(value).__name__
    return f"{kind} {text}" if len(text) <= 40 else kind
