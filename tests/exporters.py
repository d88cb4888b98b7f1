# SPDX-License-Identifier: Apache-2.0
"""Arrays on a CUDA device for tests, by every way that leads there."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fisher_select import cuda_module

Export = Callable[[np.ndarray], Any]
Layout = Callable[[np.ndarray], np.ndarray]
NAMES = ("interface", "dlpack", "torch", "cupy")

LAYOUTS: dict[str, Layout] = {
    "fortran": np.asfortranarray,
    "every second": lambda a: np.repeat(np.repeat(a, 2, axis=0), 2, axis=1)[::2, ::2],
    "reversed": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
}


class Interface:
    """Memory of a device, with the strides of the array it was copied from, by the protocol."""

    def __init__(self, array: np.ndarray, device: int = 0, **changes: Any) -> None:
        whole, offset, strides = _packed(array)
        self.memory = cuda_module.load().DeviceMemory(device, max(whole.nbytes, 1))
        if whole.size:
            self.memory.upload(whole)
        self.address = self.memory.address + offset
        self.__cuda_array_interface__ = {
            "version": 3,
            "shape": array.shape,
            "strides": strides,
            "typestr": array.dtype.str,
            "data": (self.address, False),
            "stream": None,
            **changes,
        }


def _packed(array: np.ndarray) -> tuple[np.ndarray, int, tuple[int, ...]]:
    """Bytes that hold the array, where its first entry is among them, and its strides."""
    reach = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)]
    before, after = -sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
    if array.size == 0:
        return np.empty(0, np.uint8), 0, array.strides
    first = array[tuple(slice(0, 1) for _ in array.shape)]
    start = first.__array_interface__["data"][0] - before
    size = before + after + array.itemsize
    whole = np.frombuffer((ctypes.c_char * size).from_address(start), np.uint8).copy()
    return whole, before, array.strides


class _Tensor(ctypes.Structure):
    """DLPack's DLTensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_index", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Owner(np.ndarray):
    """Keeps memory of a device as long as a capsule keeps this array."""

    memory: Interface


class Dlpack:
    """The same by DLPack: NumPy's capsule, told that its numbers lie on a device."""

    def __init__(self, array: np.ndarray, device_type: int = 2) -> None:
        self._array = array.view(_Owner)
        self._array.memory = Interface(array)
        self._device = (device_type, 0)
        self.asked: list[Any] = []

    def __dlpack__(self, *, stream: Any = None) -> Any:
        self.asked.append(stream)
        capsule = self._array.__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        tensor = _Tensor.from_address(pointer(capsule, b"dltensor"))
        there = self._array.memory
        tensor.data = there.memory.address
        tensor.byte_offset = there.address - there.memory.address
        tensor.device_type, tensor.device_index = self._device
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device


def _torch(array: np.ndarray) -> Any:
    import torch

    if any(step < 0 for step in array.strides):
        pytest.skip("torch has no negative strides")
    whole, offset, strides = _packed(array)
    values = torch.from_numpy(whole.view(array.dtype)).cuda()
    steps = [step // array.itemsize for step in strides]
    return torch.as_strided(values, array.shape, steps, offset // array.itemsize)


def _cupy(array: np.ndarray) -> Any:
    import cupy

    whole, offset, strides = _packed(array)
    return cupy.ndarray(array.shape, array.dtype, cupy.asarray(whole).data + offset, strides)


def exporter(name: str) -> Export:
    """Needs the CUDA backend; skips, visibly, where a library is absent or lacks a device."""
    if name in ("torch", "cupy"):
        library = pytest.importorskip(name)
        if cuda_module.load().emulated or not library.cuda.is_available():
            pytest.skip(f"{name} has no CUDA device")
        return _torch if name == "torch" else _cupy
    return Interface if name == "interface" else Dlpack
