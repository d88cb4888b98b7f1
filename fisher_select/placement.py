# SPDX-License-Identifier: Apache-2.0
"""Where a pool's arrays lie, and which backend that leaves: arrays decide, nothing is moved."""

from __future__ import annotations

from fisher_select import backends
from fisher_select.arrays import Array
from fisher_select.backends import Backend
from fisher_select.conversion import is_on_device
from fisher_select.device_arrays import DeviceArray, device_view

__all__ = ["place"]


def place(backend: str, **arrays: Array | None) -> tuple[Backend, tuple[Array | None, ...]]:
    """Find the backend for an operation's large arrays, and view those on a device.

    Parameters
    ----------
    backend : {"auto", "cpu", "reference", "cuda"}
        "auto" is "cuda" for arrays on a CUDA device, and "cpu" for all others.
    **arrays : array or None
        By the names that messages use.

    Returns
    -------
    Backend
    tuple
        The arrays in the order given; each is a DeviceArray if it lies on a device, else as it
        was. Their values are not checked.

    Raises
    ------
    ValueError
        Unknown backend, or "cuda" where it cannot run; arrays on a device for a backend of the
        host; arrays that do not all lie in one place.
    TypeError, ImportError
        As `device_view` and `backends.get`.
    """
    there = [name for name, array in arrays.items() if is_on_device(array)]
    engine = backends.get(backend, arrays_on_device=bool(there))
    if not there:
        return engine, tuple(arrays.values())
    if engine.name != "cuda":
        raise ValueError(
            f"backend {backend!r} reads the CPU's memory alone, and {there[0]} lies on a CUDA "
            "device: copy it with .cpu() or .get(), or choose backend='cuda'"
        )
    seen = {
        name: device_view(name, array) if name in there else array
        for name, array in arrays.items()
    }
    _check_together({name: array for name, array in seen.items() if array is not None})
    return engine, tuple(seen.values())


def _check_together(arrays: dict[str, Array]) -> None:
    (first, *others) = ((name, _place_of(array)) for name, array in arrays.items())
    for name, where in others:
        if where != first[1]:
            raise ValueError(
                f"{first[0]} and {name} must lie in one place: {first[0]} lies {first[1]}, "
                f"{name} {where}"
            )


def _place_of(array: Array) -> str:
    if isinstance(array, DeviceArray):
        return f"on CUDA device {array.device}"
    return "in the CPU's memory"
