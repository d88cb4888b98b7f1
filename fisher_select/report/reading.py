# SPDX-License-Identifier: Apache-2.0
"""Run directories as a reader sees them: found, checked, and left as they are."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select import files
from fisher_select.labels import LabelFormat
from fisher_select.records import RoundRecord
from fisher_select.run_directory import read_records

__all__ = ["StoredRun", "read_runs"]

# What the report needs of a configuration: where it is, and its type.
_CONFIG: tuple[tuple[str, type], ...] = (
    ("dataset.name", str),
    ("dataset.task", str),
    ("dataset.classes", int),
    ("strategy.name", str),
    ("trainer", dict),
    ("batch_size", int),
    ("rounds", int),
    ("initial", list),
    ("evaluation", list),
    ("seed", int),
    ("metrics", list),
)


@dataclass(frozen=True, eq=False)
class StoredRun:
    """One run, read from its directory.

    Attributes
    ----------
    path : Path
    label : str
        The strategy's: of a folder named ``<label>-seed<seed>`` what is in front of it, else
        the strategy's name.
    config : mapping
        ``config.json``.
    records : tuple of RoundRecord
        The finished rounds.
    labels : mapping of int to int, float or int array [C]
        Bought labels by row.
    """

    path: Path
    label: str
    config: Mapping[str, Any]
    records: tuple[RoundRecord, ...]
    labels: Mapping[int, Any]

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.config["seed"])

    @property
    def metric(self) -> str:
        """The first of its metrics."""
        return str(self.config["metrics"][0])

    @property
    def finished(self) -> bool:
        """Whether all rounds are there that were asked for."""
        return len(self.records) == int(self.config["rounds"]) + 1

    @property
    def labeled(self) -> list[int]:
        """Labels trained on in each round."""
        return [record.labeled for record in self.records]

    def with_rounds(self, labeled: Sequence[int]) -> StoredRun:
        """The same run with those rounds alone that have one of these label counts."""
        kept = tuple(record for record in self.records if record.labeled in labeled)
        return replace(self, records=kept)

    def trained_on(self) -> Iterator[NDArray[np.int64]]:
        """Rows that the model of each round was trained on."""
        rows = np.array(self.config["initial"], dtype=np.int64)
        for record in self.records:
            yield rows
            if record.selection is not None:
                rows = np.concatenate([rows, record.selection.indices])


def read_runs(paths: Sequence[Path]) -> list[StoredRun]:
    """Read the runs of directories, sorted by strategy and seed.

    Parameters
    ----------
    paths
        Run directories, or folders with run directories anywhere below them.

    Raises
    ------
    OSError
        A folder or a file cannot be read.
    ValueError
        A folder without a run, a damaged file; the message names it.
    """
    folders: dict[Path, Path] = {}
    for path in paths:
        for folder in _run_folders(path):
            folders.setdefault(folder.resolve(), folder)
    runs = [_read(folder) for folder in folders.values()]
    return sorted(runs, key=lambda run: (run.label, run.seed))


def _run_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        reason = "not a directory" if path.exists() else "no such directory"
        raise OSError(f"cannot read {path}: {reason}")
    # A run's records prove it one: a config.json alone may be anybody's.
    found = sorted(records.parent for records in path.rglob("records.jsonl"))
    if not found:
        raise ValueError(f"{path}: no run directory with records.jsonl, here or below")
    return found


def _read(folder: Path) -> StoredRun:
    config = _read_config(folder / "config.json")
    records = tuple(read_records(folder))
    if not records:
        raise ValueError(f"{folder}: records.jsonl holds no round")
    label_format = LabelFormat(config["dataset"]["task"], config["dataset"]["classes"])
    labels, _ = label_format.read(folder / "labels.csv")
    label = config["strategy"]["name"]
    named = re.fullmatch(rf"(.+)-seed{config['seed']}", folder.resolve().name)
    run = StoredRun(folder, named[1] if named else label, config, records, labels)
    _check_records(run)
    return run


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise files.cannot_read(path, error) from None
    except ValueError:
        raise ValueError(f"{path}: not a JSON file") from None
    for place, kind in _CONFIG:
        value = config
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise ValueError(f"{path}: not a run's configuration: {place} is {value!r}")
    if not config["metrics"]:
        raise ValueError(f"{path}: not a run's configuration: metrics is []")
    return dict(config)


def _check_records(run: StoredRun) -> None:
    """Every round has its metrics, and a label for each row it was trained on."""
    for record, rows in zip(run.records, run.trained_on(), strict=True):
        where = f"{run.path}: round {record.round} of records.jsonl"
        for name in run.config["metrics"]:
            if not _has_number(record.metrics, name):
                raise ValueError(f"{where} has no number for {name!r}")
        if record.labeled != len(rows):
            raise ValueError(
                f"{where} has {record.labeled} labels, but {len(rows)} rows were picked"
            )
        missing = [row for row in rows.tolist() if row not in run.labels]
        if missing:
            raise ValueError(f"{run.path}: labels.csv lacks row {missing[0]}, which was bought")


def _has_number(metrics: object, name: str) -> bool:
    value = metrics.get(name) if isinstance(metrics, dict) else None
    return isinstance(value, int | float) and math.isfinite(value)
