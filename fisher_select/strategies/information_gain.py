# SPDX-License-Identifier: Apache-2.0
"""Information gain as a strategy; see fisher_select.information_gain for the fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fisher_select.arrays import Array
from fisher_select.information_gain import information_gain
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection
from fisher_select.strategies.base import Strategy


@dataclass(frozen=True)
class InformationGain(Strategy):
    """Largest fall of the evaluation set's entropy by one training step."""

    name = "information_gain"
    takes = (
        "features",
        "probabilities",
        "eval_features",
        "eval_labels",
        "weight",
        "bias",
    )

    learning_rate: float = 5e-4
    kind: str = "aeig"
    normalize: bool = False
    backend: str = "auto"
    threads: int | None = None
    chunk_rows: int | None = None
    progress: bool | ProgressCallback = False
    seed: int | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the arrays a loop has to compute."""
        return tuple(name for name in self.takes if name != "probabilities")

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        for name in ("features", "eval_features", "weight"):
            if name not in arrays:
                raise ValueError(f"{name} must be given for strategy {self.name!r}, got None")
        further = {k: v for k, v in arrays.items() if k not in ("features", "probabilities")}
        return information_gain(
            arrays["features"], arrays.get("probabilities"), **(keywords | further)
        )
