# SPDX-License-Identifier: Apache-2.0
"""The command `train-policy`: learn a query strategy from a configuration file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fisher_select import files
from fisher_select.cli_progress import progress_bar
from fisher_select.extras import require

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Give the program this command."""
    app.command(name="train-policy")(train_policy)


def train_policy(
    config: Annotated[Path, typer.Argument(help="TOML file, such as examples/policy.toml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the policy; runs/<name> if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed in place of the file's.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Learn which rows to label; started again, go on where it was interrupted.

    The folder gets policy.pt, for `--set policy=...` or the key `policy` of the strategy
    'reinforcement', and checkpoint.pt, by which an interrupted training goes on.
    """
    require("torch", extra="experiments")
    from fisher_select import reinforcement_learning  # loads torch

    start = time.perf_counter()
    plan = reinforcement_learning.load(config)
    if seed is not None:
        plan = replace(plan, seed=seed)
    folder = Path("runs") / plan.name if out is None else out
    files.make_folder(folder)
    path = folder / "policy.pt"
    files.check_writable(path)
    with progress_bar() as bar:
        task = None if bar is None or quiet else bar.add_task("warm start", total=None)

        def advance(done: int, most: int, reward: float) -> None:
            if bar is not None and task is not None:
                bar.update(task, completed=done, total=most, description=f"reward {reward:.3f}")

        policy = plan.train(checkpoint=folder / "checkpoint.pt", on_episode=advance)
    policy.save(path)
    if not quiet:
        rewards, first = policy.metadata["rewards"], plan.learning.warm_start
        last = rewards[-plan.learning.window :]
        seconds = time.perf_counter() - start
        typer.echo(
            f"wrote {path} after {len(rewards)} episodes in {seconds:.0f} s; "
            f"mean reward {np.mean(rewards[:first]):.4f} at random, {np.mean(last):.4f} at last"
        )
