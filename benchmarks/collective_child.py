# SPDX-License-Identifier: Apache-2.0
"""One rank that times the exchanges of a pick over gloo: a task as JSON, its times as JSON.

Of the ranks that `fs.distributed` talks through, not of gloo alone: what a pick waits for.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import count

import numpy as np
import torch.distributed as dist

from fisher_select.ranks import TorchRanks

ROUNDS = 200


def measure(rank: int, ranks: int, meeting: str, values: int, large: int) -> dict[str, float]:
    """Median seconds of a pick's two exchanges, and of the sum of `large` doubles."""
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=ranks
    )
    group = TorchRanks(None, 60.0)
    said, heard = np.zeros(2), np.zeros(2 * ranks)
    sample, matrix = np.zeros(values), np.zeros(large)
    turns = count()
    with group.together():
        found = {
            "gather": _median(lambda: group.gather(said, heard), ROUNDS),
            "broadcast": _median(lambda: group.broadcast(sample, next(turns) % ranks), ROUNDS),
            "sum": _median(lambda: group.sum(matrix), 9),
        }
    dist.destroy_process_group()
    return found


def _median(step: Callable[[], None], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return float(np.median(times[1:]))  # the first one connects


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    answer = measure(**task)
    print(json.dumps(answer))
