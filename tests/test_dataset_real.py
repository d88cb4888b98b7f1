# SPDX-License-Identifier: Apache-2.0
"""Readers on real files beside the checkout: rows and classes that are known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fisher_select import datasets
from fisher_select.datasets import Dataset

# Rows and columns of inputs; the target is the last column of a table without header.
REGRESSIONS = {
    "airfoil": (1503, 5),
    "autompg": (392, 7),
    "concrete": (1030, 8),
    "elevators": (16599, 18),
    "keggdirected": (48827, 20),
    "keggundirected": (63608, 27),
    "kin40k": (40000, 8),
    "parkinsons": (5875, 20),
    "pol": (15000, 26),
    "sml": (4137, 26),
    "wine": (1599, 11),
    "yacht": (308, 6),
}
RAW_REGRESSIONS = {
    "naval-propulsion-plant": (16, (11934, 17)),
    "power-plant": (4, (9568, 4)),
    "protein-tertiary-structure-raw": (9, (45730, 9)),
}


def per_class(data: Dataset, part: str = "both") -> list[int]:
    found = np.concatenate([data.pool_labels, data.test_labels])
    labels = {"both": found, "pool": data.pool_labels, "test": data.test_labels}[part]
    return np.bincount(labels, minlength=data.classes).tolist()


@pytest.mark.slow
def test_mnist(shared_data: Path) -> None:
    data = datasets.idx(shared_data / "mnist")
    assert per_class(data, "pool") == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert data.test_inputs.shape == (10000, 1, 28, 28)
    assert data.licence is None


@pytest.mark.slow
def test_fashion_mnist(shared_data: Path) -> None:
    data = datasets.idx(shared_data / "fashion_mnist")
    assert per_class(data, "pool") == [6000] * 10
    assert per_class(data, "test") == [1000] * 10
    assert data.licence is not None
    assert data.licence.startswith("The MIT License")


@pytest.mark.slow
def test_packed_cifar10(shared_data: Path) -> None:
    pytest.importorskip("PIL")
    data = datasets.packed_jpeg(shared_data / "cifar10_jpeg" / "cifar10_train_jpeg_packed.npz")
    assert per_class(data) == [5000] * 10
    assert per_class(data, "test") == [1250] * 10
    assert data.class_names is not None
    assert data.class_names[:2] == ("airplane", "automobile")
    assert data.pool_inputs.shape == (37500, 3, 32, 32)


def test_retinamnist(shared_data: Path) -> None:
    path = shared_data / "medmnist" / "retinamnist.npz"
    data = datasets.medmnist(path)
    assert per_class(data, "pool") == [486, 128, 206, 194, 66]
    assert (len(data.test_inputs), data.image_shape) == (400, (3, 28, 28))
    assert len(datasets.medmnist(path, validation="pool").pool_inputs) == 1200
    grades = datasets.medmnist(path, task="regression")
    assert (grades.pool_labels.min(), grades.pool_labels.max()) == (0, 4)


def test_pneumoniamnist(shared_data: Path) -> None:
    data = datasets.medmnist(shared_data / "medmnist" / "pneumoniamnist_reassembled.npz")
    assert per_class(data, "pool") == [1214, 3494]
    assert (len(data.test_inputs), data.image_shape) == (624, (1, 28, 28))


def test_ecg5000(shared_data: Path) -> None:
    folder = shared_data / "ecg"
    data = datasets.time_series(
        folder / "ECG5000_TRAIN.ts", test_path=folder / "ECG5000_TEST.npy"
    )
    assert per_class(data, "pool") == [292, 177, 10, 19, 2]
    assert data.class_names == ("1", "2", "3", "4", "5")
    assert data.test_inputs.shape == (4499, 140)


def test_mammography(shared_data: Path) -> None:
    path = shared_data / "tabular" / "mammography.csv"
    data = datasets.table(path, -1, header=False, quote="'")
    assert per_class(data) == [10923, 260]
    assert data.class_names == ("-1", "1")
    assert data.pool_inputs.shape[1] == 6


def test_letters(shared_data: Path) -> None:
    data = datasets.table(shared_data / "tabular" / "letter-recognition.data", "Letter")
    assert (data.classes, sum(per_class(data))) == (26, 20000)
    assert "".join(data.class_names or ()) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def test_poker_hands(shared_data: Path) -> None:
    # Two lines of this copy lack a cell: refused, unless they are to be left out.
    path = shared_data / "tabular" / "poker-hand-training-true.data"
    with pytest.raises(ValueError, match="Row #38: Expected 11 columns, got 10"):
        datasets.table(path, 10, header=False)
    data = datasets.table(path, 10, header=False, bad_lines="drop")
    assert (data.classes, sum(per_class(data))) == (10, 25008)
    assert (max(per_class(data)), min(per_class(data))) == (12493, 5)


def test_austin_weather(shared_data: Path) -> None:
    path = shared_data / "austin_weather" / "austin_weather.csv"
    options: dict[str, Any] = {
        "task": "regression",
        "drop": ["Date", "Events"],
        "replace": {"T": 0.005},
    }
    with pytest.raises(ValueError, match="column 'DewPointHighF' must hold numbers, got '-'"):
        datasets.table(path, "PrecipitationSumInches", **options)
    for missing, rows in (("drop", 1305), ("mean", 1319)):
        data = datasets.table(
            path, "PrecipitationSumInches", missing_words=["-"], missing=missing, **options
        )
        assert (data.pool_inputs.shape[1], len(data.pool_labels) + len(data.test_labels)) == (
            18,
            rows,
        )
        assert np.isfinite(data.pool_inputs).all()


def whole(data: Dataset) -> tuple[int, int]:
    return len(data.pool_inputs) + len(data.test_inputs), data.pool_inputs.shape[1]


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regression_without_header(name: str, shared_data: Path) -> None:
    path = shared_data / "uci_regression" / f"{name}.csv.gz"
    data = datasets.table(path, -1, header=False, task="regression")
    assert (data.name, whole(data)) == (name, REGRESSIONS[name])


@pytest.mark.parametrize("name", RAW_REGRESSIONS)
def test_regression_set_apart_by_blanks(name: str, shared_data: Path) -> None:
    path = shared_data / "uci_regression" / f"{name}.txt.gz"
    target, shape = RAW_REGRESSIONS[name]
    data = datasets.table(path, target, header=False, separator="blanks", task="regression")
    assert whole(data) == shape


def test_regression_with_header(shared_data: Path) -> None:
    folder = shared_data / "uci_regression"
    data = datasets.table(folder / "fried.csv.gz", "target", task="regression")
    assert whole(data) == (40768, 10)
    with pytest.raises(ValueError, match="column 'cut' must hold numbers, got 'Ideal'"):
        datasets.table(folder / "diamonds.csv.gz", "price", task="regression")
    data = datasets.table(
        folder / "diamonds.csv.gz", "price", task="regression", categorical="one_hot"
    )
    assert whole(data) == (53940, 6 + 5 + 7 + 8)
