# SPDX-License-Identifier: Apache-2.0
"""A small training in a process of its own, to be killed: CHECKPOINT, POLICY, SECONDS.

It prints "ready" when the imports are done, and sleeps so long in each step.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from policies import QUICK, Detour

from fisher_select.reinforcement_learning import train_policy


class Slow(Detour):
    def step(self, action: Any) -> Any:
        time.sleep(float(sys.argv[3]))
        return super().step(action)


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    learned = train_policy(
        Slow(), replace(QUICK, episodes=20), checkpoint=Path(sys.argv[1])
    )
    learned.save(sys.argv[2])
