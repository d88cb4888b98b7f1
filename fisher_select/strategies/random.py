# SPDX-License-Identifier: Apache-2.0
"""Random selection as a strategy: the baseline every other has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fisher_select.arrays import Array
from fisher_select.conversion import row_count
from fisher_select.select import random
from fisher_select.selection import Selection
from fisher_select.strategies.base import Strategy


@dataclass(frozen=True)
class Random(Strategy):
    """Uniform draws without replacement; see fisher_select.random."""

    name = "random"
    # Any of them: only the number of rows matters, so that "random" can take another
    # strategy's place in a call without further changes.
    takes = ("features", "probabilities", "factors")

    seed: int | None = 0

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the arrays a loop has to compute."""
        return ("features",)

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        rows = {k: row_count(k, v) for k, v in arrays.items() if v is not None}
        if not rows:
            raise ValueError(f"one of {', '.join(self.takes)} must be given, got none")
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{name} {count}" for name, count in rows.items())
            raise ValueError(f"arrays must have the same number of rows, got {counts}")
        return random(next(iter(rows.values())), **keywords)
