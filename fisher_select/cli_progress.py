# SPDX-License-Identifier: Apache-2.0
"""Progress bars of the command line, on stderr; none when that is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fisher_select.experiment import Candidate, Experiment, RecordCallback
from fisher_select.loop import RoundRecord
from fisher_select.progress import ProgressCallback

__all__ = ["progress_bar", "run_progress", "selection_progress"]


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A bar on stderr that vanishes when done; None when stderr is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield bar


@contextmanager
def selection_progress() -> Iterator[ProgressCallback | None]:
    """The callback of a selection, one bar a stage; None when nobody watches."""
    with progress_bar() as bar:
        if bar is None:
            yield None
            return
        yield _StageBars(bar)


class _StageBars:
    """A ProgressCallback: one bar a stage, below what was announced."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def announce(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage)
        self._bar.update(self._tasks[stage], completed=done, total=total)


@contextmanager
def run_progress(plan: Experiment, *, quiet: bool) -> Iterator[RecordCallback | None]:
    """The callback of an experiment, one bar for all its rounds; None when nobody watches."""
    if quiet:
        yield None
        return
    with progress_bar() as bar:
        if bar is None:
            yield None
            return
        rounds = len(plan.strategies) * len(plan.seeds) * (plan.loop.rounds + 1)
        task = bar.add_task("loading", total=rounds)

        def advance(candidate: Candidate, seed: int, record: RoundRecord) -> None:
            name, value = next(iter(record.metrics.items()))
            text = (
                f"{candidate.label}, seed {seed}: {record.labeled} labels, {name} {value:.3f}"
            )
            bar.update(task, advance=1, description=escape(text))

        yield advance
