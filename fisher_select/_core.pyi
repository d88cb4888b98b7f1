# SPDX-License-Identifier: Apache-2.0
"""Types of the compiled module; its words and shapes are those of factors.TraceProblem."""

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

class InformationResult(TypedDict):
    indices: npt.NDArray[np.int64]  # [B]
    scores: npt.NDArray[np.float64]  # [B]
    objective: npt.NDArray[np.float64]  # [B]; trace: [k + (k - B)]
    refreshes: int
    max_drift: float
    seconds: dict[str, float]

class TraceResult(InformationResult):
    forward_indices: npt.NDArray[np.int64]  # [k]

def trace_select(
    *,
    kind: str,
    features: npt.NDArray[np.floating[Any]] | None,
    probabilities: npt.NDArray[np.floating[Any]] | None,
    factors: npt.NDArray[np.floating[Any]] | None,
    labeled: npt.NDArray[np.int64],
    batch_size: int,
    forward_count: int,
    lam: float,
    shrink: float,
    scale: float,
    use_pool_fisher: bool,
    threads: int,
    chunk_rows: int = 0,
    progress: Callable[[str, int, int], object] | None = None,
    instruction_set: str = "auto",
) -> TraceResult: ...
def log_det_select(
    *,
    kind: str,
    features: npt.NDArray[np.floating[Any]] | None,
    probabilities: npt.NDArray[np.floating[Any]] | None,
    factors: npt.NDArray[np.floating[Any]] | None,
    labeled: npt.NDArray[np.int64],
    batch_size: int,
    lam: float,
    threads: int,
    chunk_rows: int = 0,
    progress: Callable[[str, int, int], object] | None = None,
    instruction_set: str = "auto",
) -> InformationResult: ...
def information_gain(
    *,
    features: npt.NDArray[np.floating[Any]],
    probabilities: npt.NDArray[np.floating[Any]] | None,
    eval_features: npt.NDArray[np.floating[Any]],
    weight: npt.NDArray[np.floating[Any]],
    bias: npt.NDArray[np.float64] | None,
    class_weights: npt.NDArray[np.float64],
    by_probability: bool,
    normalize: bool,
    learning_rate: float,
    threads: int,
    chunk_rows: int = 0,
    progress: Callable[[str, int, int], object] | None = None,
    instruction_set: str = "auto",
) -> npt.NDArray[np.float64]: ...

class DistanceResult(TypedDict):
    indices: npt.NDArray[np.int64]  # [B]
    scores: npt.NDArray[np.float64]  # [B]
    full_distances: int
    screened_distances: int
    centers: int
    seconds: dict[str, float]

def k_center(
    *,
    features: npt.NDArray[np.floating[Any]],
    probabilities: npt.NDArray[np.floating[Any]] | None,
    labeled: npt.NDArray[np.int64],
    batch_size: int,
    first: int,
    threads: int,
    chunk_rows: int = 0,
    progress: Callable[[str, int, int], object] | None = None,
    instruction_set: str = "auto",
) -> DistanceResult: ...
def badge(
    *,
    features: npt.NDArray[np.floating[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    labeled: npt.NDArray[np.int64],
    batch_size: int,
    seed: int,
    threads: int,
    chunk_rows: int = 0,
    progress: Callable[[str, int, int], object] | None = None,
    instruction_set: str = "auto",
) -> DistanceResult: ...
def top_k_mask(
    *,
    diagonal: npt.NDArray[np.floating[Any]],
    always: npt.NDArray[np.int64],  # [a, 2]
    layer_sizes: npt.NDArray[np.int64],
    quotas: npt.NDArray[np.int64],
    threads: int,
) -> npt.NDArray[np.int64]: ...
def accumulate_squares(
    *,
    total: npt.NDArray[np.floating[Any]],
    gradients: npt.NDArray[np.floating[Any]],
    weights: npt.NDArray[np.float64],
    threads: int,
) -> None: ...
def instruction_set() -> str: ...
