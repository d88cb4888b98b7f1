# SPDX-License-Identifier: Apache-2.0
"""Arrays on a CUDA device for tests, by every way that leads there."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fisher_select import backends, cuda_module

Export = Callable[[np.ndarray], Any]
NAMES = ("interface", "dlpack", "torch", "cupy")


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


class Dlpack:
    """The same by DLPack: NumPy's capsule, told that its numbers lie on a device."""

    def __init__(self, array: np.ndarray, device_type: int = 2) -> None:
        self._array = array
        self._interface = Interface(array)
        self._device = (device_type, 0)
        self.asked: list[Any] = []

    def __dlpack__(self, *, stream: Any = None) -> Any:
        self.asked.append(stream)
        capsule = self._array.__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        tensor = _Tensor.from_address(pointer(capsule, b"dltensor"))
        tensor.data = self._interface.memory.address
        tensor.byte_offset = self._interface.address - self._interface.memory.address
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
    """Skips, visibly, where there is no way."""
    state = backends.explain()["cuda"]
    if not state.startswith("available"):
        pytest.skip(f"backend 'cuda' is {state}")
    if name == "torch":
        torch = pytest.importorskip("torch")
        if state == backends.EMULATED or not torch.cuda.is_available():
            pytest.skip("torch without a CUDA device")
        return _torch
    if name == "cupy":
        pytest.importorskip("cupy")
        if state == backends.EMULATED:
            pytest.skip("CuPy cannot use an emulated device")
        return _cupy
    return Interface if name == "interface" else Dlpack
