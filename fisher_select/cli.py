# SPDX-License-Identifier: Apache-2.0
"""The command line: plan, select from files, run an experiment, report, tell what is there.

Exit codes: 0 done, 2 bad input, 1 arithmetic or memory that gave out, 3 a run waits for labels
of an expert, 130 interrupted. Whatever goes wrong is one line on stderr, never a traceback.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import threadpoolctl
import typer
import typer.main
from rich.console import Console

import fisher_select
from fisher_select import (
    backends,
    cli_plan,
    cli_policy,
    cli_ranks,
    cli_report,
    experiment,
    files,
    options,
    pool,
    report,
    strategies,
)
from fisher_select.cli_progress import run_progress, selection_progress
from fisher_select.cli_settings import Settings, parse_settings
from fisher_select.errors import NumericalError, RankError
from fisher_select.extras import require
from fisher_select.loop import LabelsNeeded

__all__ = ["app", "main"]

_PROGRAM = "fisher-select"
# What the parser raises: typer exports no name for its base class, older releases take click's.
_UsageError: Any = typer.BadParameter.__base__
_STDOUT = Path("-")

app = typer.Typer(
    add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)
cli_plan.add_commands(app)
cli_report.add_commands(app)
cli_policy.add_commands(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; None takes ``sys.argv``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(app)
    # Not app(): typer would turn errors into panels of several lines, or tracebacks.
    try:
        with command.make_context(
            _PROGRAM, list(words), obj=shlex.join([_PROGRAM, *words])
        ) as context:
            command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    except _UsageError as error:
        place = _PROGRAM if error.ctx is None else error.ctx.command_path
        return _fail(2, f"{error.format_message()} (see {place} --help)")
    except BrokenPipeError:
        # The reader has gone, as in `| head`; keep the interpreter's last flush quiet as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError, ImportError) as error:
        return _fail(2, str(error))
    except LabelsNeeded as wait:
        return _fail(3, str(wait), "waiting")
    except (NumericalError, MemoryError, RankError) as error:
        return _fail(1, str(error) or "out of memory")
    except KeyboardInterrupt:
        return _fail(130, "interrupted")
    return 0


def _fail(code: int, message: str, what: str = "error") -> int:
    sys.stderr.write(f"{_PROGRAM}: {what}: {' '.join(message.split())}\n")
    return code


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Which samples should an expert label next? Exact selection by Fisher information."""
    if version:
        typer.echo(fisher_select.__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def select(
    features: Annotated[
        Path, typer.Argument(help="Features, n x d: .npy, .npz, .parquet or .zarr.")
    ],
    batch: Annotated[int, typer.Option(help="Rows to label now.")],
    probs: Annotated[
        Path | None,
        typer.Option(help="Probabilities, n x C, from a file of the same kinds."),
    ] = None,
    labeled: Annotated[
        Path | None,
        typer.Option(help="Rows labelled already: indices or a mask, or an earlier picks.csv."),
    ] = None,
    method: Annotated[str, typer.Option(help="Strategy; 'info' lists them.")] = "bait",
    out: Annotated[Path, typer.Option(help="CSV to write; - is standard output.")] = _STDOUT,
    lam: Annotated[float | None, typer.Option(help="Regularisation (bait).")] = None,
    backend: Annotated[str | None, typer.Option(help="auto, cpu or reference (bait).")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads to use (bait).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed (random).")] = None,
    settings: Settings = None,
    state: Annotated[
        Path | None, typer.Option(help="File to resume from; under torchrun alone.")
    ] = None,
) -> None:
    """Pick rows to label and write them as CSV with the columns rank, index, score.

    Under torchrun each rank holds its part of the rows, and rank 0 writes.
    """
    named: dict[str, Any] = {"lam": lam, "backend": backend, "threads": threads, "seed": seed}
    chosen = {key: value for key, value in named.items() if value is not None}
    chosen |= parse_settings(settings, taken=chosen)
    strategy = strategies.get(method, **chosen)
    if state is not None and not cli_ranks.launched():
        raise ValueError("--state is for runs under torchrun, which can lose a rank")
    if out != _STDOUT:
        files.check_writable(out)
    arrays = {"features": pool.open_pool(features)}
    if probs is not None:
        arrays["probabilities"] = files.read_array(probs, ("probabilities", "P"))
    rows = None if labeled is None else files.read_indices(labeled)
    with selection_progress() as progress:
        if "progress" in strategy.options():
            strategy = strategies.get(method, **(chosen | {"progress": progress}))
        if cli_ranks.launched():
            picks = cli_ranks.select(method, strategy, arrays, rows, batch, state)
        else:
            picks = strategy.select(batch_size=batch, labeled=rows, **arrays)
    if not cli_ranks.writes():
        return
    text = files.format_csv(files.PICK_COLUMNS, files.pick_rows(picks))
    if out == _STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        files.write_text(out, text)


@app.command()
def run(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="TOML file, such as examples/digits.toml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/<name> if not given.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="0,1,2", help="Seeds in place of the file's.")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the rounds for TensorBoard as well.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Compare strategies round by round; started again, go on where it was interrupted."""
    start = time.perf_counter()
    plan = experiment.load(config)
    if seeds is not None:
        plan = replace(plan, seeds=_seeds(seeds))
    require("torch", "sklearn", "matplotlib", extra="experiments")
    folder = Path("runs") / plan.name if out is None else out
    files.make_folder(folder)
    results, picture = folder / "results.json", folder / "learning_curve.png"
    for path in (results, picture):
        files.check_writable(path)

    with run_progress(plan, quiet=quiet) as advance:
        runs = experiment.run(plan, folder, advance, tensorboard=tensorboard)
    found = report.curves(runs)
    seconds = time.perf_counter() - start
    report.write_results(results, plan, runs, command=context.obj, seconds=seconds)
    report.draw_learning_curve(picture, found, f"Learning curves: {plan.name}")
    if not quiet:
        console = Console()
        console.print(report.results_table(found, plan.name))
        typer.echo(f"wrote {picture}, {results.name} and */picks.csv in {seconds:.0f} s")


@app.command()
def info() -> None:
    """Tell versions, backends, threads, BLAS libraries and strategies."""
    facts = [
        ("fisher_select", fisher_select.__version__),
        ("python", f"{platform.python_version()} on {platform.platform()}"),
        ("numpy", np.__version__),
        *((f"backend {name}", state) for name, state in backends.explain().items()),
        ("instruction set", _instruction_set()),
        ("threads", str(options.resolve_threads(None))),
        *((pool["user_api"], _describe(pool)) for pool in threadpoolctl.threadpool_info()),
        ("strategies", ", ".join(strategies.names())),
    ]
    for name, value in facts:
        typer.echo(f"{name:18} {value}")


def _instruction_set() -> str:
    """What the compiled engine chose for this processor."""
    if backends.explain()["cpu"] != "available":
        return "unknown"
    from fisher_select import _core

    return _core.instruction_set()


def _describe(library: dict[str, Any]) -> str:
    """One thread pool that threadpoolctl found, in words."""
    words = (library["internal_api"], library["version"], library.get("architecture"))
    return ", ".join([*filter(None, words), f"{library['num_threads']} threads"])


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise ValueError(f"--seeds must be integers like 0,1,2, got {text!r}") from None
