# SPDX-License-Identifier: Apache-2.0
"""k-centre greedy as a strategy; see fisher_select.k_center for what the fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fisher_select.arrays import Array
from fisher_select.distance import k_center
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection
from fisher_select.strategies.base import Strategy


@dataclass(frozen=True)
class KCenter(Strategy):
    """Farthest-first from the labelled rows (CoreSet)."""

    name = "k_center"
    takes = ("features", "probabilities")

    first: int | None = None
    embedding: str = "features"
    backend: str = "auto"
    threads: int | None = None
    chunk_rows: int | None = None
    progress: bool | ProgressCallback = False
    seed: int | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the arrays a loop has to compute."""
        return self.takes if self.embedding == "gradient" else ("features",)

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        return k_center(arrays.get("features"), arrays.get("probabilities"), **keywords)
