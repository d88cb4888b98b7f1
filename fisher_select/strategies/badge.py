# SPDX-License-Identifier: Apache-2.0
"""BADGE as a strategy; see fisher_select.badge for what the fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fisher_select.arrays import Array
from fisher_select.distance import badge
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection
from fisher_select.strategies.base import Strategy


@dataclass(frozen=True)
class Badge(Strategy):
    """k-means++ on the gradients of the last layer."""

    name = "badge"
    takes = ("features", "probabilities")

    seed: int | None = 0
    backend: str = "auto"
    threads: int | None = None
    chunk_rows: int | None = None
    progress: bool | ProgressCallback = False

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        return badge(arrays.get("features"), arrays.get("probabilities"), **keywords)
