# SPDX-License-Identifier: Apache-2.0
"""A line a strategy: the last score, the area under its curve, labels to a level, seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from fisher_select.comparison import area_under_curve, labels_to_reach, level_of
from fisher_select.metrics import LOWER_IS_BETTER
from fisher_select.report.curves import deviation
from fisher_select.report.study import Study
from fisher_select.report.style import shown, titled

__all__ = [
    "Level",
    "SummaryRow",
    "cells",
    "explained",
    "headings",
    "summarize",
    "summary_table",
]


@dataclass(frozen=True)
class Level:
    """The score whose price in labels is asked for.

    Attributes
    ----------
    share : float
        Above 0, at most 1.
    score : float or None
        The score that `share` is of, such as that of a model trained on all labels; None takes
        the best mean of any strategy in any round.
    """

    share: float = 0.95
    score: float | None = None

    def __post_init__(self) -> None:
        level_of(self.share, 1.0, lower_is_better=False)  # checks the share
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"score must be a finite number, got {self.score}")

    def value(self, study: Study, metric: str) -> float:
        """The level in a study."""
        best = self.score
        if best is None:
            means = [curve.mean for curve in study.curves(metric)]
            best = float(np.min(means) if metric in LOWER_IS_BETTER else np.max(means))
        return level_of(self.share, best, lower_is_better=metric in LOWER_IS_BETTER)

    def in_words(self, study: Study, metric: str) -> str:
        """Such as "95 % of the best mean: 91.2"."""
        of = "the best mean" if self.score is None else shown(metric, self.score)
        return f"{100 * self.share:g} % of {of}: {shown(metric, self.value(study, metric))}"


@dataclass(frozen=True)
class SummaryRow:
    """What a strategy comes to, in the metric's own unit.

    Attributes
    ----------
    strategy : str
    seeds : int
    final, final_deviation : float
        Mean over the seeds in the last round, and their sample standard deviation.
    area, area_deviation : float
        Likewise of `comparison.area_under_curve`.
    labels : int or None
        The fewest labels with which the mean over the seeds reached the level.
    select_seconds : float or None
        Mean wall time of a selection; None where there was none.
    """

    strategy: str
    seeds: int
    final: float
    final_deviation: float
    area: float
    area_deviation: float
    labels: int | None
    select_seconds: float | None


def summarize(study: Study, metric: str, level: Level) -> list[SummaryRow]:
    """One row a strategy, the largest area (the smallest of an error) first."""
    target, falling = level.value(study, metric), metric in LOWER_IS_BETTER
    rows = []
    for curve in study.curves(metric):
        areas = area_under_curve(curve.labeled, curve.values)
        seconds = study.select_seconds(curve.label)
        rows.append(
            SummaryRow(
                strategy=curve.label,
                seeds=len(curve.values),
                final=float(curve.mean[-1]),
                final_deviation=float(curve.band[-1]),
                area=float(areas.mean()),
                area_deviation=float(deviation(areas)),
                labels=labels_to_reach(
                    curve.labeled, curve.mean, target, lower_is_better=falling
                ),
                select_seconds=float(seconds.mean()) if seconds.size else None,
            )
        )
    return sorted(rows, key=lambda row: row.area, reverse=not falling)


def headings(study: Study, metric: str, level: Level) -> list[str]:
    """Column headings of `cells`."""
    last = study.labeled[-1]
    return [
        "strategy",
        "seeds",
        f"{titled(metric)} at {last} labels",
        "area under curve",
        f"labels to {shown(metric, level.value(study, metric))}",
        "s a selection",
    ]


def cells(row: SummaryRow, study: Study, metric: str) -> list[str]:
    """A row as text; the spread is left out where there is one seed."""
    several = row.seeds > 1
    seconds = row.select_seconds
    return [
        row.strategy,
        str(row.seeds),
        shown(metric, row.final, row.final_deviation if several else None),
        shown(metric, row.area, row.area_deviation if several else None),
        f"> {study.labeled[-1]}" if row.labels is None else str(row.labels),
        "–" if seconds is None else f"{seconds:.2g}",
    ]


def explained(study: Study) -> str:
    """What stands behind ±, for a caption; nothing where there is one seed."""
    several = len(study.runs) > len(study.strategies)
    return "± one standard deviation over the seeds; " if several else ""


def summary_table(study: Study, metric: str, level: Level, *, plain: bool) -> Table:
    """The rows for a terminal; `plain` is without lines, for files and pipes."""
    options: dict[str, Any] = {"box": None, "pad_edge": False} if plain else {}
    table = Table(
        title=escape(study.name),
        caption=f"{explained(study)}level: {level.in_words(study, metric)}",
        title_justify="left",
        caption_justify="left",
        **options,
    )
    for heading in headings(study, metric, level):
        first = heading == "strategy"
        table.add_column(heading, justify="left" if first else "right", no_wrap=first or plain)
    for row in summarize(study, metric, level):
        table.add_row(*map(escape, cells(row, study, metric)))
    return table
