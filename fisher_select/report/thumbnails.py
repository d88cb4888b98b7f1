# SPDX-License-Identifier: Apache-2.0
"""Pictures of what was picked: the data set is read again, if it is the one that was used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select import datasets, description
from fisher_select.datasets import Dataset
from fisher_select.report.reading import StoredRun
from fisher_select.report.style import INK, drawing

__all__ = ["all_in_words", "draw_thumbnails", "read_dataset", "shown_picks"]

_ROUNDS, _IMAGES = 6, 12  # of a picture, at most
_LINE = 1.5  # height of a row with its labels, in images
_LONGEST = 7  # characters of a label that fit beneath an image


def read_dataset(run: StoredRun) -> Dataset | str:
    """Read the data set of a run again, or tell why not, as a clause.

    It is the one named in ``results.json`` beside the run, which `fisher-select run` writes, or
    else the bundled one of the run's name. Its inputs have to be those that the run digested.
    """
    try:
        data = datasets.load(_spec(run))
    except (OSError, ValueError, ImportError) as error:
        return f"the data set cannot be read again ({error})"
    digests = {description.digest(d.pool_inputs) for d in (data, datasets.flattened(data))}
    if run.config["dataset"].get("pool_inputs") not in digests:
        return f"the data set {data.name} is not the one that the run has used"
    return data


def _spec(run: StoredRun) -> Any:
    results = run.path.resolve().parent / "results.json"
    if results.is_file():
        try:
            return json.loads(results.read_text(encoding="utf-8"))["config"]["dataset"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{results} is not a results file") from None
    return run.config["dataset"]["name"]


def shown_picks(run: StoredRun) -> list[tuple[int, NDArray[np.int64]]]:
    """Rows to show: of some rounds, evenly spread, the label count and the first picks."""
    made = [
        (record.labeled, record.selection.indices[:_IMAGES])
        for record in run.records
        if record.selection is not None
    ]
    places = np.unique(np.linspace(0, len(made) - 1, min(_ROUNDS, len(made))).round())
    return [made[int(place)] for place in places]


def draw_thumbnails(
    path: Path, run: StoredRun, data: Dataset, picks: Sequence[tuple[int, NDArray[np.int64]]]
) -> None:
    """A row of images a round, each with its bought label beneath."""
    channels, height, width = data.image_shape or (1, 1, 1)
    columns = max(len(rows) for _, rows in picks)
    chosen = np.concatenate([rows for _, rows in picks])
    images = data.pool_inputs[chosen].reshape(-1, channels, height, width)
    images = _as_colours(images.astype(np.float64))
    wide, high = width / max(width, height), height / max(width, height)
    # One panel with all images: seventy panels would take the layout a second.
    with drawing(path, 0.8 + 0.45 * columns, 0.1 + 0.45 * _LINE * len(picks)) as figure:
        axes = figure.add_subplot()
        axes.set_axis_off()
        small: dict[str, Any] = {"fontsize": 9, "color": INK}
        taken = 0
        for line, (labeled, rows) in enumerate(picks):
            top = _LINE * line
            text = f"{labeled}\nlabels"
            axes.text(-0.15, top + high / 2, text, ha="right", va="center", **small)
            for column, row in enumerate(rows.tolist()):
                box = (column, column + 0.92 * wide, top + 0.92 * high, top)
                axes.imshow(images[taken], cmap="gray", vmin=0, vmax=1, extent=box)
                name = _in_words(run.labels.get(row), data.class_names)
                place = (column + 0.46 * wide, top + 0.95 * high)
                axes.text(*place, _short(name), ha="center", va="top", **small)
                taken += 1
        axes.set_xlim(0, columns)
        axes.set_ylim(_LINE * len(picks), 0)


def _as_colours(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Images [n, channels, h, w] scaled together to [0, 1], as [n, h, w] or [n, h, w, 3]."""
    low, high = images.min(), images.max()
    scaled = (images - low) / (high - low if high > low else 1.0)
    coloured: NDArray[np.float64] = np.moveaxis(scaled, 1, -1)
    return coloured if images.shape[1] == 3 else coloured.mean(axis=-1)


def all_in_words(
    run: StoredRun, data: Dataset, picks: Sequence[tuple[int, NDArray[np.int64]]]
) -> str:
    """The labels of the picks shown, round by round."""
    return "; ".join(
        f"at {labeled} labels "
        + ", ".join(_in_words(run.labels.get(row), data.class_names) for row in rows.tolist())
        for labeled, rows in picks
    )


def _in_words(label: Any, names: Sequence[str] | None) -> str:
    """A label for people; "?" where it has not been bought yet."""
    if label is None:
        return "?"
    if np.ndim(label) == 1:
        present = [
            str(c) if names is None else names[c] for c in np.flatnonzero(label).tolist()
        ]
        return ", ".join(present) or "none"
    if isinstance(label, np.floating):
        return f"{label:.3g}"
    return str(label) if names is None else names[int(label)]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
