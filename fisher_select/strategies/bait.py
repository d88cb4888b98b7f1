# SPDX-License-Identifier: Apache-2.0
"""BAIT as a strategy; see fisher_select.bait for what the fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fisher_select.arrays import Array
from fisher_select.factors import check_rank, kind_of
from fisher_select.progress import ProgressCallback
from fisher_select.select import bait
from fisher_select.selection import Selection
from fisher_select.strategies.base import FactorStrategy
from fisher_select.top_classes import check_top_classes


@dataclass(frozen=True)
class Bait(FactorStrategy):
    """Exact greedy on tr(M^-1 F), forward then backward."""

    name = "bait"

    lam: float = 1.0
    oversample: float = 2.0
    normalization: str = "reference"
    likelihood: str = "softmax"
    fisher: str = "full"
    rank: int | None = None
    top_classes: int | None = None
    prefilter: int | None = None
    search: str = "full"
    epsilon: float = 0.1
    use_pool_fisher: bool = True
    backend: str = "auto"
    threads: int | None = None
    chunk_rows: int | None = None
    memory_limit: int | str | None = None
    progress: bool | ProgressCallback = False
    seed: int | None = None

    def check_likelihood(self, likelihood: str) -> None:
        """Refuse a Fisher matrix, a rank or classes that are not of these outputs."""
        kind = kind_of(likelihood, self.fisher)
        check_top_classes(self.top_classes, kind, check_rank(self.rank, kind))

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        return bait(
            arrays.get("features"),
            arrays.get("probabilities"),
            factors=arrays.get("factors"),
            **keywords,
        )
