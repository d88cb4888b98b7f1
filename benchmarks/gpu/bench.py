# SPDX-License-Identifier: Apache-2.0
"""What every case is given: the device, the clock, the floors and the time it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from benchmarks.gpu.work import Floors, Work
from fisher_select import backends

MOST_REPEATS = 5


@dataclass(frozen=True)
class Bench:
    """How a case is measured."""

    backend: str = "cuda"
    quick: bool = False  # smoke sizes, which say nothing about speed
    seconds: float = 10.0  # the case is expected to take
    floors: Floors | None = None  # None: not measured

    @cached_property
    def device(self) -> torch.device:
        """Where the arrays lie: on the GPU, unless the backend works without one."""
        real = self.backend == "cuda" and backends.explain()["cuda"] != backends.EMULATED
        return torch.device("cuda" if real else "cpu")

    @property
    def clock(self) -> str:
        """What `time` measures with, in words."""
        return "CUDA events" if self.device.type == "cuda" else "wall clock"

    def time(self, call: Callable[[], object]) -> float:
        """Seconds of a call.

        By events around it on torch's current stream, the device idle before. Our own calls
        return when their work is done, so what the host does within them counts as well.
        """
        if self.device.type != "cuda":
            start = time.perf_counter()
            call()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        call()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

    def times(self, call: Callable[[], object], *, most: int = MOST_REPEATS) -> list[float]:
        """Seconds of each of some calls, after one that is not counted.

        As many calls as half of the case's time holds, one at least.
        """
        first = self.time(call)
        count = min(most, max(1, int(self.seconds / 2 / first)))
        return [self.time(call) for _ in range(count)]

    def floor(self, work: Work) -> float | None:
        """Seconds that the work takes at the floors, where those are known."""
        return None if self.floors is None else work.seconds(self.floors)
