# SPDX-License-Identifier: Apache-2.0
"""What `fisher_select.plan` says against what happens: peak memory and seconds, mode by mode.

Each mode runs in a process of its own (``memory_child``), right after its plan was made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fisher_select as fs
from benchmarks.bait_memory import MB, Size, measure
from benchmarks.engine import Settings
from benchmarks.memory_child import MODE
from benchmarks.record import Figure, Record, seconds

TOLERANCE = 0.25


@dataclass(frozen=True)
class Case(Size):
    """A softmax pool, its picks, and the mode."""

    fisher: str = "full"
    rank: int | None = None
    top_classes: int | None = None
    prefilter: int | None = None

    @property
    def mode(self) -> dict[str, Any]:
        """Options of `fisher_select.bait`."""
        return {name: getattr(self, name) for name in MODE}

    def __str__(self) -> str:
        chosen = {k: v for k, v in self.mode.items() if v not in (None, "full")}
        words = [f"{k}={v!r}" for k, v in chosen.items()] or ["fisher='full'"]
        return ", ".join([super().__str__(), *words])


# 100 classes of 512 features have matrices of 84 GB with the full information, and with any
# rank: the first three are modes that fit into this machine; the others show what they do where
# they do.
CASES = (
    Case(50_000, 512, 100, picks=3, fisher="block_diagonal"),
    Case(50_000, 512, 100, picks=3, fisher="binary"),
    Case(50_000, 512, 100, picks=3, top_classes=16),
    Case(300_000, 64, 10, picks=20, fisher="binary"),
    Case(20_000, 64, 100, picks=3, rank=10),
    Case(20_000, 32, 100, picks=3),
    Case(20_000, 64, 100, picks=3, top_classes=10),
    Case(200_000, 64, 10, picks=20, prefilter=5_000),
    Case(50_000, 128, 10, picks=20),
)
# Sizes that no constant of timing.py was found at.
UNSEEN = (
    Case(8_000, 40, 12, picks=15),
    Case(40_000, 24, 8, picks=40, fisher="binary"),
    Case(150_000, 300, 6, picks=8, fisher="binary"),
    Case(600_000, 20, 2, picks=25),
    Case(12_000, 96, 30, picks=20, fisher="block_diagonal"),
    Case(30_000, 256, 40, picks=10, fisher="block_diagonal"),
    Case(10_000, 48, 80, picks=5, rank=6),
    Case(5_000, 24, 70, picks=5),
    Case(100_000, 96, 6, picks=30),
)
CASES_QUICK = (
    Case(4_000, 48, 12, picks=3, fisher="block_diagonal"),
    Case(4_000, 24, 12, picks=3, rank=3),
    Case(4_000, 24, 12, picks=3, top_classes=3, prefilter=500),
)


def plan_check(settings: Settings) -> Record:
    """Predicted over measured, within a quarter both ways."""
    figures, raw, cases = [], {}, CASES_QUICK if settings.quick else CASES + UNSEEN
    for case in cases:
        planned = fs.plan(
            (case.n, case.d),
            (case.n, case.classes),
            batch_size=case.picks,
            oversample=1.0,
            **case.mode,
        )
        measured = measure(case, settings)
        peak = measured["peak_bytes"] - measured["inputs_bytes"]
        stages = measured["run"]["stages_s"]
        took = sum(stages.values())
        unseen = " (a size not used to find the model's constants)" if case in UNSEEN else ""
        ratios = {stage: planned.seconds[stage] / s for stage, s in stages.items()}
        figures += [
            _figure(
                f"planned memory, {case}",
                planned.bytes / peak,
                f"{planned.bytes / MB:,.0f} MB planned, {peak / MB:,.0f} MB held",
            ),
            _figure(
                f"planned seconds, {case}{unseen}",
                planned.total_seconds / took,
                f"{seconds(planned.total_seconds)} planned, {seconds(took)} taken; "
                + ", ".join(f"{stage} {ratio:.2f} x" for stage, ratio in ratios.items()),
            ),
        ]
        raw[str(case)] = {
            "memory": dict(planned.memory),
            "flops": planned.flops,
            "seconds": dict(planned.seconds),
            "measured": measured,
        }
    notes = [
        "memory is the peak beyond the inputs; seconds are those of the engine's stages, and "
        "the plan's rest on product and copy rates measured in this run"
    ]
    return Record("plan", {"cases": [str(case) for case in cases]}, figures, raw, notes)


def _figure(name: str, ratio: float, detail: str) -> Figure:
    within = 1.0 / (1.0 + TOLERANCE) <= ratio <= 1.0 + TOLERANCE
    return Figure(name, "within 25 %", f"{ratio:.2f} x ({detail})", ratio, within)
