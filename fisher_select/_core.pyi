# SPDX-License-Identifier: Apache-2.0
"""Types of the compiled module; its words and shapes are those of factors.TraceProblem."""

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

class TraceResult(TypedDict):
    forward_indices: npt.NDArray[np.int64]  # [k]
    indices: npt.NDArray[np.int64]  # [B]
    scores: npt.NDArray[np.float64]  # [B]
    objective: npt.NDArray[np.float64]  # [k + (k - B)]
    refreshes: int
    max_drift: float
    seconds: dict[str, float]

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
def instruction_set() -> str: ...
