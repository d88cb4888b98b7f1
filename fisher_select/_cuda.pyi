# SPDX-License-Identifier: Apache-2.0
"""Types of the compiled CUDA module; words, shapes and results are those of _core.

Arrays of a pool are NumPy's, which are uploaded, or have ``__cuda_array_interface__`` and are
read where they lie. Work is done on `device`, after what `stream` (an address) was given.
"""

from collections.abc import Callable
from typing import NotRequired, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from fisher_select._core import DistanceResult, Float64, LogDetResult, TraceResult
from fisher_select.arrays import FloatArray, IndexArray
from fisher_select.pool_arrays import PoolArray

emulated: bool  # the CPU runs the kernels: a build for tests

class Place(TypedDict):
    device: NotRequired[int]  # 0
    stream: NotRequired[int]  # 0: the default stream

class Execution(Place):
    threads: int  # of the host's part
    chunk_rows: NotRequired[int]  # 0: by the device's memory
    progress: NotRequired[Callable[[str, int, int], object] | None]

class Pool(Execution):
    features: PoolArray | None  # [n, d]
    probabilities: PoolArray | None  # [n, C]
    labeled: IndexArray  # [m]
    batch_size: int

class InformationPool(Pool):
    kind: str
    factors: PoolArray | None  # [n, D, r]
    lam: float
    rank: NotRequired[int]  # of softmax, leading columns of L; 0: all
    merged: NotRequired[int]  # classes that the last column of probabilities stands for; 1

class DeviceMemory:
    def __init__(self, device: int, size: int) -> None: ...
    @property
    def address(self) -> int: ...
    @property
    def device(self) -> int: ...
    def upload(self, array: npt.NDArray[np.generic]) -> None: ...

def device_state() -> str: ...
def device_name(device: int) -> str: ...
def device_of(address: int) -> int | None: ...
def copy_to_host(
    *, address: int, size: int, device: int, stream: int
) -> npt.NDArray[np.uint8]: ...
def dlpack_interface(capsule: object) -> dict[str, object]: ...
def first_not_finite(*, array: PoolArray, **place: Unpack[Place]) -> int | None: ...
def read_row(*, array: PoolArray, row: int, **place: Unpack[Place]) -> Float64: ...
def check_probabilities(
    *,
    probabilities: PoolArray,
    range_tolerance: float,
    sum_tolerance: float,
    renormalize_above: float,
    **place: Unpack[Place],
) -> tuple[int | None, bool, bool]: ...  # first bad row, clip, renormalize
def repair_probabilities(
    *, probabilities: PoolArray, renormalize: bool, **place: Unpack[Place]
) -> DeviceMemory: ...
def first_center(
    *, features: PoolArray, probabilities: PoolArray | None, **place: Unpack[Place]
) -> int: ...
def trace_select(
    *,
    forward_count: int,
    shrink: float,
    scale: float,
    use_pool_fisher: bool,
    candidates: int = 0,  # of the forward stage; 0: all
    **pool: Unpack[InformationPool],
) -> TraceResult: ...
def log_det_select(*, form: str = "auto", **pool: Unpack[InformationPool]) -> LogDetResult: ...
def k_center(*, first: int, **pool: Unpack[Pool]) -> DistanceResult: ...
def badge(*, seed: int, **pool: Unpack[Pool]) -> DistanceResult: ...
def information_gain(
    *,
    features: PoolArray,
    probabilities: PoolArray | None,
    eval_features: PoolArray,
    weight: FloatArray,
    bias: Float64 | None,
    class_weights: Float64,
    by_probability: bool,
    normalize: bool,
    learning_rate: float,
    **execution: Unpack[Execution],
) -> Float64: ...
def distance_sums(
    *,
    features: PoolArray,  # [n, d]
    references: PoolArray | None,  # [k, d]; None: the features
    rows: IndexArray | None,  # of the references; None: all
    scale: float,
    bits: int,
    **execution: Unpack[Execution],
) -> Float64: ...  # [3, n]
def largest_entry(*, features: PoolArray, **place: Unpack[Place]) -> float: ...
def top_k_mask(
    *,
    diagonal: PoolArray,
    always: IndexArray,  # [a, 2]
    layer_sizes: IndexArray,
    quotas: IndexArray,
    threads: int,
    **place: Unpack[Place],
) -> IndexArray: ...
def accumulate_squares(
    *,
    total: PoolArray,
    gradients: PoolArray,
    weights: Float64,
    threads: int,
    **place: Unpack[Place],
) -> None: ...
