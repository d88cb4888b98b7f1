# SPDX-License-Identifier: Apache-2.0
"""What the approximations of BAIT cost: objective and label efficiency beside the full mode.

On scikit-learn's digits, and on Fashion-MNIST where the folder that FISHER_SELECT_DATA names
holds it: a linear model on pixels, or on their leading principal components.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

import fisher_select as fs
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError
from benchmarks.record import Figure, Record, seconds
from benchmarks.suite.protocol import DATA_VARIABLE
from fisher_select import datasets, strategies
from fisher_select.comparison import area_under_curve
from fisher_select.datasets import Dataset
from fisher_select.factors import trace_problem
from fisher_select.models import Model
from fisher_select.reference import fisher
from fisher_select.trainer import Outputs
from fisher_select.training import TorchTrainer

Float64 = npt.NDArray[np.float64]

FULL = "full"
# Options of `fisher_select.bait`, the exact mode first: a further approximation is a line more.
MODES: Mapping[str, Mapping[str, Any]] = {
    FULL: {},
    "rank=4": {"rank": 4},
    "rank=2": {"rank": 2},
    "rank=1": {"rank": 1},
    "top_classes=5": {"top_classes": 5},
    "block_diagonal": {"fisher": "block_diagonal"},
    "binary": {"fisher": "binary"},
    "lazy": {"search": "lazy"},
    "stochastic": {"search": "stochastic"},
}
BASELINE = "random"
RUNS = 3  # of a selection, of which the quickest counts
LABELED = 50  # rows that the model of the comparison of objectives was trained on
ROUNDING = 1e-6  # between the engine's objective of its picks and the specification's
TRAINER = TorchTrainer(epochs=100, learning_rate=0.02, weight_decay=1e-4, threads=1)


@dataclass(frozen=True)
class Study:
    """Batches whose objectives are compared, and the rounds of the learning curves."""

    batches: tuple[int, ...]
    seeds: int
    rounds: int
    batch_size: int
    pool: int  # rows of a pool, at the most


LARGE = Study(batches=(50, 100), seeds=5, rounds=10, batch_size=20, pool=5_000)
QUICK = Study(batches=(5,), seeds=2, rounds=1, batch_size=5, pool=150)


def approximations(settings: Settings) -> Record:
    """Objective, picks in common, time and memory of a batch; accuracy round by round."""
    study = QUICK if settings.quick else LARGE
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    sets = data_sets(study)
    for data in sets:
        selections = {
            f"B = {batch}": objectives(data, batch, settings) for batch in study.batches
        }
        curves = learning_curves(data, study, settings)
        raw[data.name] = {"selections": selections, "curves": curves}
        for mode in MODES:
            if mode == FULL:
                continue
            for batch, rows in selections.items():
                figures.append(_objective_figure(data.name, batch, mode, rows))
            figures.append(_curve_figure(data.name, mode, curves[mode]))
        figures.append(_curve_figure(data.name, BASELINE, curves[BASELINE]))
    notes = [
        "tr(M^-1 F) is the full information's, of the batch that each mode picked, in float64; "
        f"the model was trained on {LABELED} random rows",
        f"accuracy is the area under the curve, mean of {study.seeds} seeds, of a linear model "
        "trained anew each round; p of a paired t-test of the areas against the full mode's",
    ]
    if len(sets) == 1:
        notes.append(f"Fashion-MNIST is left out: {DATA_VARIABLE} names no folder that has it")
    sizes = {
        "study": vars(study),
        "data": {data.name: list(data.pool_inputs.shape) for data in sets},
    }
    return Record("approximations", sizes, figures, raw, notes)


# ----------------------------------------------------------------------------------- data
def data_sets(study: Study) -> list[Dataset]:
    """Digits, and Fashion-MNIST where it is at hand."""
    found = [first_rows(datasets.digits(), study.pool)]
    folder = Path(os.environ.get(DATA_VARIABLE, "")) / "fashion_mnist"
    if DATA_VARIABLE in os.environ and folder.is_dir():
        images = first_rows(datasets.idx(folder), study.pool)
        found.append(principal_components(replace(images, name="fashion_mnist"), 32))
    return found


def first_rows(data: Dataset, most: int) -> Dataset:
    """The first rows of the pool and of the test set, whose order is random already."""
    return replace(
        data,
        pool_inputs=data.pool_inputs[:most],
        pool_labels=data.pool_labels[:most],
        test_inputs=data.test_inputs[:most],
        test_labels=data.test_labels[:most],
    )


def principal_components(data: Dataset, width: int) -> Dataset:
    """Inputs [n, width]: the pool's leading components, scaled to variance 1 of the first."""
    pool, test = (
        inputs.reshape(len(inputs), -1).astype(np.float64) / 255.0
        for inputs in (data.pool_inputs, data.test_inputs)
    )
    mean = pool.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(pool, rowvar=False))
    basis = directions[:, ::-1][:, :width] / np.sqrt(variances[-1])
    pool, test = (((rows - mean) @ basis).astype(np.float32) for rows in (pool, test))
    return replace(data, pool_inputs=pool, test_inputs=test, image_shape=None)


