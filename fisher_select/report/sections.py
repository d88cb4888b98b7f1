# SPDX-License-Identifier: Apache-2.0
"""What the page says: each section's text, tables and pictures, with words for every picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fisher_select.comparison import PenaltyMatrix
from fisher_select.fisher_mask import MaskedSelection
from fisher_select.mask_profile import MaskProfile, draw_mask_profile
from fisher_select.metrics import LOWER_IS_BETTER
from fisher_select.report import figures, summary, thumbnails
from fisher_select.report.curves import STANDARD_ERROR, draw_learning_curve, seeds_in_words
from fisher_select.report.reading import StoredRun
from fisher_select.report.study import Study
from fisher_select.report.style import shown, titled
from fisher_select.report.summary import Level
from fisher_select.report.thumbnails import NoImagesError

__all__ = ["Gallery", "Picture", "Section", "Table", "of_penalties", "of_study"]


@dataclass(frozen=True)
class Picture:
    """A PNG, what stands beneath it, and what it says to those who cannot see it."""

    path: Path
    caption: str
    alt: str
    wide: bool = True


@dataclass(frozen=True)
class Table:
    """Rows of text; the first cell of each names the row."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A heading with what is under it."""

    title: str
    text: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Gallery:
    """The folder of the pictures; `prefix` tells the studies of a page apart."""

    folder: Path
    prefix: str = ""

    def hang(
        self,
        name: str,
        draw: Callable[[Path], object],
        caption: str,
        alt: str,
        *,
        wide: bool = True,
    ) -> Picture:
        """Draw a picture into the folder."""
        path = self.folder / f"{self.prefix}{name}.png"
        draw(path)
        return Picture(path, caption, alt, wide)


def of_study(study: Study, metric: str, level: Level, gallery: Gallery) -> Iterator[Section]:
    """All sections of one experiment, in the page's order."""
    yield _summary(study, metric, level, gallery)
    yield _learning_curves(study, metric, gallery)
    yield _classes(study, gallery)
    yield _seconds(study, gallery)
    profiles = list(_mask_profiles(study))
    if profiles:
        yield _masks(profiles, gallery)
    yield _picks(study, gallery)
    yield _runs(study)


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
                lambda path: figures.draw_summary(path, study, rows, metric),
                "Area under the curve (bars of one standard error) and labels to the level; "
                "hatched where the level was not reached.",
                f"Area under the curve: {', '.join(areas)}. Labels to the level: "
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
                lambda path, found=found, title=title: draw_learning_curve(  # type: ignore[misc]
                    path, found, title[0].upper() + title[1:], spread=STANDARD_ERROR
                ),
                f"Test {titled(metric)} against labels; {'lower' if falling else 'higher'} "
                "is better.",
                f"Curves of test {titled(metric)} against {study.labeled[0]} to "
                f"{study.labeled[-1]} labels. At the end, best first: {ends}.",
                wide=metric == first,
            )
        )
    several = len(study.runs) > len(study.strategies)
    band = ", bands: one standard error of the mean to either side" if several else ""
    words = seeds_in_words(study.curves(first))
    return Section("Learning curves", f"Each curve: {words}{band}.", pictures=pictures)


def _classes(study: Study, gallery: Gallery) -> Section:
    counts = {}
    for strategy in study.strategies:
        found = study.class_counts(strategy)
        if found is None:
            return Section("Labels of each class", "A regression has no classes.")
        counts[strategy] = found
    try:
        names = thumbnails.read_dataset(study.runs[0]).class_names
    except NoImagesError:
        names = None
    shown_names = names or [str(c) for c in range(next(iter(counts.values())).shape[1])]
    rows = [
        [strategy, *(f"{value:.1f}" for value in table[-1])]
        for strategy, table in counts.items()
    ]
    last = study.labeled[-1]
    return Section(
        "Labels of each class",
        "How many labels of each class the models were trained on, mean over the seeds.",
        [Table(f"at {last} labels", ["strategy", *shown_names], rows)],
        [
            gallery.hang(
                "classes",
                lambda path: figures.draw_class_counts(path, study, counts, shown_names),
                "Labels of each class (rows) in each round (columns).",
                "Shaded tables, one a strategy, of the labels of each class in each round; the "
                f"numbers at {last} labels are in the table of this section.",
            )
        ],
    )


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
                lambda path: figures.draw_seconds(path, study),
                "Seconds of each round's selection.",
                "Curves of seconds a selection against labels. Means, slowest first: "
                f"{', '.join(f'{s} {means[s]:.3g} s' for s in slow)}.",
            )
        ],
    )


