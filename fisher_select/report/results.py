# SPDX-License-Identifier: Apache-2.0
"""What `fisher-select run` found: a table for the terminal, and the numbers as JSON.

A curve is the mean over seeds; its band is one sample standard deviation to either side.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

import fisher_select
from fisher_select import files
from fisher_select.experiment import Experiment, Run
from fisher_select.metrics import LOWER_IS_BETTER
from fisher_select.report.curves import Curve, curves, deviation
from fisher_select.report.style import scale_of, titled

__all__ = ["results_table", "write_results"]

_TABLE_WIDTH = 62  # holds the caption in one line


def results_table(found: Sequence[Curve], title: str) -> Table:
    """Lay out mean and band, the best of each row in bold, and the seconds spent."""
    seeds, metric = len(found[0].values), found[0].metric
    spread = "1 seed" if seeds == 1 else f"mean ± standard deviation of {seeds} seeds"
    caption = f"test {titled(metric)}, {spread}"
    table = Table(title=title, caption=caption, min_width=_TABLE_WIDTH)
    table.add_column("labels", justify="right", no_wrap=True)
    for curve in found:
        table.add_column(escape(curve.label), justify="right")
    values = np.array([curve.values for curve in found])  # [strategies, s, k]
    for column, count in enumerate(found[0].labeled):
        table.add_row(str(count), *_cells(values[:, :, column], metric))
    table.add_section()
    # A run's mean over its rounds: the area under its curve, up to a constant.
    table.add_row("all rounds", *_cells(values.mean(axis=2), metric))
    table.add_section()
    table.add_row("training", *(f"{curve.train_seconds:.1f} s" for curve in found))
    table.add_row("selection", *(f"{curve.select_seconds:.1f} s" for curve in found))
    return table


def _cells(values: NDArray[np.float64], metric: str) -> list[str]:
    """One cell a strategy [strategies, s]; bold where the mean, as printed, is the best."""
    scale, digits = scale_of(metric)
    means = [f"{scale * mean:.{digits}f}" for mean in values.mean(axis=1)]
    best = (min if metric in LOWER_IS_BETTER else max)(means, key=float)
    cells = []
    for mean, band in zip(means, deviation(values), strict=True):
        text = mean if values.shape[1] == 1 else f"{mean} ± {scale * band:.{digits}f}"
        cells.append(f"[bold]{text}[/bold]" if mean == best else text)
    return cells


def write_results(
    path: Path, experiment: Experiment, runs: Sequence[Run], *, command: str, seconds: float
) -> None:
    """Write all that is needed to judge and to repeat the experiment, as JSON.

    Parameters
    ----------
    path
        The file; written whole or not at all.
    experiment, runs
        What was asked for, and what came out; picks are in each run's own folder.
    command
        The command line that did it.
    seconds
        Wall time of the whole experiment.
    """
    files.write_json(
        path,
        {
            "command": command,
            "config": experiment.as_dict(),
            "versions": _versions(),
            "seconds": seconds,
            "runs": [
                {
                    "strategy": run.label,
                    "seed": run.seed,
                    "folder": run.folder,
                    "initial": run.initial,
                    "records": [record.as_dict() for record in run.records],
                }
                for run in runs
            ],
            "summary": [
                {
                    "strategy": curve.label,
                    "labeled": curve.labeled.tolist(),
                    f"mean_{curve.metric}": curve.mean.tolist(),
                    "band": curve.band.tolist(),
                    "train_seconds": curve.train_seconds,
                    "select_seconds": curve.select_seconds,
                }
                for curve in curves(runs)
            ],
        },
    )


def _versions() -> dict[str, str]:
    """Of everything that has a part in the numbers."""
    packages = ("numpy", "scipy", "torch", "scikit-learn")
    return {
        "fisher_select": fisher_select.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