# ------------------------------------------------------------------------------ objective
def objectives(data: Dataset, batch: int, settings: Settings) -> dict[str, dict[str, Any]]:
    """One batch of each mode at one model: its full objective, picks, seconds and bytes."""
    labeled, outputs = _trained(data)
    arrays = (outputs.features, outputs.probabilities)
    problem = trace_problem(*arrays, labeled=labeled, batch_size=batch)
    V, M, F = fisher.start(problem)
    found: dict[str, dict[str, Any]] = {}
    for mode, options in MODES.items():
        call = {"labeled": labeled, "batch_size": batch, **options}
        runs = [fs.bait(*arrays, backend=settings.backend, **call) for _ in range(RUNS)]
        picks = runs[0]
        chosen = V[picks.indices].transpose(1, 0, 2).reshape(len(M), -1)
        root = fisher.inverse_root(M + chosen @ chosen.T, batch)
        found[mode] = {
            "objective": fisher.objective(root, F),
            "picks": picks.indices.tolist(),
            "seconds": min(float(sum(run.seconds.values())) for run in runs),
            "planned_bytes": fs.plan(*arrays, **call).bytes,
        }
        if mode == FULL:
            _check(found[mode]["objective"], float(picks.objective[-1]))
    best = found[FULL]
    for row in found.values():
        row["excess"] = row["objective"] / best["objective"] - 1.0
        row["in_common"] = len({*row["picks"]} & {*best["picks"]}) / batch
    return found


def _trained(data: Dataset) -> tuple[npt.NDArray[np.int64], Outputs]:
    """Random rows, and what a model trained on them says about the pool."""
    rows = fs.random(len(data.pool_inputs), batch_size=LABELED, seed=0).indices
    factory, flat = Model(kind="linear").prepared(data)
    model = TRAINER.train(
        factory, flat.pool_inputs[rows], flat.pool_labels[rows], task=data.task, seed=0
    )
    return np.sort(rows), TRAINER.outputs(model, flat.pool_inputs, task=data.task)


def _check(specified: float, engine: float) -> None:
    if abs(specified - engine) > ROUNDING * specified:
        raise AnswerError(f"the full mode says {engine} of its picks, which have {specified}")


# ----------------------------------------------------------------------- label efficiency
def learning_curves(data: Dataset, study: Study, settings: Settings) -> dict[str, Any]:
    """Accuracies [seeds, rounds + 1] of each mode and of random picks, and what they say."""
    factory, flat = Model(kind="linear").prepared(data)
    candidates = {
        mode: strategies.get("bait", backend=settings.backend, **options)
        for mode, options in MODES.items()
    } | {BASELINE: strategies.get(BASELINE)}
    curves: dict[str, Any] = {}
    for name, strategy in candidates.items():
        runs = [
            list(
                fs.ActiveLearner(
                    factory,
                    flat,
                    strategy=strategy,
                    batch_size=study.batch_size,
                    rounds=study.rounds,
                    trainer=TRAINER,
                    metrics=("accuracy",),
                    seed=seed,
                )
            )
            for seed in range(study.seeds)
        ]
        labels = [record.labeled for record in runs[0]]
        accuracy = np.array([[record.accuracy for record in run] for run in runs])
        curves[name] = {
            "labeled": labels,
            "accuracy": accuracy.tolist(),
            "mean": accuracy.mean(axis=0).tolist(),
            "interval_68": interval(accuracy).tolist(),
            "area": area_under_curve(labels, accuracy).tolist(),
            "select_seconds": float(
                np.mean([sum(record.timing.select_seconds for record in run) for run in runs])
            ),
        }
    full = np.array(curves[FULL]["area"])
    for name, curve in curves.items():
        difference = np.array(curve["area"]) - full
        curve["difference"] = float(difference.mean())
        curve["p"] = None if name == FULL else paired_p(difference)
    return curves


def interval(values: Float64) -> Float64:
    """Half the 68 % interval of the mean over the first axis, by Student's t."""
    k = len(values)
    quantile = stats.t.ppf(0.84, k - 1)
    half: Float64 = quantile * values.std(axis=0, ddof=1) / np.sqrt(k)
    return half


def paired_p(differences: Float64) -> float:
    """Of a two-sided paired t-test that they have mean 0; 1 where all of them are 0."""
    if not differences.any():
        return 1.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


# -------------------------------------------------------------------------------- figures
def _objective_figure(
    data: str, batch: str, mode: str, rows: Mapping[str, Mapping[str, Any]]
) -> Figure:
    own, full = rows[mode], rows[FULL]
    return Figure(
        f"full objective of {mode}, {data}, {batch}",
        "",
        f"{100 * own['excess']:+.2f} % ({100 * own['in_common']:.0f} % of the picks in common; "
        f"{seconds(own['seconds'])} against {seconds(full['seconds'])}; "
        f"{own['planned_bytes'] / 1e6:.1f} MB against {full['planned_bytes'] / 1e6:.1f} MB)",
        own["excess"],
    )


def _curve_figure(data: str, name: str, curve: Mapping[str, Any]) -> Figure:
    points, difference = 100 * np.mean(curve["area"]), 100 * curve["difference"]
    return Figure(
        f"mean accuracy of {name}, {data}",
        "",
        f"{points:.2f} %: {difference:+.2f} points to full's (p = {curve['p']:.2g})",
        curve["difference"],
    )
