# SPDX-License-Identifier: Apache-2.0
"""The command `plan`: what `select` would take, before it takes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from fisher_select import files, pool, strategies
from fisher_select.cli_settings import Settings, parse_settings
from fisher_select.plan import Plan
from fisher_select.plan import plan as plan_selection
from fisher_select.quantities import duration, scaled

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Give the program this command."""
    app.command()(plan)


def plan(
    batch: Annotated[int, typer.Option(help="Rows to label.")],
    pool_file: Annotated[
        Path | None,
        typer.Argument(metavar="FEATURES", help="Features, as for 'select'; only looked at."),
    ] = None,
    probs: Annotated[
        Path | None, typer.Option(help="Probabilities, as for 'select'; only looked at.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="Rows of the pool, in place of a file.")
    ] = None,
    features: Annotated[
        int | None, typer.Option(help="Features of a row, in place of a file.")
    ] = None,
    classes: Annotated[int | None, typer.Option(help="Classes, in place of a file.")] = None,
    labeled: Annotated[
        str, typer.Option(metavar="FILE|COUNT", help="Rows labelled already, or how many.")
    ] = "0",
    fisher: Annotated[
        str | None, typer.Option(help="full, block_diagonal or binary; full if not given.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(help="Columns of a factor to keep; all if not given.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads to use.")] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="As 8GB: tell the nearest mode that fits as well."),
    ] = None,
    settings: Settings = None,
) -> None:
    """Tell bytes, operations and expected seconds of a BAIT selection before it is made.

    Of files, or of numbers: --rows 1280000 --features 384 --classes 1000. No value is read. The
    seconds are those of this machine, whose speed is measured at these shapes in a moment.
    """
    named = {
        "fisher": fisher,
        "rank": rank,
        "threads": threads,
        "memory_limit": memory_limit,
    }
    chosen: dict[str, Any] = {k: value for k, value in named.items() if value is not None}
    chosen |= parse_settings(settings, taken=chosen)
    options = strategies.get("bait", **chosen).options()  # refuses what bait does not have
    sizing = inspect.signature(plan_selection).parameters
    n, width = _pool_shape(pool_file, rows, features)
    known = int(labeled) if labeled.isdecimal() else files.read_indices(Path(labeled))
    found = plan_selection(
        (n, width),
        _output_shape(probs, classes, n, options["likelihood"]),
        labeled=known,
        batch_size=batch,
        **{name: value for name, value in options.items() if name in sizing},
    )
    for line in _lines(found):
        typer.echo(line)


def _pool_shape(path: Path | None, rows: int | None, width: int | None) -> tuple[int, int]:
    if path is not None:
        if rows is not None or width is not None:
            raise ValueError("--rows and --features must not be given along with a file")
        return pool.shape_of(path, ("features", "X"))
    if rows is None or width is None:
        raise ValueError("a file of features, or --rows and --features, must be given")
    return rows, width


def _output_shape(
    path: Path | None, classes: int | None, rows: int, likelihood: str
) -> tuple[int, int] | None:
    if path is not None and classes is not None:
        raise ValueError("--classes must not be given along with --probs")
    if likelihood == "gaussian":
        if path is not None or classes is not None:
            raise ValueError("--probs and --classes must not be given for a regression")
        return None
    if path is not None:
        return pool.shape_of(path, ("probabilities", "P"))
    if classes is None:
        raise ValueError("--probs or --classes must be given, except for a regression")
    return rows, classes


def _lines(found: Plan) -> Iterator[str]:
    """The plan, and the nearest one that fits where this one does not."""
    parts = ", ".join(f"{name} {scaled(size)}B" for name, size in found.memory.items())
    stages = ", ".join(f"{name} {duration(s)}" for name, s in found.seconds.items() if s > 0.0)
    facts = [
        ("mode", found.mode),
        ("parameters", f"{found.parameters:,}"),
        ("memory", f"{scaled(found.bytes)}B beyond the inputs: {parts}"),
        ("operations", f"{scaled(found.flops)}flop"),
        ("expected time", f"{duration(found.total_seconds)}: {stages}"),
    ]
    if found.memory_limit is not None:
        verdict = "fits" if found.fits else "does not fit"
        facts.append(("memory limit", f"{scaled(found.memory_limit)}B: {verdict}"))
    for name, value in facts:
        yield f"{name:14} {value}"
    if found.fits:
        return
    yield ""
    if found.nearest is None:
        yield "No mode fits: offer a smaller pool or narrower features."
        return
    yield "The nearest mode that fits:"
    yield from _lines(found.nearest)
