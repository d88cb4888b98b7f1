# SPDX-License-Identifier: Apache-2.0
"""Where a mask lies in the network: the share of kept parameters of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fisher_select import files
from fisher_select.extras import require

_LEFTMOST = 0.03  # the axis spans decades even where every share is large
_COLOUR, _INK, _FAINT = "#0072B2", "#222222", "#d9d9d9"


@dataclass(frozen=True)
class MaskProfile:
    """How many parameters of each layer a mask keeps (figure 2 of the FisherMask paper).

    Attributes
    ----------
    layers : tuple of str
        Names of the modules that own trainable parameters, in the model's order.
    kept, sizes : tuple of int
        Parameters of each layer in the mask, and all of it.
    """

    layers: tuple[str, ...]
    kept: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, mask: npt.NDArray[np.int64], layers: Mapping[str, range]) -> MaskProfile:
        """Count a sorted mask; `layers` are the entries of each layer."""
        kept = [
            int(np.searchsorted(mask, r.stop) - np.searchsorted(mask, r.start))
            for r in layers.values()
        ]
        return cls(tuple(layers), tuple(kept), tuple(len(r) for r in layers.values()))

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """Share of each layer's parameters that is kept [layers]."""
        shares: npt.NDArray[np.float64] = np.array(self.kept) / np.array(self.sizes)
        return shares

    def __str__(self) -> str:
        width = max(len(name) for name in self.layers)
        rows = zip(self.layers, self.kept, self.sizes, self.shares, strict=True)
        return "\n".join(
            f"{name:<{width}}  {kept:>9,} of {size:>11,}  {share:>8.3%}"
            for name, kept, size, share in rows
        )


def draw_mask_profile(path: Path, profile: MaskProfile, title: str) -> None:
    """Draw the share of kept parameters of each layer as a PNG, whole or not at all."""
    require("matplotlib", extra="experiments")
    # Not pyplot: no global state, no display; and the user's own style stays out of it.
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shares = profile.shares
    positions = np.arange(len(shares))
    with style.context("default"), files.replacing(path) as temporary:
        height = 1.4 + 0.2 * len(shares)
        figure = Figure(figsize=(6.4, height), dpi=200, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        # A layer that keeps nothing has no place on a logarithmic axis, and so no bar.
        axes.barh(positions, np.where(shares > 0, shares, np.nan), color=_COLOUR, height=0.7)
        axes.set_xscale("log")
        smallest = shares[shares > 0].min()
        axes.set_xlim(left := min(smallest / 3, _LEFTMOST), 4.0)
        for position, share in enumerate(shares.tolist()):
            text = f" {100 * share:.3g} %" if share > 0 else " none"
            axes.text(share or left, position, text, va="center", fontsize=7, color=_INK)
        labels = [f"{n} ({s:,})" for n, s in zip(profile.layers, profile.sizes, strict=True)]
        axes.set_yticks(positions, labels, fontsize=7)
        axes.invert_yaxis()
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=_INK)
        axes.set_xlabel("share of the layer's parameters in the mask", color=_INK)
        axes.grid(axis="x", color=_FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(colors=_INK, length=0)
        figure.savefig(temporary)
