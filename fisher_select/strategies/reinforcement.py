# SPDX-License-Identifier: Apache-2.0
"""A learned policy as a strategy; see fisher_select.reinforcement for what the fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fisher_select.arrays import Array
from fisher_select.policy import Policy
from fisher_select.progress import ProgressCallback
from fisher_select.reinforcement import as_policy, reinforcement
from fisher_select.selection import Selection
from fisher_select.strategies.base import Strategy


@dataclass(frozen=True)
class Reinforcement(Strategy):
    """The rows with the largest Q values of a policy trained by reinforcement."""

    name = "reinforcement"
    takes = ("features", "probabilities", "data", "state_probabilities")

    policy: Policy | str | Path | None = None
    backend: str = "auto"
    threads: int | None = None
    chunk_rows: int | None = None
    progress: bool | ProgressCallback = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the arrays a loop has to compute."""
        if self.policy is not None and as_policy(self.policy).view.space == "data":
            return ("features", "probabilities", "data")
        return ("features", "probabilities")

    def check(self) -> None:
        """Check that there is a policy."""
        as_policy(self.policy)

    def described(self) -> dict[str, Any]:
        """The fields, the policy by its content: a file may be trained anew."""
        return self.options() | {"policy": as_policy(self.policy).digest}

    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        for name in ("features", "probabilities"):
            if name not in arrays:
                raise ValueError(f"{name} must be given for strategy {self.name!r}, got None")
        return reinforcement(
            arrays["features"],
            arrays["probabilities"],
            data=arrays.get("data"),
            state_probabilities=arrays.get("state_probabilities"),
            **keywords,
        )
