# SPDX-License-Identifier: Apache-2.0
"""How numbers and pictures look: one scale a metric, one look a strategy, quiet axes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fisher_select import files
from fisher_select.extras import require
from fisher_select.metrics import LOWER_IS_BETTER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FAINT", "INK", "drawing", "look", "quiet", "scale_of", "shown", "titled"]

INK, FAINT = "#222222", "#d9d9d9"

# Okabe and Ito's colours, told apart by colour-blind readers, without the yellow that paper
# swallows; line style and marker tell the curves apart in grey print as well.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_LINES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (1, 1)),
    (0, (3, 3)),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")

_NAMES = {"macro_auc": "macro ROC AUC", "macro_f1": "macro F1", "nll": "NLL", "ece": "ECE"}


def look(order: int) -> dict[str, Any]:
    """Colour, line style and marker of the strategy of this order; 70 pass before one returns.

    Seven colours and ten markers turn at their own pace; the line style moves on by one with
    each turn of the colours.
    """
    turn = order // len(_COLOURS)
    return {
        "color": _COLOURS[order % len(_COLOURS)],
        "linestyle": _LINES[(order + turn) % len(_LINES)],
        "marker": _MARKERS[order % len(_MARKERS)],
        "markersize": 7,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def scale_of(metric: str) -> tuple[float, int]:
    """Factor and digits a metric is shown with: shares in percent, errors as they are."""
    return (1.0, 3) if metric in LOWER_IS_BETTER else (100.0, 1)


def titled(metric: str, unit: str = "in %") -> str:
    """A metric's name with its unit, if it has one: "balanced accuracy in %"."""
    name = _NAMES.get(metric, metric.replace("_", " "))
    return name if metric in LOWER_IS_BETTER else f"{name} {unit}".rstrip()


def shown(metric: str, value: float, band: float | None = None) -> str:
    """A value of a metric, and its spread where there is one, in the metric's unit."""
    scale, digits = scale_of(metric)
    spread = "" if band is None else f" ± {scale * band:.{digits}f}"
    return f"{scale * value:.{digits}f}{spread}"


@contextmanager
def drawing(path: Path, width: float, height: float, *, gap: float = 0.04) -> Iterator[Figure]:
    """A figure of so many inches that is a PNG at `path`, whole, when the block succeeds.

    `gap` is left around each panel, in inches.
    """
    require("matplotlib", extra="experiments")
    # Not pyplot: no global state, no display; and the user's own style stays out of it.
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with style.context("default"), files.replacing(path) as temporary:
        layout = ConstrainedLayoutEngine(w_pad=gap, h_pad=gap)
        figure = Figure(figsize=(width, height), dpi=200, layout=layout)
        FigureCanvasAgg(figure)
        yield figure
        figure.savefig(temporary)


def quiet(axes: Axes, *, grid: Literal["x", "y"] = "y") -> None:
    """What is not data stays in the background."""
    axes.grid(axis=grid, color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, length=3)
    axes.tick_params(axis="y", length=0)
