# SPDX-License-Identifier: Apache-2.0
"""Arrays on a CUDA device, seen where they lie: torch, CuPy, whatever speaks their protocols.

Neither torch nor CuPy is ever imported, only met when already loaded. Nothing is copied but
what is small, and what its own library has to convert to float32 or float64.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select import cuda_module
from fisher_select.conversion import is_on_device, not_on_cpu
from fisher_select.extras import is_a

__all__ = ["DeviceArray", "device_view", "to_device", "to_host"]

_DEFAULT_STREAM = 1  # what DLPack calls the legacy default stream


@dataclass(frozen=True, eq=False)
class DeviceArray:
    """Numbers in the memory of a CUDA device; nothing is said of their values.

    Attributes
    ----------
    owner : object
        Keeps the memory alive.
    address : int
    dtype : numpy.dtype
    shape, strides : tuple of int
        Strides in bytes, of either sign.
    device : int
        Index of the device.
    stream : int
        Address of the caller's CUDA stream, 0 for the default one: what it was given so far
        comes before any use of the array.
    """

    owner: object
    address: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    device: int
    stream: int

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """As the compiled module reads it, and any other library would."""
        return {
            "version": 3,
            "shape": self.shape,
            "strides": self.strides,
            "typestr": self.dtype.str,
            "data": (self.address, False),
            "stream": self.stream or _DEFAULT_STREAM,
        }

    def rows(self, begin: int, end: int) -> DeviceArray:
        """View some rows."""
        shape = (max(min(end, len(self)) - begin, 0), *self.shape[1:])
        return replace(self, address=self.address + begin * self.strides[0], shape=shape)

    def copy(self) -> npt.NDArray[Any]:
        """Copy to the host; the whole range of memory that a strided array spans is read."""
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        reach = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        before = -sum(r for r in reach if r < 0)
        memory = cuda_module.load().copy_to_host(
            address=self.address - before,
            size=before + sum(r for r in reach if r > 0) + self.dtype.itemsize,
            device=self.device,
            stream=self.stream,
        )
        return np.ndarray(self.shape, self.dtype, memory, before, self.strides)


def device_view(name: str, value: Any) -> DeviceArray:
    """View an array on a device as float32 or float64.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    value : array on a CUDA device
        float32 and float64 of any strides are not copied. Of torch and CuPy other real numbers
        are converted on the device, as on the host: narrow floats to float32, integers and
        bools to float64.

    Raises
    ------
    TypeError
        Not real numbers, a masked or sparse array, or numbers to convert of another library.
    ValueError
        Memory that no CUDA device can read, or numbers not aligned in it.
    """
    if isinstance(value, DeviceArray):
        return value
    if is_a(value, "torch", "Tensor"):
        return _of_torch(name, value)
    if is_a(value, "cupy", "ndarray"):
        return _of_cupy(name, value)
    array = _of_protocol(name, value)
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(
            f"{name} must hold float32 or float64, got dtype {array.dtype} of "
            f"{type(value).__name__} on a CUDA device: convert it there, or copy it to the CPU"
        )
    return array


def to_host(name: str, value: Any) -> object:
    """What is small and may lie on either side: a copy of a device's array, else `value`."""
    if not is_on_device(value):
        return value
    if is_a(value, "torch", "Tensor"):
        return value.detach().cpu()
    if is_a(value, "cupy", "ndarray"):
        return value.get()
    try:
        cuda_module.load()
    except ImportError as error:
        raise not_on_cpu(name, "a CUDA device") from error
    return _of_protocol(name, value).copy()


def to_device(array: npt.NDArray[Any], device: int) -> DeviceArray:
    """Copy an array to a device, contiguous."""
    memory = cuda_module.load().DeviceMemory(device, array.nbytes)
    memory.upload(array)
    return in_memory(memory, array.dtype, array.shape)


def in_memory(memory: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> DeviceArray:
    """View a DeviceMemory of the compiled module, which nothing pending writes to."""
    strides = _contiguous(shape, dtype.itemsize)
    return DeviceArray(memory, memory.address, dtype, shape, strides, memory.device, 0)


# ---------------------------------------------------------------------------- libraries
def _of_torch(name: str, tensor: Any) -> DeviceArray:
    torch: Any = sys.modules["torch"]
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got layout {tensor.layout}")
    if tensor.is_complex():
        raise TypeError(f"{name} must hold real numbers, got dtype {tensor.dtype}")
    tensor = tensor.detach().resolve_neg()
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float() if tensor.is_floating_point() else tensor.double()
    # torch's own interface leaves the stream out.
    stream = torch.cuda.current_stream(tensor.device).cuda_stream
    interface = dict(tensor.__cuda_array_interface__, stream=stream)
    return _of_interface(name, tensor, interface, tensor.device.index)


def _of_cupy(name: str, array: Any) -> DeviceArray:
    with array.device:  # current streams belong to the current device
        kind = array.dtype.kind
        if kind in "biu":
            array = array.astype(np.float64)
        elif kind == "f" and array.dtype.itemsize < 4:
            array = array.astype(np.float32)
        elif kind != "f":
            raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
        return _of_interface(name, array, array.__cuda_array_interface__, array.device.id)


# ---------------------------------------------------------------------------- protocols
def _of_protocol(name: str, value: Any) -> DeviceArray:
    """View numbers of any dtype."""
    if hasattr(value, "__cuda_array_interface__"):
        return _of_interface(name, value, value.__cuda_array_interface__)
    # The exporter makes the default stream wait for its own.
    capsule = value.__dlpack__(stream=_DEFAULT_STREAM)
    return _of_interface(name, capsule, cuda_module.load().dlpack_interface(capsule))


def _of_interface(
    name: str, owner: object, interface: dict[str, Any], device: int | None = None
) -> DeviceArray:
    if interface.get("mask") is not None:
        raise TypeError(f"{name} must not be a masked array: fill or drop the masked entries")
    dtype = np.dtype(interface["typestr"])
    shape = tuple(interface["shape"])
    strides = interface.get("strides")
    strides = _contiguous(shape, dtype.itemsize) if strides is None else tuple(strides)
    address = interface["data"][0]
    if device is None:
        device = _device_of(name, address) if 0 not in shape else 0
    if any(step % dtype.itemsize for step in (address, *strides)):
        raise ValueError(f"{name} must be aligned in the device's memory: copy it there")
    # None: nothing to wait for. 1 and 2 are CUDA's names of default streams.
    stream = interface.get("stream") or 0
    return DeviceArray(owner, address, dtype, shape, strides, device, stream)


def _device_of(name: str, address: int) -> int:
    device: int | None = cuda_module.load().device_of(address)
    if device is None:
        raise ValueError(
            f"{name} must lie on a CUDA device, as its interface says: no device can read its "
            f"address {address:#x}"
        )
    return device


def _contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of an array in C order."""
    strides = []
    for extent in reversed(shape):
        strides.append(itemsize)
        itemsize *= extent
    return tuple(reversed(strides))
