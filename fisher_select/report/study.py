# SPDX-License-Identifier: Apache-2.0
"""Runs that may be compared: one data set, model and batch size; strategies and seeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.comparison import Scores
from fisher_select.report.curves import Curve, curves
from fisher_select.report.reading import StoredRun

__all__ = ["Study", "group"]

_BASELINE = "random"  # the strategy, under whatever label


@dataclass(frozen=True, eq=False)
class Study:
    """Runs of one experiment, all with the same label counts.

    Attributes
    ----------
    name : str
        Data set and batch size.
    runs : tuple of StoredRun
        By strategy, then seed.
    notes : tuple of str
        What a reader must know: runs left out, rounds left out.
    """

    name: str
    runs: tuple[StoredRun, ...]
    notes: tuple[str, ...]

    @property
    def strategies(self) -> tuple[str, ...]:
        """Labels, in order of appearance."""
        return tuple(dict.fromkeys(run.label for run in self.runs))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names that all runs have, as all configurations agree."""
        return tuple(self.runs[0].config["metrics"])

    @property
    def labeled(self) -> NDArray[np.int64]:
        """Labels trained on in each round [k]."""
        return np.array(self.runs[0].labeled)

    def of(self, strategy: str) -> list[StoredRun]:
        """The runs of one strategy."""
        return [run for run in self.runs if run.label == strategy]

    def curves(self, metric: str) -> list[Curve]:
        """One learning curve a strategy."""
        return curves(self.runs, metric)

    def scores(self, metric: str) -> Scores:
        """The same numbers by strategy and seed, for comparisons."""
        values: dict[str, dict[int, NDArray[np.float64]]] = {}
        for run in self.runs:
            found = np.array([record.metrics[metric] for record in run.records])
            values.setdefault(run.label, {})[run.seed] = found
        baselines = [
            run.label for run in self.runs if run.config["strategy"]["name"] == _BASELINE
        ]
        return Scores(
            metric=metric,
            batch_size=self.runs[0].config["batch_size"],
            labeled=self.labeled,
            values=values,
            baseline=baselines[0] if baselines else None,
        )

    def select_seconds(self, strategy: str) -> NDArray[np.float64]:
        """Wall time of each selection, [seeds, selections]; the last round selects nothing."""
        return np.array(
            [
                [record.timing.select_seconds for record in run.records[:-1]]
                for run in self.of(strategy)
            ]
        )

    def class_counts(self, strategy: str) -> NDArray[np.float64] | None:
        """Labels of each class trained on [k, C], mean over the seeds; None for a regression.

        Of labels that do not exclude each other: rows that have the label.
        """
        dataset = self.runs[0].config["dataset"]
        if dataset["task"] == "regression":
            return None
        counts = [
            [_count(run.labels, rows, dataset) for rows in run.trained_on()]
            for run in self.of(strategy)
        ]
        mean: NDArray[np.float64] = np.mean(counts, axis=0)
        return mean


def _count(
    labels: Mapping[int, Any], rows: NDArray[np.int64], dataset: Mapping[str, Any]
) -> NDArray[np.int64]:
    """Rows of each class [C]."""
    found = np.array([labels[row] for row in rows.tolist()])
    if dataset["task"] == "multi_label":
        present: NDArray[np.int64] = found.sum(axis=0)
        return present
    return np.bincount(found, minlength=dataset["classes"])


def group(runs: Sequence[StoredRun]) -> list[Study]:
    """Sort runs into experiments by what they share beside strategy and seed.

    Where an experiment has finished runs, the unfinished ones are left out, with a note; where
    it has none, its runs are taken as far as they all got.

    Raises
    ------
    ValueError
        Two runs of the same strategy and seed in one experiment.
    """
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(_key(run), []).append(run)
    names = [_name(members[0]) for members in groups.values()]
    counted: Counter[str] = Counter()
    studies = []
    for name, members in zip(names, groups.values(), strict=True):
        counted[name] += 1
        numbered = f"{name} ({counted[name]})" if names.count(name) > 1 else name
        studies.append(_study(numbered, members))
    return studies


def _key(run: StoredRun) -> str:
    config = run.config
    trainer = {k: v for k, v in config["trainer"].items() if k not in ("threads", "device")}
    return json.dumps(
        [
            config["dataset"],
            config.get("oracle"),
            trainer,
            config["batch_size"],
            len(config["initial"]),
            len(config["evaluation"]),
            config["metrics"],
        ],
        sort_keys=True,
    )


def _name(run: StoredRun) -> str:
    config = run.config
    start, batch = len(config["initial"]), config["batch_size"]
    return f"{config['dataset']['name']}, {start} labels + {batch} a round"


def _study(name: str, members: Sequence[StoredRun]) -> Study:
    notes = []
    used = [run for run in members if run.finished]
    unfinished = [run for run in members if not run.finished]
    if used and unfinished:
        listed = ", ".join(map(_progress, unfinished))
        notes.append(f"Unfinished runs are left out: {listed}.")
    elif unfinished:
        used = unfinished
        notes.append(f"No run has finished: {', '.join(map(_progress, unfinished))}.")
    shared = set.intersection(*(set(run.labeled) for run in used))
    longest = max(run.labeled[-1] for run in used)
    if longest > max(shared):
        notes.append(
            f"Runs differ in length: all are shown up to {max(shared)} labels, "
            f"the longest goes to {longest}."
        )
    used = [run.with_rounds(sorted(shared)) for run in _told_apart(used)]
    pairs = Counter((run.label, run.seed) for run in used)
    (label, seed), most = pairs.most_common(1)[0]
    if most > 1:
        paths = [str(r.path) for r in used if (r.label, r.seed) == (label, seed)]
        raise ValueError(f"two runs of {label} with seed {seed}: {' and '.join(paths[:2])}")
    if max(Counter(run.label for run in used).values()) == 1:
        notes.append("One seed a strategy: no band, and no test of who is better.")
    return Study(name, tuple(used), tuple(notes))


def _progress(run: StoredRun) -> str:
    return f"{run.label} seed {run.seed} ({len(run.records)} of {run.config['rounds'] + 1})"


def _told_apart(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Where one label stands for several strategies, add the options that differ to it."""
    options: dict[str, dict[str, dict[str, Any]]] = {}
    for run in runs:
        own = run.config["strategy"]
        options.setdefault(run.label, {})[json.dumps(own, sort_keys=True)] = own
    named = []
    for run in runs:
        others = list(options[run.label].values())
        own = run.config["strategy"]
        differing = [
            f"{key}={value}"
            for key, value in own.items()
            if any(other.get(key) != value for other in others)
        ]
        suffix = f" ({', '.join(differing)})" if differing else ""
        named.append(replace(run, label=run.label + suffix))
    return named
