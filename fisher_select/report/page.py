# SPDX-License-Identifier: Apache-2.0
"""One HTML page of everything runs found; its pictures are in it, and lie beside it as PNGs."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import fisher_select
from fisher_select import files
from fisher_select.comparison import penalty_matrix
from fisher_select.extras import require
from fisher_select.report import sections
from fisher_select.report.gallery import Gallery, Picture, Section
from fisher_select.report.study import Study
from fisher_select.report.summary import Level

__all__ = ["figures_of", "metric_of", "write_report"]


def figures_of(path: Path) -> Path:
    """The folder of a report's PNGs: beside it, ``report-figures`` of ``report.html``."""
    return path.with_name(f"{path.stem}-figures")


def write_report(
    path: Path,
    studies: Sequence[Study],
    *,
    metric: str | None = None,
    level: Level | None = None,
) -> None:
    """Write the page, whole or not at all, and the PNGs into `figures_of` it.

    Parameters
    ----------
    path
        The page: one file, without scripts, that loads nothing.
    studies
        Experiments, as `group` makes them.
    metric
        For the summary and the penalties; None is the first of each experiment.
    level
        Whose price in labels is shown; None is 95 % of the best mean.

    Raises
    ------
    ValueError
        An experiment without that metric.
    OSError
        A file that cannot be written.
    MissingExtraError
        Matplotlib or Jinja2 are missing.
    """
    require("matplotlib", "jinja2", extra="experiments")
    import jinja2

    chosen = [metric_of(study, metric) for study in studies]
    folder = figures_of(path)
    files.make_folder(folder)
    chapters: list[dict[str, Any]] = []
    for number, (study, name) in enumerate(zip(studies, chosen, strict=True), start=1):
        gallery = Gallery(folder, f"{number}-" if len(studies) > 1 else "")
        found = list(sections.of_study(study, name, level or Level(), gallery))
        about = {"name": study.name, "facts": _facts(study), "notes": study.notes}
        chapters.append(about | {"sections": found})
    overall = _overall(studies, chosen, Gallery(folder))
    if len(studies) == 1:  # no need for a chapter of its own
        chapters[0]["sections"][2:2] = overall
        overall = []
    template = resources.files("fisher_select.report").joinpath("page.html.jinja")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["data_uri"] = _data_uri
    text = environment.from_string(template.read_text(encoding="utf-8")).render(
        title=f"Active learning: {_title(studies)}",
        chapters=chapters,
        overall=overall,
        version=fisher_select.__version__,
        written=datetime.date.today().isoformat(),
    )
    files.write_text(path, text)


def metric_of(study: Study, metric: str | None) -> str:
    """The metric asked for, or the first of a study; ValueError where it was not measured."""
    if metric is not None and metric not in study.metrics:
        raise ValueError(
            f"metric must be one of {', '.join(study.metrics)} ({study.name}), got {metric!r}"
        )
    return study.metrics[0] if metric is None else metric


def _overall(
    studies: Sequence[Study], metrics: Sequence[str], gallery: Gallery
) -> list[Section]:
    """Penalties over all experiments; none where metrics differ or there is nothing to test."""
    testable = any(
        sum(len(study.of(strategy)) > 1 for strategy in study.strategies) > 1
        for study in studies
    )
    if len(set(metrics)) > 1 or not testable:
        return []
    scores = [study.scores(metrics[0]) for study in studies]
    return [sections.of_penalties(penalty_matrix(scores), metrics[0], gallery)]


def _title(studies: Sequence[Study]) -> str:
    names = [study.runs[0].config["dataset"]["name"] for study in studies]
    return ", ".join(dict.fromkeys(names))


def _facts(study: Study) -> list[tuple[str, str]]:
    """The experiment in terms and values."""
    config = study.runs[0].config
    dataset, trainer = config["dataset"], config["trainer"]
    labeled = study.labeled
    seeds = sorted({run.seed for run in study.runs})
    options = ", ".join(f"{k} {v}" for k, v in trainer.items() if _matters(k, v))
    return [
        ("Data set", f"{dataset['name']} ({dataset['task'].replace('_', ' ')})"),
        ("Classes", str(dataset["classes"])),
        ("Labels", f"{labeled[0]} to {labeled[-1]}, {config['batch_size']} a round"),
        ("Strategies", ", ".join(study.strategies)),
        ("Seeds", ", ".join(map(str, seeds))),
        ("Training", options or "–"),
        ("Model", " ".join(str(trainer.get("model", "–")).split())),
    ]


def _matters(key: str, value: Any) -> bool:
    """Whether an option of a trainer is set, and not the model itself."""
    return key != "model" and value is not None and value is not False


def _data_uri(picture: Picture) -> str:
    content = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    return f"data:image/png;base64,{content}"
