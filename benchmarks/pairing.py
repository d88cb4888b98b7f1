# SPDX-License-Identifier: Apache-2.0
"""Measuring in pairs: ours and the rival by turns in one process, ratios taken pair by pair.

A machine that others share drifts by tens of per cent within minutes.  The two sides of one
pair see the same machine, so the median of the ratios is steadier than a ratio of medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

# Idle BLAS and OpenMP workers spin for some milliseconds after a call; let them go to sleep.
SETTLE_SECONDS = 0.3


class AnswerError(Exception):
    """A benchmark whose answer is wrong: its times mean nothing."""


@dataclass(frozen=True)
class Pairs:
    """Seconds of each side, pair by pair."""

    rival: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def speedup(self) -> float:
        """How many times the rival's time is ours: median over the pairs."""
        return statistics.median(r / o for r, o in zip(self.rival, self.ours, strict=True))

    @property
    def cost(self) -> float:
        """How many times our time is the rival's: median over the pairs."""
        return statistics.median(o / r for r, o in zip(self.rival, self.ours, strict=True))

    @property
    def median_rival(self) -> float:
        """Median seconds of the rival."""
        return statistics.median(self.rival)

    @property
    def median_ours(self) -> float:
        """Median seconds of ours."""
        return statistics.median(self.ours)

    def raw(self) -> dict[str, list[float]]:
        """Every time taken, for the record."""
        return {"rival_s": list(self.rival), "ours_s": list(self.ours)}


def alternate(
    rival: Callable[[], float],
    ours: Callable[[], float],
    *,
    rounds: int,
    settle: float = SETTLE_SECONDS,
) -> Pairs:
    """Call both sides by turns, ``rounds`` times; each returns the seconds it measured.

    The callables time themselves because what counts is often a part of a call (the forward
    stage of a run), and because each must leave out its own preparation.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    rival_seconds, our_seconds = [], []
    for _ in range(rounds):
        time.sleep(settle)
        rival_seconds.append(rival())
        time.sleep(settle)
        our_seconds.append(ours())
    return Pairs(tuple(rival_seconds), tuple(our_seconds))


def median_seconds(call: Callable[[], object], *, repeats: int) -> float:
    """Median seconds of ``call`` over ``repeats``, after one call that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def require_same_picks(what: str, ours: Iterable[int], rival: Iterable[int]) -> None:
    """Raise AnswerError, naming the first difference, unless both sequences are equal."""
    left, right = [int(row) for row in ours], [int(row) for row in rival]
    if left == right:
        return
    step = next(
        (k for k, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
        min(len(left), len(right)),
    )
    raise AnswerError(
        f"{what}: picks differ from step {step} on "
        f"(ours {left[step : step + 3]} of {len(left)}, rival {right[step : step + 3]} "
        f"of {len(right)})"
    )
