# SPDX-License-Identifier: Apache-2.0
"""Our side of every pair: one timed call of ``fs.bait``, with its stage times checked."""

from __future__ import annotations

import time
from dataclasses import dataclass

import fisher_select as fs
from benchmarks.pairing import AnswerError
from benchmarks.problems import Problem


@dataclass(frozen=True)
class Settings:
    """How a benchmark is run: smoke sizes or the real ones, and on which backend."""

    quick: bool = False
    backend: str = "cpu"


@dataclass(frozen=True)
class EngineRun:
    """One selection, and its wall clock from outside."""

    selection: fs.Selection
    wall: float

    @property
    def forward(self) -> list[int]:
        """All forward picks, in order."""
        rows = self.selection.forward_indices
        if rows is None:
            raise AnswerError("bait returned no forward_indices")
        return [int(row) for row in rows]

    @property
    def forward_seconds(self) -> float:
        """Seconds of the forward stage, by the engine's clock."""
        return float(self.selection.seconds["forward"])

    @property
    def pick_seconds(self) -> float:
        """Mean seconds of a forward pick: blocked updates are spread over many picks."""
        return self.forward_seconds / len(self.forward)

    def raw(self) -> dict[str, object]:
        """Quality beside time, for the record."""
        return {
            "wall_s": self.wall,
            "stages_s": {stage: float(s) for stage, s in self.selection.seconds.items()},
            "forward_picks": len(self.forward),
            "refreshes": int(self.selection.refreshes),
            "max_drift": float(self.selection.max_drift),
            "backend": self.selection.backend,
        }


def run_bait(
    problem: Problem,
    *,
    batch_size: int,
    oversample: float = 2.0,
    lam: float = 1.0,
    fisher: str = "full",
    rank: int | None = None,
    top_classes: int | None = None,
    prefilter: int | None = None,
    backend: str = "cpu",
) -> EngineRun:
    """Select with the engine and time the whole call.

    The stages the engine reports must fit into the wall clock seen from here: a stage clock
    that runs fast would otherwise pass as speed.
    """
    start = time.perf_counter()
    selection = fs.bait(
        problem.features,
        problem.probabilities,
        labeled=problem.labeled,
        batch_size=batch_size,
        lam=lam,
        oversample=oversample,
        likelihood=problem.likelihood,
        fisher=fisher,
        rank=rank,
        top_classes=top_classes,
        prefilter=prefilter,
        backend=backend,
    )
    wall = time.perf_counter() - start
    run = EngineRun(selection, wall)
    _check_answer(run, problem, batch_size)
    return run


def _check_answer(run: EngineRun, problem: Problem, batch_size: int) -> None:
    """What holds for any selection; which rows it must be is for the rivals to say."""
    selection = run.selection
    picks = set(selection.indices.tolist())
    if selection.stop_reason != "complete" or len(picks) != batch_size:
        raise AnswerError(
            f"wanted {batch_size} picks, got {len(picks)} ({selection.stop_reason})"
        )
    if not picks <= set(run.forward) or not picks.isdisjoint(problem.labeled.tolist()):
        raise AnswerError("a pick is labelled already, or is none of the forward picks")
    stages = sum(selection.seconds.values())
    if stages > 1.01 * run.wall + 1e-3:
        raise AnswerError(f"stages add up to {stages:.3f} s of a call of {run.wall:.3f} s")
