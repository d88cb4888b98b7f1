# SPDX-License-Identifier: Apache-2.0
"""What an experiment found: a table for the terminal, a picture, and the numbers as JSON.

A curve is the mean over seeds; its band is one sample standard deviation to either side.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

import fisher_select
from fisher_select import files
from fisher_select.experiment import Experiment, Run
from fisher_select.extras import require
from fisher_select.metrics import LOWER_IS_BETTER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "curves", "draw_learning_curve", "results_table", "write_results"]

# Okabe and Ito's colours, told apart by colour-blind readers; line style and marker tell the
# curves apart in grey print as well.
_STYLES = (
    ("#0072B2", "-", "o"),
    ("#D55E00", "--", "s"),
    ("#009E73", "-.", "^"),
    ("#CC79A7", ":", "D"),
    ("#56B4E9", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#E69F00", (0, (1, 1)), "P"),
    ("#000000", (0, (3, 3)), "X"),
)
_INK, _FAINT = "#222222", "#d9d9d9"
_TABLE_WIDTH = 62  # holds the caption in one line
_MOST_TICKS = 12  # as many labels as fit under the axis


@dataclass(frozen=True, eq=False)
class Curve:
    """The metric of an experiment against labels, of one strategy over all its seeds.

    Attributes
    ----------
    label : str
        The strategy's label.
    labeled : ndarray of int [k]
        Labels trained on, a round.
    metric : str
        Its name: "accuracy", or "rmse" of a regression.
    values : ndarray of float [s, k]
        The metric on the test set of each seed in each round.
    train_seconds, select_seconds : float
        Wall time summed over seeds and rounds.
    """

    label: str
    labeled: NDArray[np.int64]
    metric: str
    values: NDArray[np.float64]
    train_seconds: float
    select_seconds: float

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over the seeds [k]."""
        mean: NDArray[np.float64] = self.values.mean(axis=0)
        return mean

    @property
    def band(self) -> NDArray[np.float64]:
        """Sample standard deviation over the seeds [k]; 0 when there is one seed."""
        return _deviation(self.values.T)


def curves(runs: Sequence[Run]) -> list[Curve]:
    """One curve a strategy, in order of appearance."""
    found = []
    metric = runs[0].metric
    for label in dict.fromkeys(run.label for run in runs):
        seeds = [run.records for run in runs if run.label == label]
        found.append(
            Curve(
                label=label,
                labeled=np.array([record.labeled for record in seeds[0]]),
                metric=metric,
                values=np.array([[r.metrics[metric] for r in seed] for seed in seeds]),
                train_seconds=sum(r.timing.train_seconds for seed in seeds for r in seed),
                select_seconds=sum(r.timing.select_seconds for seed in seeds for r in seed),
            )
        )
    return found


def results_table(found: Sequence[Curve], title: str) -> Table:
    """Lay out mean and band, the best of each row in bold, and the seconds spent."""
    seeds, metric = len(found[0].values), found[0].metric
    spread = "1 seed" if seeds == 1 else f"mean ± standard deviation of {seeds} seeds"
    caption = f"test {_named(metric)}, {spread}"
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
    scale, digits = _scale(metric)
    means = [f"{scale * mean:.{digits}f}" for mean in values.mean(axis=1)]
    best = (min if metric in LOWER_IS_BETTER else max)(means, key=float)
    cells = []
    for mean, band in zip(means, _deviation(values), strict=True):
        text = mean if values.shape[1] == 1 else f"{mean} ± {scale * band:.{digits}f}"
        cells.append(f"[bold]{text}[/bold]" if mean == best else text)
    return cells


def _scale(metric: str) -> tuple[float, int]:
    """Factor and digits a metric is shown with: shares in percent, errors as they are."""
    return (1.0, 3) if metric in LOWER_IS_BETTER else (100.0, 1)


def _named(metric: str, unit: str = "in %") -> str:
    return metric if metric in LOWER_IS_BETTER else f"{metric.replace('_', ' ')} {unit}"


def _deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample standard deviation over the seeds, [..., s] -> [...]; 0 when there is one seed."""
    seeds = values.shape[-1]
    deviation: NDArray[np.float64] = values.std(axis=-1, ddof=1 if seeds > 1 else 0)
    return deviation


def draw_learning_curve(path: Path, found: Sequence[Curve], title: str) -> None:
    """Draw the metric against labels with bands as a PNG, written whole or not at all."""
    require("matplotlib", extra="experiments")
    # Not pyplot: no global state, no display; and the user's own style stays out of it.
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context("default"), files.replacing(path) as temporary:
        figure = Figure(figsize=(6.4, 4.3), dpi=200, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for order, curve in enumerate(found):
            colour, line, marker = _STYLES[order % len(_STYLES)]
            scale, _ = _scale(curve.metric)
            mean, band = scale * curve.mean, scale * curve.band
            # The first strategy is the one in question: its curve lies on top.
            axes.fill_between(
                curve.labeled, mean - band, mean + band, color=colour, alpha=0.2, linewidth=0
            )
            axes.plot(
                curve.labeled,
                mean,
                color=colour,
                linestyle=line,
                linewidth=1.8,
                marker=marker,
                markersize=6,
                markeredgecolor="white",
                label=curve.label,
                zorder=2 + len(found) - order,
            )
        _label_axes(axes, found, title)
        figure.savefig(temporary)


def _label_axes(axes: Axes, found: Sequence[Curve], title: str) -> None:
    """Titles, ticks and legend; what is not data stays in the background."""
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=_INK, pad=24)
    seeds, metric = len(found[0].values), found[0].metric
    spread = "1 seed" if seeds == 1 else f"mean of {seeds} seeds, band: one standard deviation"
    axes.text(
        0,
        1.03,
        f"test {_named(metric, '(%)')}, {spread}",
        transform=axes.transAxes,
        fontsize=9,
        color=_INK,
    )
    axes.set_xlabel("labels", color=_INK)
    counts = found[0].labeled
    if len(counts) <= _MOST_TICKS:
        axes.set_xticks(counts)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.03)
    falling = metric in LOWER_IS_BETTER
    if not falling:
        axes.set_ylim(top=min(100.0, axes.get_ylim()[1]))
    axes.grid(axis="y", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_INK)
    axes.tick_params(colors=_INK, length=3)
    axes.tick_params(axis="y", length=0)
    corner = "upper right" if falling else "lower right"
    axes.legend(loc=corner, edgecolor="none", framealpha=1.0, handlelength=3.2)


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