def _mask_profiles(study: Study) -> Iterator[tuple[str, int, MaskProfile]]:
    """Strategy, labels and profile of the last mask of the first run that has one."""
    for strategy in study.strategies:
        for record in reversed(study.of(strategy)[0].records):
            made = record.selection
            if isinstance(made, MaskedSelection) and made.profile is not None:
                yield strategy, record.labeled, made.profile
                break


def _masks(profiles: Sequence[tuple[str, int, MaskProfile]], gallery: Gallery) -> Section:
    pictures = []
    for number, (strategy, labeled, profile) in enumerate(profiles):
        kept = ", ".join(
            f"{name} {share:.2%}"
            for name, share in zip(profile.layers, profile.shares, strict=True)
        )
        pictures.append(
            gallery.hang(
                f"mask-{number}",
                lambda path, profile=profile, strategy=strategy: draw_mask_profile(  # type: ignore[misc]
                    path, profile, f"Mask of {strategy}"
                ),
                f"{strategy}: share of each layer's parameters that the mask keeps, at "
                f"{labeled} labels.",
                f"Share of the parameters kept in each layer: {kept}.",
            )
        )
    return Section(
        "Mask profile",
        "Where FisherMask looks: the last mask of the first seed.",
        pictures=pictures,
    )


def _picks(study: Study, gallery: Gallery) -> Section:
    title = "First picks"
    try:
        data = thumbnails.read_images(study.runs[0])
    except NoImagesError as reason:
        return Section(title, f"No pictures of the picks: {reason}.")
    pictures = []
    for number, strategy in enumerate(study.strategies):
        run = study.of(strategy)[0]
        picks = thumbnails.shown_picks(run)
        if not picks:
            continue
        listed = "; ".join(
            f"at {labeled} labels "
            + ", ".join(thumbnails.in_words(run.labels.get(r), data.class_names) for r in rows)
            for labeled, rows in ((n, indices.tolist()) for n, indices in picks)
        )
        pictures.append(
            gallery.hang(
                f"picks-{number}",
                lambda path, run=run, picks=picks: thumbnails.draw_thumbnails(  # type: ignore[misc]
                    path, run, data, picks
                ),
                f"{strategy}, seed {run.seed}",
                f"The first images that {strategy} picked. Their labels: {listed}.",
                wide=False,
            )
        )
    return Section(
        title,
        "The first images of a batch, in the order picked, with the labels they were given.",
        pictures=pictures,
    )


def _runs(study: Study) -> Section:
    headings = [
        "folder",
        "strategy",
        "seed",
        "rounds",
        "backend",
        "training, s",
        "selection, s",
    ]
    return Section(
        "Runs",
        "What the numbers of this page were read from.",
        [Table("wall times are sums over the rounds", headings, list(map(_run, study.runs)))],
    )


def _run(run: StoredRun) -> list[str]:
    backends = {r.selection.backend for r in run.records if r.selection is not None}
    return [
        run.path.name,
        run.label,
        str(run.seed),
        str(len(run.records)),
        ", ".join(sorted(filter(None, backends))) or "–",
        f"{sum(r.timing.train_seconds for r in run.records):.1f}",
        f"{sum(r.timing.select_seconds for r in run.records):.2f}",
    ]


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
        f"Row i, column j: the share of checkpoints at which strategy i has significantly better "
        f"{titled(metric, '')} than strategy j (two-sided paired t-test over the seeds, level "
        "0.05), summed over the experiments. Checkpoints are M + B, M + 2 B, M + 4 B, … labels, "
        "with M labels at the start and B a round, while random picks are below 99 % of their "
        f"last score (Ash et al. 2020, 2021). Experiments: {found.experiments}, with {points} "
        "checkpoints. The mean of a column says how much a strategy is beaten: lower is better.",
        [Table("rows beat columns", ["", *found.strategies], rows)],
        [
            gallery.hang(
                "penalties",
                lambda path: figures.draw_penalties(path, found),
                "How often the strategy of the row beats that of the column.",
                f"Shaded matrix. Column means, least beaten first: {ranking}.",
            )
        ],
    )
