# SPDX-License-Identifier: Apache-2.0
"""Imbalanced pool: FisherMask, BAIT and random, accuracy a round with bands.

    python -m benchmarks.imbalanced FOLDER [--seeds 0 1 2] [--out FILE]

FOLDER holds the four files of Fashion-MNIST (``*-ubyte.gz``). The pool is setting 1 of the
FisherMask paper scaled down by five: 50, 1,000, 50 and 50 images of four classes, tested on
equally many of each. A small ResNet is trained from scratch in each round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fisher_select as fs
from benchmarks.machine import provenance
from fisher_select import datasets, files, strategies
from fisher_select.datasets import Dataset
from fisher_select.experiment import Run
from fisher_select.report import curves
from fisher_select.resnet import resnet
from fisher_select.training import TorchTrainer

COUNTS = (50, 1000, 50, 50)  # images a class in the pool
TEST = 250  # images a class in the test set
WIDTH, BLOCKS = 8, (1, 1, 1)
BATCH, ROUNDS = 20, 5
TRAINER = TorchTrainer(epochs=25, learning_rate=3e-3, weight_decay=1e-4, minibatch=16)
STRATEGIES = {
    "FisherMask": strategies.get("fisher_mask", sparsity=0.02),
    "BAIT": strategies.get("bait"),
    "random": strategies.get("random"),
}
DEFAULT_OUT = Path(__file__).resolve().parent / "results" / "imbalanced.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all strategies with all seeds and write the curves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imbalanced")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    data = fashion(options.folder)
    factory = partial(resnet, len(COUNTS), channels=1, width=WIDTH, blocks=BLOCKS)
    runs, bought = [], {}
    for label, strategy in STRATEGIES.items():
        for seed in options.seeds:
            learner = fs.ActiveLearner(
                factory,
                data,
                strategy=strategy,
                batch_size=BATCH,
                rounds=ROUNDS,
                trainer=TRAINER,
                seed=seed,
            )
            records = tuple(learner)
            initial = tuple(learner.initial.tolist())
            runs.append(Run(label, seed, "", initial, "accuracy", records))
            bought[f"{label}, seed {seed}"] = _classes(data, records)
            shown = " ".join(f"{100 * record.accuracy:.1f}" for record in records)
            print(f"{label:12s} seed {seed}: {shown}", flush=True)
    command = "python -m benchmarks.imbalanced FOLDER --seeds " + " ".join(
        map(str, options.seeds)
    )
    files.write_json(
        options.out,
        {
            "name": "imbalanced",
            "pool": dict(zip(("0", "1", "2", "3"), COUNTS, strict=True)),
            "model": {"width": WIDTH, "blocks": BLOCKS, "parameters": _size(factory())},
            "batch_size": BATCH,
            "seconds": time.perf_counter() - start,
            "curves": [_curve(curve) for curve in curves(runs)],
            "labels_bought_per_class": bought,
            **provenance(command, quick=False),
        },
    )


def fashion(folder: Path) -> Dataset:
    """The first images of each of four classes, pixels in [0, 1], shape [n, 1, 28, 28]."""
    source, parts = datasets.idx(folder), []
    for images, labels, counts in (
        (source.pool_inputs, source.pool_labels, COUNTS),
        (source.test_inputs, source.test_labels, (TEST,) * len(COUNTS)),
    ):
        rows = np.sort(
            np.concatenate([np.flatnonzero(labels == c)[:k] for c, k in enumerate(counts)])
        )
        parts += [images[rows].astype(np.float32) / 255.0, labels[rows]]
    return Dataset("imbalanced", *parts, classes=len(COUNTS))


def _classes(data: Dataset, records: Sequence[fs.loop.RoundRecord]) -> list[list[int]]:
    """Labels of each class that each round bought."""
    return [
        np.bincount(data.pool_labels[record.selection.indices], minlength=4).tolist()
        for record in records
        if record.selection is not None
    ]


def _curve(curve: Any) -> dict[str, Any]:
    return {
        "strategy": curve.label,
        "labeled": curve.labeled.tolist(),
        "accuracy": curve.values.tolist(),
        "mean": curve.mean.tolist(),
        "band": curve.band.tolist(),
        "train_seconds": curve.train_seconds,
        "select_seconds": curve.select_seconds,
    }


def _size(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())


if __name__ == "__main__":
    main()
