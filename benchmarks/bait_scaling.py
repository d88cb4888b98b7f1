# SPDX-License-Identifier: Apache-2.0
"""How the cost grows: exponents in n, d, C (time a pick) and B (time of the forward stage).

Each is the slope of a least-squares line through log time over log size, three doublings.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.engine import Settings, run_bait
from benchmarks.pairing import SETTLE_SECONDS
from benchmarks.problems import Problem, make_problem
from benchmarks.record import Figure, Record


@dataclass(frozen=True)
class Axis:
    """One size that doubles while the others stay; ``picks`` is B, forward only."""

    name: str  # "n", "d", "C" or "B"
    values: tuple[int, ...]
    expected: float
    tolerance: float  # what "about" allows, in the exponent
    n: int
    d: int
    classes: int
    picks: int

    def at(self, value: int) -> tuple[int, int, int, int]:
        """(n, d, C, B) with this axis at ``value``."""
        n, d, classes, picks = self.n, self.d, self.classes, self.picks
        return (
            value if self.name == "n" else n,
            value if self.name == "d" else d,
            value if self.name == "C" else classes,
            value if self.name == "B" else picks,
        )

    @property
    def label(self) -> str:
        """How the table calls the exponent."""
        of = "forward stage" if self.name == "B" else "a pick"
        return f"exponent in {self.name} of the time of {of}"


# The pool is long beside d, as real ones are: reading Q and P once a pick is D^2 whatever n.
AXES = (
    Axis("n", (10_000, 20_000, 40_000, 80_000), 1.0, 0.2, 0, 64, 10, 48),
    Axis("d", (32, 64, 128, 256), 1.0, 0.3, 40_000, 0, 10, 48),
    Axis("C", (5, 10, 20, 40), 2.0, 0.3, 40_000, 128, 0, 48),
    Axis("B", (50, 100, 200, 400), 1.0, 0.2, 10_000, 64, 10, 0),
)
AXES_QUICK = (
    Axis("n", (250, 500, 1_000), 1.0, 0.2, 0, 16, 4, 8),
    Axis("d", (8, 16, 32), 1.0, 0.3, 500, 0, 4, 8),
    Axis("C", (2, 4, 8), 2.0, 0.3, 500, 16, 0, 8),
    Axis("B", (5, 10, 20), 1.0, 0.2, 500, 16, 4, 0),
)
REPEATS, REPEATS_QUICK = 3, 1


def scaling(settings: Settings) -> Record:
    """Measure and fit every axis."""
    figures, raw = [], {}
    axes = AXES_QUICK if settings.quick else AXES
    for axis in axes:
        times = _measure(axis, settings)
        middle = [statistics.median(of_value) for of_value in times]
        exponent = fit_exponent(axis.values, middle)
        figures.append(
            Figure(
                f"{axis.label}, {axis.values[0]:,} to {axis.values[-1]:,}",
                f"{axis.expected:g} within {axis.tolerance:g}",
                f"{exponent:.2f}",
                exponent,
                abs(exponent - axis.expected) <= axis.tolerance,
            )
        )
        raw[axis.name] = {"values": axis.values, "seconds": times, "exponent": exponent}
    notes = [
        "the engine works with C - 1 classes: doubling C makes (C - 1)^2 more than four times"
    ]
    return Record("bait_scaling", {"axes": [asdict(a) for a in axes]}, figures, raw, notes)


def fit_exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Exponent k of ``times ~ sizes^k``: slope of the least-squares line of the logarithms."""
    if len(sizes) != len(times) or len(sizes) < 2:
        raise ValueError(
            f"wanted two or more sizes, each with a time, got {len(sizes)} and {len(times)}"
        )
    x, y = np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(times, dtype=float))
    x -= x.mean()
    return float((x @ y) / (x @ x))


def _measure(axis: Axis, settings: Settings) -> list[list[float]]:
    """Seconds of each value, repeats by turns so that a drift meets all sizes alike."""
    repeats = REPEATS_QUICK if settings.quick else REPEATS
    problems: dict[tuple[int, int, int], Problem] = {}
    times: list[list[float]] = [[] for _ in axis.values]
    for _ in range(repeats):
        for k, value in enumerate(axis.values):
            n, d, classes, picks = axis.at(value)
            if (n, d, classes) not in problems:
                problems[n, d, classes] = make_problem(n, d, classes)
            time.sleep(SETTLE_SECONDS)
            run = run_bait(
                problems[n, d, classes],
                batch_size=picks,
                oversample=1.0,
                backend=settings.backend,
            )
            times[k].append(run.forward_seconds if axis.name == "B" else run.pick_seconds)
    return times
