# SPDX-License-Identifier: Apache-2.0
"""Uncertainty sampling as a strategy; see fisher_select.uncertainty for the kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fisher_select.arrays import Array
from fisher_select.selection import Selection
from fisher_select.strategies.base import Strategy
from fisher_select.uncertainty import uncertainty


@dataclass(frozen=True)
class Uncertainty(Strategy):
    """The rows whose outputs are least certain; registered once more under each kind."""

    name = "uncertainty"
    takes = ("probabilities",)

    kind: str = "entropy"

    def check_likelihood(self, likelihood: str) -> None:
        """As any strategy, but that the average confidence is one of independent labels."""
        if not (self.kind == "average_confidence" and likelihood == "sigmoid"):
            super().check_likelihood(likelihood)

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        if "probabilities" not in arrays:
            raise ValueError("probabilities must be given, got None")
        return uncertainty(arrays["probabilities"], **keywords)
