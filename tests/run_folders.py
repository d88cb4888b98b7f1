# SPDX-License-Identifier: Apache-2.0
"""Run directories of a real, tiny loop, laid out as `fisher-select run` does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from toys import Centroids, blobs

from fisher_select.datasets import Dataset
from fisher_select.loop import ActiveLearner


def run_loops(
    folder: Path,
    names: tuple[str, ...] = ("random", "margin"),
    seeds: tuple[int, ...] = (0, 1, 2),
    data: Dataset | None = None,
    **options: Any,
) -> Path:
    """Run strategies by name with several seeds below a folder, and return it."""
    dataset = blobs() if data is None else data
    shape = (dataset.classes, *dataset.pool_inputs.shape[1:])
    for name in names:
        for seed in seeds:
            learner = ActiveLearner(
                lambda: np.zeros(shape),
                dataset,
                strategy=name,
                trainer=Centroids(),
                seed=seed,
                run_dir=folder / f"{name.replace('_', '-')}-seed{seed}",
                **({"initial": 4, "batch_size": 2, "rounds": 5} | options),
            )
            list(learner)
    return folder


def records_of(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's records.jsonl."""
    return [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]


def cut(run: Path, rounds: int) -> None:
    """Leave the first rounds of a run, as if it had been stopped."""
    for name in ("records.jsonl", "timings.jsonl"):
        lines = (run / name).read_text().splitlines(keepends=True)
        (run / name).write_text("".join(lines[:rounds]))


def change_config(run: Path, **values: Any) -> None:
    """Overwrite keys of a run's config.json."""
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | values))
