# SPDX-License-Identifier: Apache-2.0
"""The boundary for a pool's arrays, wherever they lie: those of the host and of a device.

What is on the host goes through arrays.py; what is on a device, as placement.py hands it on, is
checked there, in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from fisher_select import arrays, cuda_module
from fisher_select.arrays import Array, FloatArray
from fisher_select.checks import (
    RANGE_TOLERANCE,
    RENORMALIZE_ABOVE,
    SUM_TOLERANCE,
    check_axes,
    check_one_axis,
    check_outputs,
    not_finite,
    not_probabilities,
)
from fisher_select.device_arrays import DeviceArray, in_memory

PoolArray: TypeAlias = FloatArray | DeviceArray
"""Behind this boundary: float32 or float64 of any strides, on the host or on a device."""


def as_pool_matrix(name: str, value: Array) -> PoolArray:
    """View a finite matrix [n, d]; see `arrays.as_matrix`."""
    if isinstance(value, DeviceArray):
        return _as_finite(name, value, ("n", "d"))
    return arrays.as_matrix(name, value)


def as_pool_factors(name: str, value: Array) -> PoolArray:
    """View finite dense factors [n, D, r]; see `arrays.as_factors`."""
    if isinstance(value, DeviceArray):
        return _as_finite(name, value, ("n", "D", "r"))
    return arrays.as_factors(name, value)


def as_pool_vector(name: str, value: Array) -> PoolArray:
    """View numbers [n]; see `arrays.as_vector`."""
    if isinstance(value, DeviceArray):
        check_one_axis(name, value.shape)
        return value
    return arrays.as_vector(name, value)


def as_pool_probabilities(name: str, value: Array, n: int, likelihood: str) -> PoolArray:
    """View probabilities [n, C]; see `arrays.as_probabilities`. A repaired copy stays there."""
    if not isinstance(value, DeviceArray):
        return arrays.as_probabilities(name, value, n, likelihood)
    P = _as_finite(name, value, ("n", "C"))
    softmax = likelihood == "softmax"
    check_outputs(name, P.shape, n, softmax=softmax)
    bad_row, clip, renormalize = _call(
        "check_probabilities",
        P,
        probabilities=P,
        range_tolerance=RANGE_TOLERANCE,
        sum_tolerance=SUM_TOLERANCE if softmax else np.inf,
        renormalize_above=RENORMALIZE_ABOVE if softmax else np.inf,
    )
    if bad_row is not None:
        raise not_probabilities(name, bad_row, _call("read_row", P, array=P, row=bad_row))
    if not clip and not renormalize:
        return P
    repaired = _call("repair_probabilities", P, probabilities=P, renormalize=renormalize)
    return in_memory(repaired, P.dtype, P.shape)


def host_chunks(array: PoolArray) -> Iterator[tuple[int, FloatArray]]:
    """(first row, rows) in the host's memory, of some megabytes; see `arrays.row_chunks`."""
    if not isinstance(array, DeviceArray):
        yield from arrays.row_chunks(array)
        return
    step = max(1, arrays.CHUNK_BYTES // (array.dtype.itemsize * array.shape[1]))
    for begin in range(0, len(array), step):
        yield begin, array.rows(begin, begin + step).copy()


def _as_finite(name: str, array: DeviceArray, axes: tuple[str, ...]) -> DeviceArray:
    check_axes(name, array.shape, axes)
    row = _call("first_not_finite", array, array=array)
    if row is not None:
        raise not_finite(name, row, _call("read_row", array, array=array, row=row))
    return array


def _call(operation: str, place: DeviceArray, **arguments: Any) -> Any:
    """Run a function of the CUDA module on the array's device, after the caller's stream."""
    function = getattr(cuda_module.load(), operation)
    return function(device=place.device, stream=place.stream, **arguments)
