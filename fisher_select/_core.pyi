# SPDX-License-Identifier: Apache-2.0
"""Types of the compiled module; its words and shapes are those of factors.TraceProblem."""

from collections.abc import Callable
from typing import NotRequired, TypeAlias, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import FloatArray, IndexArray
from fisher_select.shards import Shard

Float64: TypeAlias = npt.NDArray[np.float64]

class Execution(TypedDict):
    """How to run, never what to compute."""

    threads: int
    chunk_rows: NotRequired[int]  # 0: by cache size
    progress: NotRequired[Callable[[str, int, int], object] | None]
    instruction_set: NotRequired[str]  # "auto", "baseline", "avx2", "avx512"

class Sweep(Execution):
    mapped: NotRequired[list[str]]  # names of the arrays that are pages of a file

class Pool(Sweep):
    features: FloatArray | None  # [n, d]
    probabilities: FloatArray | None  # [n, C]
    labeled: IndexArray  # [m]
    batch_size: int
    shard: NotRequired[Shard | None]  # which part of a distributed pool the arrays are

class InformationPool(Pool):
    kind: str
    factors: FloatArray | None  # [n, D, r]
    lam: float
    rank: NotRequired[int]  # of softmax, leading columns of L; 0: all
    merged: NotRequired[int]  # classes that the last column of probabilities stands for; 1

class InformationResult(TypedDict):
    indices: IndexArray  # [B]
    scores: Float64  # [B]
    objective: Float64  # [B]; trace: [k + (k - B)]
    refreshes: int
    max_drift: float
    seconds: dict[str, float]

class TraceResult(InformationResult):
    forward_indices: IndexArray  # [k]
    search_share: NotRequired[float]  # where not all candidates are searched

class LogDetResult(InformationResult):
    kernel_form: bool
    entries: int

class DistanceResult(TypedDict):
    indices: IndexArray  # [B]
    scores: Float64  # [B]
    full_distances: int
    screened_distances: int
    centers: int
    seconds: dict[str, float]

def trace_select(
    *,
    forward_count: int,
    shrink: float,
    scale: float,
    use_pool_fisher: bool,
    candidates: int = 0,  # of the forward stage; 0: all
    search: str = "full",  # "lazy", "stochastic"
    search_part: float = 1.0,  # of the candidates, at each pick
    search_seed: int = 0,
    **pool: Unpack[InformationPool],
) -> TraceResult: ...
def log_det_select(*, form: str = "auto", **pool: Unpack[InformationPool]) -> LogDetResult: ...
def k_center(*, first: int, **pool: Unpack[Pool]) -> DistanceResult: ...
def badge(*, seed: int, **pool: Unpack[Pool]) -> DistanceResult: ...
def information_gain(
    *,
    features: FloatArray,
    probabilities: FloatArray | None,
    eval_features: FloatArray,
    weight: FloatArray,
    bias: Float64 | None,
    class_weights: Float64,
    by_probability: bool,
    normalize: bool,
    learning_rate: float,
    **execution: Unpack[Sweep],
) -> Float64: ...
def distance_sums(
    *,
    features: FloatArray,  # [n, d]
    references: FloatArray | None,  # [k, d]; None: the features
    rows: IndexArray | None,  # of the references; None: all
    scale: float,
    bits: int,
    **execution: Unpack[Sweep],
) -> Float64: ...  # [3, n]
def top_k_mask(
    *,
    diagonal: FloatArray,
    always: IndexArray,  # [a, 2]
    layer_sizes: IndexArray,
    quotas: IndexArray,
    threads: int,
) -> IndexArray: ...
def accumulate_squares(
    *,
    total: FloatArray,
    gradients: FloatArray,
    weights: Float64,
    threads: int,
) -> None: ...
def instruction_set() -> str: ...
