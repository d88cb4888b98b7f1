# SPDX-License-Identifier: Apache-2.0
"""Whatever holds numbers, as a NumPy array: tensors, DLPack exporters, tables, nested lists.

What is in the CPU's memory is shared, not copied, unless its dtype has to change.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.extras import is_a
from fisher_select.tables import column_to_numpy, is_column, is_table, table_to_numpy

__all__ = ["as_float", "is_a", "is_on_device", "not_on_cpu", "row_count", "to_numpy"]

_DLPACK_CUDA = (2, 13)  # device types kDLCUDA and kDLCUDAManaged


def to_numpy(name: str, value: object) -> npt.NDArray[Any]:
    """View as NumPy, of any dtype; torch is never imported, only met when already loaded."""
    if is_a(value, "torch", "Tensor"):
        return _torch_to_numpy(name, value)
    if is_table(value):
        return table_to_numpy(name, value)
    if is_column(value):
        return column_to_numpy(name, value)
    if is_a(value, "polars", "LazyFrame"):
        raise TypeError(f"{name} must be in memory, got a LazyFrame: collect() it")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: fill or drop the masked entries")
    if is_on_device(value):
        raise not_on_cpu(name, "a CUDA device")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        try:
            return np.from_dlpack(value)
        except BufferError as error:  # on another device, or of a dtype NumPy lacks
            raise ValueError(f"{name} must be readable by the CPU: {error}") from error
    try:
        return np.asarray(value)
    except ValueError as error:  # ragged nested lists
        raise ValueError(f"{name} must be a rectangular array: {error}") from error


def as_float(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
    """Native, aligned float32 or float64; a copy only where it was not that already."""
    dtype = array.dtype
    wide: type[np.float32] | type[np.float64]
    if dtype.kind in "biu":
        wide = np.float64
    elif dtype.kind == "f" or dtype.name == "bfloat16":  # ml_dtypes' bfloat16 has kind V
        wide = np.float64 if dtype.itemsize >= 8 else np.float32
    else:
        raise TypeError(f"{name} must hold real numbers, got dtype {dtype}")
    # astype undoes a foreign byte order as well.
    return np.require(array.astype(wide, copy=False), requirements="A")


def is_on_device(value: Any) -> bool:
    """Whether an array lies on a CUDA device, by what it says of itself."""
    if is_a(value, "torch", "Tensor"):
        return bool(value.device.type == "cuda")
    if hasattr(value, "__cuda_array_interface__"):
        return True
    where = getattr(value, "__dlpack_device__", None)
    return where is not None and where()[0] in _DLPACK_CUDA


def row_count(name: str, value: object) -> int:
    """Rows of any array, on any device: only its shape or length is read."""
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) > 0:
        return int(shape[0])
    try:
        return len(value)  # type: ignore[arg-type]  # that it fails is the test
    except TypeError:
        raise TypeError(
            f"{name} must be an array or a number of rows, got {type(value).__name__}"
        ) from None


def not_on_cpu(name: str, where: str) -> ValueError:
    """Say that an array has to be copied first."""
    return ValueError(
        f"{name} must be in the CPU's memory, got an array on {where}: copy it with .cpu() or "
        ".get()"
    )


def _torch_to_numpy(name: str, tensor: Any) -> npt.NDArray[Any]:
    """Share a CPU tensor's memory; narrow floats that NumPy lacks widen to float32."""
    if tensor.device.type != "cpu":
        raise not_on_cpu(name, f"torch device {str(tensor.device)!r}")
    if tensor.layout is not sys.modules["torch"].strided:
        raise TypeError(f"{name} must be a dense tensor, got layout {tensor.layout}")
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.detach().float()
    array: npt.NDArray[Any] = tensor.numpy(force=True)  # force: detach, no copy on the CPU
    return array
