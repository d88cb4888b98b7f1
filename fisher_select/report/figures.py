# SPDX-License-Identifier: Apache-2.0
"""Pictures of a study beside its learning curves: summary, classes, penalties, seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fisher_select.comparison import PenaltyMatrix
from fisher_select.extras import require
from fisher_select.report.curves import legend_height
from fisher_select.report.study import Study
from fisher_select.report.style import FAINT, INK, drawing, look, quiet, scale_of, titled
from fisher_select.report.summary import SummaryRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = ["draw_class_counts", "draw_penalties", "draw_seconds", "draw_summary"]

_BAR = "#5b7c99"
_DARK = 0.6  # share of a colour map's range from which white text is the legible one
_MOST_NUMBERS = 160  # cells of a panel that have room for their numbers
_MOST_NAMES = 40  # rows of a panel that have room for their names
_PANELS = 3  # side by side


def draw_summary(path: Path, study: Study, rows: Sequence[SummaryRow], metric: str) -> None:
    """Two panels with a line a strategy: area under the curve, labels to the level."""
    names, places = [row.strategy for row in rows], range(len(rows))
    order = {name: i for i, name in enumerate(study.strategies)}
    scale, _ = scale_of(metric)
    with drawing(path, 8.0, 1.3 + 0.3 * len(rows)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for place, row in zip(places, rows, strict=True):
            appearance = look(order[row.strategy]) | {"linestyle": "-"}
            left.errorbar(
                scale * row.area,
                place,
                xerr=scale * row.area_deviation / np.sqrt(row.seeds),
                capsize=3,
                **appearance,
            )
            _draw_labels(right, place, row, int(study.labeled[-1]))
        left.set_yticks(places, names)
        left.invert_yaxis()
        left.set_xlabel(f"area under the curve, {titled(metric)}", color=INK)
        right.set_xlabel("labels to the level", color=INK)
        right.set_xlim(0, 1.18 * study.labeled[-1])
        for axes in (left, right):
            quiet(axes, grid="x")


def _draw_labels(axes: Axes, place: int, row: SummaryRow, last: int) -> None:
    """A bar with its number; hatched, over the whole width, where the level was not reached."""
    if row.labels is None:
        axes.barh(place, last, height=0.6, color="white", edgecolor=_BAR, hatch="////")
    else:
        axes.barh(place, row.labels, height=0.6, color=_BAR)
    text = f" > {last}" if row.labels is None else f" {row.labels}"
    axes.text(row.labels or last, place, text, va="center", fontsize=9, color=INK)


def draw_class_counts(
    path: Path, study: Study, counts: dict[str, NDArray[np.float64]], names: Sequence[str]
) -> None:
    """A panel a strategy: classes down, rounds across, shade and number the labels so far.

    Parameters
    ----------
    path, study
        The file, and whose labels.
    counts
        Labels of each class in each round [k, C] by strategy, as `Study.class_counts`.
    names
        Of the classes [C].
    """
    columns = min(_PANELS, len(counts))
    lines = -(-len(counts) // columns)
    height = 0.9 + min(3.4, 0.22 * len(names))
    most = max(float(table.max()) for table in counts.values())
    with drawing(path, 1.5 + 2.6 * columns, 0.5 + height * lines, gap=0.08) as figure:
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (strategy, table) in zip(panels.flat, counts.items(), strict=False):
            image = _shaded(axes, table.T, most, "{:.0f}")
            axes.set_title(strategy, loc="left", fontsize=10, fontweight="bold", color=INK)
            axes.set_xticks(*_thinned([str(count) for count in study.labeled], 9))
            axes.set_yticks(*_thinned(names, _MOST_NAMES))
            axes.tick_params(length=0, labelsize=8, colors=INK)
        for axes in panels.flat[len(counts) :]:
            axes.set_visible(False)
        for column in range(columns):  # the lowest panel that is there bears the labels
            lowest = panels[lines - 1 if (lines - 1) * columns + column < len(counts) else -2]
            lowest[column].tick_params(labelbottom=True)
            lowest[column].set_xlabel("labels", fontsize=9, color=INK)
        bar = figure.colorbar(image, ax=panels, shrink=0.6, pad=0.01)
        bar.set_label("labels of the class", color=INK, fontsize=9)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, labelsize=8)


def draw_penalties(path: Path, found: PenaltyMatrix) -> None:
    """The matrix with its numbers, and beneath it the means of the columns."""
    require("matplotlib", extra="experiments")
    from matplotlib.patches import Rectangle

    names, size = found.strategies, len(found.strategies)
    most = max(1e-9, float(found.matrix.max()))
    with drawing(path, 2.6 + 0.5 * size, 2.0 + 0.32 * size) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[size, 1])
        _shaded(upper, found.matrix, most, "{:.2g}", diagonal=False)
        _shaded(lower, found.column_means[None], most, "{:.2g}")
        upper.set_yticks(range(size), names)
        upper.set_ylabel("is better", color=INK)
        upper.xaxis.set_ticks_position("top")
        upper.set_xticks(range(size), names, rotation=40, ha="left")
        upper.tick_params(labeltop=True, labelbottom=False)
        upper.set_title("is beaten", fontsize=10, color=INK)
        for place in range(size):  # nobody meets himself
            upper.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, color=FAINT))
        lower.set_yticks([0], ["mean"])
        lower.tick_params(labelbottom=False)
        for axes in (upper, lower):
            axes.tick_params(length=0, colors=INK)


def draw_seconds(path: Path, study: Study) -> None:
    """Wall time of the selection that follows each label count, mean over seeds, log scale."""
    with drawing(path, 8.0, legend_height(len(study.strategies))) as figure:
        axes = figure.add_subplot()
        ends = {}
        for order, strategy in enumerate(study.strategies):
            seconds = study.select_seconds(strategy).mean(axis=0)
            (line,) = axes.plot(
                study.labeled[:-1], seconds, linewidth=1.6, label=strategy, **look(order)
            )
            ends[line] = seconds[-1]
        axes.set_yscale("log")
        axes.set_xlabel("labels", color=INK)
        axes.set_ylabel("seconds a selection", color=INK)
        axes.margins(x=0.03)
        quiet(axes)
        handles = sorted(ends, key=lambda line: ends[line], reverse=True)
        axes.legend(
            handles=handles,
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            edgecolor="none",
            handlelength=3.2,
            labelspacing=0.7,
            title="from slow to quick",
            title_fontsize=9,
            alignment="left",
        )


def _shaded(
    axes: Axes, table: NDArray[np.float64], most: float, form: str, *, diagonal: bool = True
) -> AxesImage:
    """A table as shades from white (0) to dark blue (`most`), with numbers where they fit."""
    image = axes.imshow(table, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    axes.spines[:].set_visible(False)
    if table.size > _MOST_NUMBERS:
        return image
    for (i, j), value in np.ndenumerate(table):
        if i == j and not diagonal:
            continue
        colour = "white" if value > _DARK * most else INK
        axes.text(j, i, form.format(value), ha="center", va="center", fontsize=7, color=colour)
    return image


def _thinned(names: Sequence[str], most: int) -> tuple[list[int], list[str]]:
    """Places and names of every n-th entry, at most so many."""
    step = -(-len(names) // most)
    places = list(range(0, len(names), step))
    return places, [names[place] for place in places]
