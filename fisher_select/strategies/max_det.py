# SPDX-License-Identifier: Apache-2.0
"""Log-determinant greedy as a strategy; see fisher_select.max_det for what the fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fisher_select.arrays import Array
from fisher_select.determinant import check_gradient, max_det
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection
from fisher_select.strategies.base import FactorStrategy


@dataclass(frozen=True)
class MaxDet(FactorStrategy):
    """Exact greedy on log det M, forward only."""

    name = "max_det"

    lam: float = 1.0
    gradient: str = "rank_one"
    rank: int | None = None
    top_classes: int | None = None
    likelihood: str = "softmax"
    backend: str = "auto"
    threads: int | None = None
    chunk_rows: int | None = None
    progress: bool | ProgressCallback = False
    seed: int | None = None

    def check_likelihood(self, likelihood: str) -> None:
        """Refuse the rank-one gradient of other outputs than softmax."""
        check_gradient(self.gradient, likelihood, self.rank, self.top_classes)

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        return max_det(
            arrays.get("features"),
            arrays.get("probabilities"),
            factors=arrays.get("factors"),
            **keywords,
        )
