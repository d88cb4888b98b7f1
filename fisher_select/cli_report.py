# SPDX-License-Identifier: Apache-2.0
"""The commands `report` and `compare`: what finished runs say, on a page and in a table."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console

from fisher_select import files
from fisher_select import report as reports
from fisher_select.extras import require

__all__ = ["add_commands"]

_WIDE = 1000  # columns of a table that goes to a file or a pipe: nothing is folded

Runs: TypeAlias = Annotated[
    list[Path], typer.Argument(help="Run directories, or folders with runs below them.")
]
LevelShare: TypeAlias = Annotated[
    float, typer.Option(help="Share of the best score whose price in labels is told.")
]
LevelScore: TypeAlias = Annotated[
    float | None,
    typer.Option(help="Score that --level is a share of; the best mean if not given."),
]
MetricName: TypeAlias = Annotated[
    str | None, typer.Option(help="Metric to compare by; the first of the runs if not given.")
]


def add_commands(app: typer.Typer) -> None:
    """Make them commands of the program."""
    for command in (report, compare):
        app.command()(command)


def report(
    runs: Runs,
    out: Annotated[
        Path, typer.Option(help="Page to write; its PNGs go to <name>-figures beside it.")
    ] = Path("report.html"),
    level: LevelShare = 0.95,
    score: LevelScore = None,
    metric: MetricName = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Write a page about finished runs: curves, labels a class, who beats whom, the picks."""
    target = reports.Level(level, score)
    require("matplotlib", "jinja2", extra="experiments")
    files.check_writable(out)
    studies = reports.group(reports.read_runs(runs))
    terminal = Console(stderr=True)
    busy = terminal.status("drawing") if terminal.is_terminal and not quiet else nullcontext()
    with busy:
        reports.write_report(out, studies, metric=metric, level=target)
    if not quiet:
        typer.echo(f"wrote {out} and {reports.figures_of(out)}")


def compare(
    runs: Runs,
    level: LevelShare = 0.95,
    score: LevelScore = None,
    metric: MetricName = None,
) -> None:
    """Print a line a strategy: last score, area under the curve, labels to a level, seconds."""
    target = reports.Level(level, score)
    studies = reports.group(reports.read_runs(runs))
    tables = [
        reports.summary_table(
            study, reports.metric_of(study, metric), target, plain=not sys.stdout.isatty()
        )
        for study in studies
    ]
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    for study, table in zip(studies, tables, strict=True):
        console.print(table)
        for note in study.notes:
            typer.echo(note)
