# SPDX-License-Identifier: Apache-2.0
"""What is measured, in order of importance, and what of it still fits into the time left."""

from __future__ import annotations

import time
from dataclasses import dataclass

# A case may take this many times what it is expected to, time permitting; then it is stopped.
PATIENCE = 3.0


@dataclass(frozen=True)
class Case:
    """One entry of `child.CASES`, in a process of its own."""

    name: str
    seconds: float  # expected on an H200, imports and inputs included


PLAN = (
    Case("floors", 10),  # first: the others' shares rest on it
    Case("same_picks", 10),
    Case("bait", 20),
    Case("bait_published", 40),
    Case("k_center", 15),
    Case("bait_million", 15),
    Case("badge", 15),
    Case("max_det", 15),
    Case("information_gain", 10),
    Case("mask", 10),
    Case("bait_block_diagonal", 100),
)


class Budget:
    """Seconds that are left of those given."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, negative when they are used up."""
        return self._end - time.monotonic()

    def limit(self, case: Case) -> float | None:
        """Seconds after which the case has to be stopped; None where it does not fit."""
        left = self.left
        return None if left < case.seconds else min(left, PATIENCE * case.seconds)
