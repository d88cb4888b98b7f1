# SPDX-License-Identifier: Apache-2.0
"""Label Studio: tasks in the order that a strategy wants them labelled, and the labels back.

    tasks = to_tasks(data, "bait", batch_size=100, features=X, probabilities=P, labeled=rows)
    json.dump(tasks, open("tasks.json", "w"))               # import it into the project
    rows, labels = read_annotations("export.json", classes=("cat", "dog"))

Both are plain JSON, so that nothing of Label Studio is imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select import files, strategies
from fisher_select.adapters._inputs import clipped, ranked
from fisher_select.arrays import Array, as_labeled
from fisher_select.labels import LabelFormat
from fisher_select.options import one_of
from fisher_select.strategies import Strategy
from fisher_select.trainer import LIKELIHOODS

__all__ = ["ROW", "read_annotations", "to_tasks"]

ROW = "fisher_select_row"
"""Key of a task's data that holds its row of the pool."""

_NUMBERS = ("number", "rating")  # Label Studio's controls for a regression


def to_tasks(
    data: Sequence[Mapping[str, Any]],
    strategy: str | Strategy = "bait",
    *,
    batch_size: int,
    labeled: Array | None = None,
    model_version: str = "fisher_select",
    **arrays: Any,
) -> list[dict[str, Any]]:
    """Tasks of all unlabelled rows, best first, as Label Studio imports them.

    Each has an empty prediction with the score rank / n, from 0 for the first pick: ordered by
    "uncertainty sampling", a project shows the lowest prediction scores first.

    Parameters
    ----------
    data
        What a task shows of each row of the pool, such as ``{"image": "https://..."}``.
    strategy
        A registered name, or ``fisher_select.strategies.get("bait", lam=0.01)``.
    batch_size
        Rows to label now; strategies that pick sets rank so many, and the others follow by
        index. More than there are is clipped with a warning.
    labeled : int array [m], bool array [n] or None
        Rows labelled already, which become no task.
    model_version
        Name of the predictions in Label Studio.
    **arrays
        What the strategy takes, as in `fisher_select.select`.

    Returns
    -------
    list of dict
        JSON as it is; ``data`` keeps the row under `ROW`.

    Raises
    ------
    TypeError, ValueError, NumericalError
        As the strategy's function.
    """
    known = strategies.get(strategy) if isinstance(strategy, str) else strategy
    rows = as_labeled(labeled, len(data))
    batch = clipped(batch_size, len(data) - len(rows))
    order, _ = ranked(known, arrays, n=len(data), labeled=rows, batch_size=batch)
    return [
        {
            "data": {**data[row], ROW: row},
            "predictions": [
                {"model_version": model_version, "score": rank / len(order), "result": []}
            ],
        }
        for rank, row in enumerate(order.tolist())
    ]


def read_annotations(
    export: str | Path | Sequence[Mapping[str, Any]],
    *,
    classes: Sequence[str] = (),
    task: str = "multi_class",
    from_name: str | None = None,
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Rows of the pool and their labels, out of a project's export in the format "JSON".

    Parameters
    ----------
    export
        The file, or what it holds.
    classes
        The choices in the order of the model's outputs; none for a regression.
    task : {"multi_class", "multi_label", "regression"}
        One choice a task, any number of them, or a number or rating.
    from_name
        Name of the control to read; None reads all of the task's kind.

    Returns
    -------
    rows : int64 array [m]
        Sorted; tasks that nobody finished are left out.
    labels : array [m], or [m, C] of 0 and 1
        Class numbers, labels that do not exclude each other, or numbers.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no such export, annotators disagree, or an answer is none of the classes; the
        message names the row.
    """
    one_of("task", task, LIKELIHOODS)
    found: dict[int, Any] = {}
    for entry in _entries(export):
        row = entry["data"][ROW]
        for annotation in entry["annotations"]:
            if annotation.get("was_cancelled"):
                continue
            results = [
                result
                for result in annotation["result"]
                if from_name in (None, result.get("from_name"))
            ]
            label = _label(results, row, classes, task)
            if found.setdefault(row, label) != label:
                raise ValueError(
                    f"row {row}: annotators disagree, {found[row]} and {label}; settle it in "
                    "Label Studio and export again"
                )
    rows = np.array(sorted(found), dtype=np.int64)
    shape = (0, len(classes)) if task == "multi_label" else (0,)
    values = [found[row] for row in rows.tolist()] or np.empty(shape)
    return rows, LabelFormat(task, len(classes)).check(rows, values)


def _entries(export: str | Path | Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The tasks of an export, each with its row and its annotations."""
    where = "export"
    entries: Any = export
    if isinstance(export, str | Path):
        where = str(export)
        try:
            entries = json.loads(Path(export).read_text(encoding="utf-8"))
        except OSError as error:
            raise files.cannot_read(Path(export), error) from None
        except ValueError as error:
            raise ValueError(f"{where}: not JSON ({error})") from None
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise ValueError(f"{where}: must be a list of tasks, got {type(entries).__name__}")
    for number, entry in enumerate(entries):
        data = entry.get("data") if isinstance(entry, Mapping) else None
        known = isinstance(data, Mapping) and isinstance(data.get(ROW), int)
        if not known or "annotations" not in entry:
            raise ValueError(
                f"{where}: task {number} must have annotations and data with {ROW!r}, as an "
                "export of tasks made by to_tasks has"
            )
    return entries


def _label(
    results: Sequence[Mapping[str, Any]], row: int, classes: Sequence[str], task: str
) -> Any:
    """The one answer of an annotation: a class number, 0 and 1 a class, or a number."""
    if task == "regression":
        numbers = [
            result["value"][kind]
            for result in results
            for kind in _NUMBERS
            if kind in result["value"]
        ]
        if len(numbers) != 1:
            raise ValueError(f"row {row}: one number wanted, got {numbers}")
        return float(numbers[0])
    chosen = [choice for result in results for choice in result["value"].get("choices", ())]
    for choice in chosen:
        if choice not in classes:
            raise ValueError(f"row {row}: {choice!r} is none of the classes {list(classes)}")
    if task == "multi_label":
        return [int(name in chosen) for name in classes]
    if len(chosen) != 1:
        raise ValueError(f"row {row}: one choice wanted, got {chosen}")
    return list(classes).index(chosen[0])
