# SPDX-License-Identifier: Apache-2.0
"""Learning curves: the metric against labels, its mean over seeds and a band around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fisher_select.metrics import LOWER_IS_BETTER
from fisher_select.records import RoundRecord
from fisher_select.report.style import INK, drawing, look, quiet, scale_of, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DEVIATION", "STANDARD_ERROR", "Curve", "curves", "deviation", "draw_learning_curve"]

_MOST_TICKS = 12  # as many labels as fit under the axis
_MOST_INSIDE = 4  # as many curves' names as leave room for the curves beside them

DEVIATION, STANDARD_ERROR = "standard deviation", "standard error"


class HasRecords(Protocol):
    """A run: an `experiment.Run`, or one read from its directory."""

    @property
    def label(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def records(self) -> tuple[RoundRecord, ...]: ...


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric against labels, of one strategy over all its seeds.

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
        return deviation(self.values.T)

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard error of the mean [k]; 0 when there is one seed."""
        error: NDArray[np.float64] = self.band / np.sqrt(len(self.values))
        return error


def curves(runs: Sequence[HasRecords], metric: str | None = None) -> list[Curve]:
    """One curve a strategy, in order of appearance; None is the metric of the first run."""
    found = []
    chosen = runs[0].metric if metric is None else metric
    for label in dict.fromkeys(run.label for run in runs):
        seeds = [run.records for run in runs if run.label == label]
        found.append(
            Curve(
                label=label,
                labeled=np.array([record.labeled for record in seeds[0]]),
                metric=chosen,
                values=np.array([[r.metrics[chosen] for r in seed] for seed in seeds]),
                train_seconds=sum(r.timing.train_seconds for seed in seeds for r in seed),
                select_seconds=sum(r.timing.select_seconds for seed in seeds for r in seed),
            )
        )
    return found


def deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample standard deviation over the seeds, [..., s] -> [...]; 0 when there is one seed."""
    seeds = values.shape[-1]
    found: NDArray[np.float64] = values.std(axis=-1, ddof=1 if seeds > 1 else 0)
    return found


def draw_learning_curve(
    path: Path,
    found: Sequence[Curve],
    title: str,
    *,
    spread: str = DEVIATION,
    width: float | None = None,
) -> None:
    """Draw the metric against labels as a PNG, written whole or not at all.

    Parameters
    ----------
    path, found, title
        The file, a curve a strategy, and the picture's heading.
    spread
        What the band shows to either side of the mean: `DEVIATION` or `STANDARD_ERROR`.
    width
        Inches; None makes room for the legend.
    """
    many = len(found) > _MOST_INSIDE
    height = legend_height(len(found))
    with drawing(path, width or (8.0 if many else 6.4), height) as figure:
        axes = figure.add_subplot()
        for order, curve in enumerate(found):
            appearance = look(order)
            scale, _ = scale_of(curve.metric)
            around = curve.band if spread == DEVIATION else curve.error
            mean, band = scale * curve.mean, scale * around
            # The first strategy is the one in question: its curve lies on top.
            axes.fill_between(
                curve.labeled,
                mean - band,
                mean + band,
                color=appearance["color"],
                alpha=0.1 if many else 0.2,
                linewidth=0,
            )
            axes.plot(
                curve.labeled,
                mean,
                linewidth=1.8,
                label=curve.label,
                zorder=2 + len(found) - order,
                **appearance,
            )
        _label_axes(axes, found, title, spread)
        _add_legend(axes, found, outside=many)


def _label_axes(axes: Axes, found: Sequence[Curve], title: str, spread: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK, pad=24)
    metric = found[0].metric
    axes.text(
        0,
        1.03,
        f"test {titled(metric, '(%)')}, {seeds_in_words(found)}{_band_in_words(found, spread)}",
        transform=axes.transAxes,
        fontsize=9,
        color=INK,
    )
    axes.set_xlabel("labels", color=INK)
    counts = found[0].labeled
    if len(counts) <= _MOST_TICKS:
        axes.set_xticks(counts)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.03)
    if metric not in LOWER_IS_BETTER:
        axes.set_ylim(top=min(100.0, axes.get_ylim()[1]))
    quiet(axes)


def _add_legend(axes: Axes, found: Sequence[Curve], *, outside: bool) -> None:
    """Names inside where a few fit; else beside the curves, in the order the curves end."""
    falling = found[0].metric in LOWER_IS_BETTER
    options = {"edgecolor": "none", "framealpha": 1.0, "handlelength": 3.2}
    if not outside:
        axes.legend(loc="upper right" if falling else "lower right", **options)
        return
    handles, names = axes.get_legend_handles_labels()
    last = [-curve.mean[-1] for curve in found]  # the largest is the topmost curve
    order = np.argsort(last, kind="stable")
    axes.legend(
        [handles[i] for i in order],
        [names[i] for i in order],
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        labelspacing=0.7,
        title="from top to bottom",
        title_fontsize=9,
        alignment="left",
        **options,
    )


def legend_height(names: int) -> float:
    """Inches that a picture needs for a legend of so many names beside it; at least 4.3."""
    return max(4.3, 1.0 + 0.27 * names)


def seeds_in_words(found: Sequence[Curve]) -> str:
    """Over how many seeds the curves are means."""
    counts = [len(curve.values) for curve in found]
    least, most = min(counts), max(counts)
    if most == 1:
        return "1 seed"
    return f"mean of {most} seeds" if least == most else f"mean of {least} to {most} seeds"


def _band_in_words(found: Sequence[Curve], spread: str) -> str:
    return f", band: one {spread}" if any(len(curve.values) > 1 for curve in found) else ""
