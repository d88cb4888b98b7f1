# SPDX-License-Identifier: Apache-2.0
"""Peak resident memory of a selection beyond its inputs, against what the state must hold.

Each size runs in a process of its own (``memory_child``), which loads no torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.child import run_child
from benchmarks.engine import Settings
from benchmarks.record import Figure, Record

ALLOWANCE = 1.5
MB = 1e6


@dataclass(frozen=True)
class Size:
    """A softmax pool and the forward picks made in it."""

    n: int
    d: int
    classes: int
    picks: int
    seed: int = 0

    def __str__(self) -> str:
        return f"n = {self.n:,}, d = {self.d}, C = {self.classes}"


# More picks than any block of pending updates holds, so that its buffers are all in use.
SIZES = (Size(50_000, 512, 10, picks=64), Size(200_000, 512, 2, picks=64))
SIZES_QUICK = (Size(3_000, 48, 10, picks=16), Size(4_000, 64, 2, picks=16))


def state_bytes(n: int, d: int, rank: int) -> int:
    """``2 n r^2`` floats (G and H) and ``4 D^2`` doubles (Q, P, M and F), D = r d."""
    return 2 * n * rank**2 * 4 + 4 * (rank * d) ** 2 * 8


def memory(settings: Settings) -> Record:
    """Peak beyond the inputs against 1.5 times the state, for r = C - 1 and for r = C."""
    figures, raw, sizes = [], {}, SIZES_QUICK if settings.quick else SIZES
    for size in sizes:
        measured = measure(size, settings)
        peak = measured["peak_bytes"] - measured["inputs_bytes"]
        own = ALLOWANCE * state_bytes(size.n, size.d, size.classes - 1)
        full = ALLOWANCE * state_bytes(size.n, size.d, size.classes)
        figures.append(
            Figure(
                f"memory beyond the inputs, {size}",
                f"<= {own / MB:,.0f} MB (r = C - 1); {full / MB:,.0f} MB (r = C)",
                f"{peak / MB:,.0f} MB, {peak / own * ALLOWANCE:.2f} x the state of r = C - 1, "
                f"{peak / full * ALLOWANCE:.2f} x of r = C ({measured['method']})",
                peak / own * ALLOWANCE,
                peak <= own,
            )
        )
        raw[str(size)] = measured
    notes = [
        f"the state is 2 n r^2 floats and 4 D^2 doubles, D = r d; the target is {ALLOWANCE} "
        + "times it with r = C - 1, as the engine works with one class fewer"
    ]
    return Record("bait_memory", {"cases": [asdict(s) for s in sizes]}, figures, raw, notes)


def measure(size: Size, settings: Settings) -> dict[str, Any]:
    """Run `memory_child` on a size; what it printed."""
    task = {**asdict(size), "backend": settings.backend}
    return run_child("memory_child", task, f"the process measuring {size}")
