# SPDX-License-Identifier: Apache-2.0
"""FisherMask as a strategy; see fisher_select.fisher_mask for what the fields mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fisher_select.arrays import Array
from fisher_select.fisher_mask import fisher_mask
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection
from fisher_select.strategies.base import Strategy


@dataclass(frozen=True)
class FisherMask(Strategy):
    """BAIT on the gradients of the most informative parameters of a whole model."""

    name = "fisher_mask"
    takes = ("model", "pool")

    sparsity: float = 0.002
    scope: str = "global"
    num_samples: int = 1024
    expectation: str = "exact"
    sketch_dim: int | None = None
    dtype: str = "float32"
    path: str | Path | None = None
    memory_limit: int | None = None
    lam: float = 1.0
    oversample: float = 2.0
    normalization: str = "reference"
    likelihood: str = "softmax"
    layer: str | None = None
    autocast: str | None = None
    batch_rows: int = 32
    inputs: Callable[[Any], Any] | None = None
    backend: str = "auto"
    threads: int | None = None
    chunk_rows: int | None = None
    progress: bool | ProgressCallback = False
    seed: int | None = 0

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        return fisher_mask(arrays.get("model"), arrays.get("pool"), **keywords)
