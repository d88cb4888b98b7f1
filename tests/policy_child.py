# SPDX-License-Identifier: Apache-2.0
"""A small training in a process of its own, to be killed: CHECKPOINT, SECONDS of each step."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any

from policies import QUICK, Detour

from fisher_select.reinforcement_learning import train_policy


class Slow(Detour):
    def step(self, action: Any) -> Any:
        time.sleep(float(sys.argv[2]))
        return super().step(action)


if __name__ == "__main__":
    train_policy(Slow(), replace(QUICK, episodes=40), checkpoint=sys.argv[1])
