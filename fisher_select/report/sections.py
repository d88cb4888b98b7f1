# SPDX-License-Identifier: Apache-2.0
"""Sections about scores and seconds; each picture has words for those who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator

from fisher_select.comparison import PenaltyMatrix
from fisher_select.metrics import LOWER_IS_BETTER
from fisher_select.report import bought, figures, summary
from fisher_select.report.curves import STANDARD_ERROR, draw_learning_curve, seeds_in_words
from fisher_select.report.gallery import Gallery, Section, Table
from fisher_select.report.study import Study
from fisher_select.report.style import shown, titled
from fisher_select.report.summary import Level
from fisher_select.report.thumbnails import read_dataset

__all__ = ["of_penalties", "of_study"]


def of_study(study: Study, metric: str, level: Level, gallery: Gallery) -> Iterator[Section]:
    """All sections of one experiment, in the page's order."""
    data = read_dataset(study.runs[0])
    yield _summary(study, metric, level, gallery)
    yield _learning_curves(study, metric, gallery)
    yield bought.classes(study, data, gallery)
    yield _seconds(study, gallery)
    masks = bought.masks(study, gallery)
    if masks is not None:
        yield masks
    yield bought.picks(study, data, gallery)
    yield bought.runs(study)


def _summary(study: Study, metric: str, level: Level, gallery: Gallery) -> Section:
    rows = summary.summarize(study, metric, level)
    reached = [f"{row.strategy} {row.labels or 'never'}" for row in rows]
    areas = [f"{row.strategy} {shown(metric, row.area)}" for row in rows]
    return Section(
        "Summary",
        f"Ordered by the area under the curve of test {titled(metric, '')}: its mean height "
        "between the first and the last label count, by the trapezoidal rule. Labels to the "
        f"level: the fewest with which the mean over the seeds reached "
        f"{level.in_words(study, metric)}.",
        [
            Table(
                f"{summary.explained(study)}seconds: mean wall time of one selection",
                summary.headings(study, metric, level),
                [summary.cells(row, study, metric) for row in rows],
            )
        ],
        [
            gallery.hang(
                "summary",
                figures.draw_summary,
                study,
                rows,
                metric,
                caption="Area under the curve (bars of one standard error) and labels to the "
                "level; hatched where the level was not reached.",
                alt=f"Area under the curve: {', '.join(areas)}. Labels to the level: "
                f"{', '.join(reached)}.",
            )
        ],
    )


def _learning_curves(study: Study, first: str, gallery: Gallery) -> Section:
    pictures = []
    for metric in sorted(study.metrics, key=lambda name: name != first):
        found = study.curves(metric)
        falling = metric in LOWER_IS_BETTER
        last = sorted(found, key=lambda curve: curve.mean[-1], reverse=not falling)
        ends = ", ".join(f"{curve.label} {shown(metric, curve.mean[-1])}" for curve in last)
        title = titled(metric, "")
        pictures.append(
            gallery.hang(
                f"learning-{metric}",
                draw_learning_curve,
                found,
                title[0].upper() + title[1:],
                caption=f"{'Lower' if falling else 'Higher'} is better.",
                alt=f"Curves of test {titled(metric)} against {study.labeled[0]} to "
                f"{study.labeled[-1]} labels. At the end, best first: {ends}.",
                wide=metric == first,
                spread=STANDARD_ERROR,
                width=None if metric == first else 6.0,
            )
        )
    several = len(study.runs) > len(study.strategies)
    band = ", bands: one standard error of the mean to either side" if several else ""
    words = seeds_in_words(study.curves(first))
    return Section("Learning curves", f"Each curve: {words}{band}.", pictures=pictures)


def _seconds(study: Study, gallery: Gallery) -> Section:
    if len(study.labeled) < 2:
        return Section("Seconds of selection", "No round has selected anything.")
    means = {s: study.select_seconds(s).mean() for s in study.strategies}
    slow = sorted(means, key=lambda strategy: -means[strategy])
    return Section(
        "Seconds of selection",
        "Wall time of the strategy alone, without training and without the forward passes over "
        "the pool, mean over the seeds; on a logarithmic scale.",
        pictures=[
            gallery.hang(
                "seconds",
                figures.draw_seconds,
                study,
                caption="Seconds of each round's selection.",
                alt="Curves of seconds a selection against labels. Means, slowest first: "
                f"{', '.join(f'{s} {means[s]:.3g} s' for s in slow)}.",
            )
        ],
    )


def of_penalties(found: PenaltyMatrix, metric: str, gallery: Gallery) -> Section:
    """The pairwise penalty matrix over all experiments of the page."""
    means = sorted(zip(found.column_means, found.strategies, strict=True))
    ranking = ", ".join(f"{name} {mean:.2f}" for mean, name in means)
    points = ", ".join(map(str, found.checkpoints)) or "0"
    rows = [
        [name, *("–" if i == j else f"{v:.2f}" for j, v in enumerate(line))]
        for i, (name, line) in enumerate(zip(found.strategies, found.matrix, strict=True))
    ]
    rows.append(["mean", *(f"{mean:.2f}" for mean in found.column_means)])
    return Section(
        "Pairwise penalty matrix",
        "Row i, column j: the share of checkpoints at which strategy i has significantly "
        f"better {titled(metric, '')} than strategy j (two-sided paired t-test over the seeds, "
        "level 0.05), summed over the experiments. Checkpoints have M + B, M + 2 B, M + 4 B, … "
        "labels, with M at the start and B a round, while random picks are below 99 % of their "
        f"last score (Ash et al. 2020, 2021). Experiments: {found.experiments}, with {points} "
        "checkpoints. A column's mean says how much a strategy is beaten: lower is better.",
        [Table("rows beat columns", ["", *found.strategies], rows)],
        [
            gallery.hang(
                "penalties",
                figures.draw_penalties,
                found,
                caption="How often the strategy of the row beats that of the column.",
                alt=f"Shaded matrix. Column means, least beaten first: {ranking}.",
            )
        ],
    )
