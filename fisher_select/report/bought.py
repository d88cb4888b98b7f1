# SPDX-License-Identifier: Apache-2.0
"""Sections about what was bought: labels of each class, masks, first picks, and the runs."""

from __future__ import annotations

from collections.abc import Iterator

from fisher_select.datasets import Dataset
from fisher_select.fisher_mask import MaskedSelection
from fisher_select.mask_profile import MaskProfile, draw_mask_profile
from fisher_select.report import figures, thumbnails
from fisher_select.report.gallery import Gallery, Section, Table
from fisher_select.report.reading import StoredRun
from fisher_select.report.study import Study

__all__ = ["classes", "masks", "picks", "runs"]

_COLUMNS = 30  # classes of a table that can be read


def classes(study: Study, data: Dataset | str, gallery: Gallery) -> Section:
    """How many labels of each class each strategy came to, round by round."""
    counts = {}
    for strategy in study.strategies:
        found = study.class_counts(strategy)
        if found is None:
            return Section("Labels of each class", "A regression has no classes.")
        counts[strategy] = found
    width = study.runs[0].config["dataset"]["classes"]
    known = None if isinstance(data, str) else data.class_names
    names = [str(c) for c in range(width)] if known is None else list(known)
    rows = [
        [strategy, *(f"{value:.1f}" for value in table[-1])]
        for strategy, table in counts.items()
    ]
    last = study.labeled[-1]
    return Section(
        "Labels of each class",
        "How many labels of each class the models were trained on, mean over the seeds.",
        [Table(f"at {last} labels", ["strategy", *names], rows)] if width <= _COLUMNS else [],
        [
            gallery.hang(
                "classes",
                figures.draw_class_counts,
                study,
                counts,
                names,
                caption="Labels of each class (rows) in each round (columns).",
                alt="Shaded tables, one a strategy, of the labels of each class in each "
                f"round, up to {last} labels.",
            )
        ],
    )


def masks(study: Study, gallery: Gallery) -> Section | None:
    """Where FisherMask looked; None where no run has a mask."""
    pictures = []
    for number, (strategy, labeled, profile) in enumerate(_mask_profiles(study)):
        kept = ", ".join(
            f"{name} {share:.2%}"
            for name, share in zip(profile.layers, profile.shares, strict=True)
        )
        pictures.append(
            gallery.hang(
                f"mask-{number}",
                draw_mask_profile,
                profile,
                f"Mask of {strategy}",
                caption=f"{strategy}: share of each layer's parameters that the mask keeps, "
                f"at {labeled} labels.",
                alt=f"Share of the parameters kept in each layer: {kept}.",
                wide=False,
            )
        )
    if not pictures:
        return None
    text = "Where FisherMask looks: the last mask of the first seed."
    return Section("Mask profile", text, pictures=pictures)


def _mask_profiles(study: Study) -> Iterator[tuple[str, int, MaskProfile]]:
    """Strategy, labels and profile of the last mask of the first run that has one."""
    for strategy in study.strategies:
        for record in reversed(study.of(strategy)[0].records):
            made = record.selection
            if isinstance(made, MaskedSelection) and made.profile is not None:
                yield strategy, record.labeled, made.profile
                break


def picks(study: Study, data: Dataset | str, gallery: Gallery) -> Section:
    """Thumbnails of the first picks, or why there are none."""
    title = "First picks"
    if isinstance(data, str):
        return Section(title, f"No pictures of the picks: {data}.")
    if data.image_shape is None:
        return Section(title, f"No pictures of the picks: {data.name} has no images.")
    pictures = []
    for number, strategy in enumerate(study.strategies):
        run = study.of(strategy)[0]
        chosen = thumbnails.shown_picks(run)
        if not chosen:
            continue
        pictures.append(
            gallery.hang(
                f"picks-{number}",
                thumbnails.draw_thumbnails,
                run,
                data,
                chosen,
                caption=f"{strategy}, seed {run.seed}",
                alt=f"The first images that {strategy} picked. Their labels: "
                f"{thumbnails.all_in_words(run, data, chosen)}.",
                wide=False,
            )
        )
    text = "The first images of a batch, in the order picked, with the labels they were given."
    return Section(title, text if pictures else "No round has selected anything.", (), pictures)


def runs(study: Study) -> Section:
    """A line a run."""
    headings = ["strategy", "seed", "rounds", "training, s", "selection, s", "by", "folder"]
    return Section(
        "Runs",
        "What the numbers of this page were read from; wall times are sums over the rounds.",
        [Table("One line a run", headings, list(map(_run, study.runs)))],
    )


def _run(run: StoredRun) -> list[str]:
    backends = {r.selection.backend for r in run.records if r.selection is not None}
    return [
        run.label,
        str(run.seed),
        str(len(run.records)),
        f"{sum(r.timing.train_seconds for r in run.records):.1f}",
        f"{sum(r.timing.select_seconds for r in run.records):.2f}",
        ", ".join(sorted(filter(None, backends))) or "–",
        run.path.name,
    ]
