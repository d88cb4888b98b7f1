# SPDX-License-Identifier: Apache-2.0
"""Data sets: what they check, what is derived from them, those that come along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dataset_files import images, labels
from hypothesis import given
from hypothesis import strategies as st

from fisher_select import datasets
from fisher_select.datasets import Dataset


def small(**changes: Any) -> Dataset:
    """Nine rows [2], three classes, row i of value i; as many to test on."""
    inputs = np.arange(18, dtype=np.float64).reshape(9, 2)
    fields: dict[str, Any] = {
        "name": "small",
        "pool_inputs": inputs,
        "pool_labels": np.arange(9) % 3,
        "test_inputs": inputs + 100,
        "test_labels": np.arange(9) % 3,
        "classes": 3,
        "class_names": ("a", "b", "c"),
    }
    return Dataset(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "ranking"}, "task must be one of 'multi_class', 'multi_label', 'regression'"),
        ({"classes": 1, "class_names": None}, "classes must be at least 2, got 1"),
        ({"classes": 4}, "class_names must name the 4 classes, got 3"),
        ({"pool_labels": np.arange(8) % 3}, "must hold one label for each of the 9 rows of"),
        ({"test_labels": np.arange(9) % 4}, "test_labels must be integers from 0 to 2"),
        ({"test_labels": np.arange(9) - 1}, "test_labels must be integers from 0 to 2"),
        ({"pool_labels": np.arange(9) / 9}, "pool_labels must be integers from 0 to 2"),
        ({"test_inputs": np.zeros((9, 3))}, r"shape \[2\], as pool_inputs has, got \[3\]"),
        ({"image_shape": (1, 2, 2)}, r"as a row of shape \[2\] has, got \(1, 2, 2\)"),
        ({"task": "multi_label"}, "must hold a row of labels for each of the 9 rows"),
        ({"task": "regression"}, "classes must be 1 for a regression, got 3"),
        (
            {"task": "regression", "classes": 1, "class_names": None},
            "pool_labels must be finite floats",
        ),
    ],
)  # fmt: skip
def test_a_dataset_checks_itself(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_labels_of_other_tasks() -> None:
    indicators = np.eye(3, dtype=np.int64)[np.arange(9) % 3]
    both = {"pool_labels": indicators, "test_labels": indicators}
    assert small(task="multi_label", **both).classes == 3
    with pytest.raises(ValueError, match="pool_labels must be integers from 0 to 1"):
        small(task="multi_label", **(both | {"pool_labels": indicators * 2}))
    values = np.linspace(0, 1, 9)
    one: dict[str, Any] = {"task": "regression", "classes": 1, "class_names": ("y",)}
    assert small(pool_labels=values, test_labels=values, **one).task == "regression"
    values = values.copy()
    values[3] = np.nan
    with pytest.raises(ValueError, match="test_labels must be finite floats"):
        small(pool_labels=np.linspace(0, 1, 9), test_labels=values, **one)


# ------------------------------------------------------------------------------- derivation
def test_subset_renumbers_in_the_order_given() -> None:
    data = datasets.subset(small(), ["c", 0])
    assert (data.classes, data.class_names) == (2, ("c", "a"))
    np.testing.assert_array_equal(data.pool_labels, [1, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(data.pool_inputs, small().pool_inputs[[0, 2, 3, 5, 6, 8]])
    np.testing.assert_array_equal(data.test_inputs, data.pool_inputs + 100)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0], "at least two different ones"),
        ([0, 0], "at least two different ones"),
        ([0, "a"], "at least two different ones"),
        ([0, 3], "classes must be 0 to 2, got 3"),
        ([0, -1], "classes must be 0 to 2, got -1"),
        ([0, "d"], "classes has no 'd'; known names: a, b, c"),
    ],
)
def test_subset_refuses(classes: list[int | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.subset(small(), classes)


def test_counts_are_drawn_from_the_pool_alone() -> None:
    data = datasets.with_counts(small(), [1, 3, 0], seed=5)
    np.testing.assert_array_equal(np.bincount(data.pool_labels, minlength=3), [1, 3, 0])
    np.testing.assert_array_equal(data.test_inputs, small().test_inputs)
    rows = data.pool_inputs[:, 0] / 2
    np.testing.assert_array_equal(rows % 3, data.pool_labels)  # rows with their own labels
    assert (np.diff(rows) > 0).all()
    again = datasets.with_counts(small(), [1, 3, 0], seed=5)
    np.testing.assert_array_equal(data.pool_inputs, again.pool_inputs)
    first = {
        datasets.with_counts(small(), [1, 3, 0], seed=s).pool_inputs[:, 0].tobytes()
        for s in range(20)
    }
    assert len(first) == 3  # each of the three rows of class 0, over the seeds


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 1], "counts must be one for each of 3 classes"),
        ([1, 4, 1], "counts must be 0 to 3 for class 1, got 4"),
        ([1, -1, 1], "counts must be 0 to 3 for class 1, got -1"),
        ([0, 0, 0], "counts must leave at least one row"),
    ],
)
def test_counts_refuse(counts: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.with_counts(small(), counts)


def test_classes_are_for_classes() -> None:
    values = np.linspace(0, 1, 9)
    data = small(
        task="regression", classes=1, class_names=None, pool_labels=values, test_labels=values
    )
    for function, argument in ((datasets.subset, [0, 1]), (datasets.with_counts, [9])):
        with pytest.raises(
            ValueError, match="for the task 'multi_class', small is 'regression'"
        ):
            function(data, argument)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_standardized_by_the_pool(dtype: type) -> None:
    generator = np.random.default_rng(0)
    pool = (generator.random((50, 3)) * 200).astype(dtype)
    pool[:, 1] = 7
    labels_ = np.arange(50) % 2
    data = Dataset("d", pool, labels_, pool[:20] + dtype(1), labels_[:20], 2)
    scaled = datasets.standardized(data)
    assert scaled.pool_inputs.dtype == (dtype if dtype != np.uint8 else np.float32)
    wide = pool.astype(np.float64)
    spread = np.where(wide.std(axis=0) > 0, wide.std(axis=0), 1.0)
    np.testing.assert_allclose(
        scaled.pool_inputs, (wide - wide.mean(axis=0)) / spread, atol=1e-5
    )
    np.testing.assert_allclose(
        scaled.test_inputs, (wide[:20] + 1 - wide.mean(axis=0)) / spread, atol=1e-5
    )
    assert data.pool_inputs is pool  # the given one is as it was


def test_standardized_by_channel_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fisher_select.datasets.derive._CHUNK_VALUES", 100)
    pool = images(30, (2, 4, 3))
    data = Dataset("d", pool, np.arange(30) % 2, pool[:3], np.arange(3) % 2, 2)
    found = datasets.standardized(data).pool_inputs
    np.testing.assert_allclose(found.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=(0, 2, 3)), 1, atol=1e-5)


def test_unit_pixels_and_flattened() -> None:
    pool = images(4, (1, 2, 3))
    data = Dataset("d", pool, labels(4), pool, labels(4), 3, image_shape=(1, 2, 3))
    unit = datasets.unit_pixels(data)
    np.testing.assert_allclose(unit.pool_inputs, pool / 255, rtol=1e-6)
    assert unit.pool_inputs.dtype == np.float32
    flat = datasets.flattened(data)
    np.testing.assert_array_equal(flat.test_inputs, pool.reshape(4, 6))
    assert flat.image_shape == (1, 2, 3)
    assert np.shares_memory(flat.pool_inputs, pool)
    with pytest.raises(ValueError, match=r"inputs must be uint8 .* got float32"):
        datasets.unit_pixels(unit)


# --------------------------------------------------------------------------------- hold-out
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=5),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**40),
)
def test_hold_out_is_stratified(counts: list[int], fraction: float, seed: int) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    classes = np.random.default_rng(seed).permutation(classes)
    if max(counts) < 2:
        with pytest.raises(ValueError, match="too few to hold out a test set"):
            datasets.hold_out(classes, fraction, seed=seed)
        return
    pool, test = datasets.hold_out(classes, fraction, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([pool, test])), range(len(classes)))
    for number, count in enumerate(counts):
        held = int((classes[test] == number).sum())
        assert held == (min(max(round(fraction * count), 1), count - 1) if count else 0)
    for rows in (pool, test):
        assert (np.diff(rows) > 0).all()
    again = datasets.hold_out(classes, fraction, seed=seed)
    np.testing.assert_array_equal(again[1], test)


def test_hold_out_of_numbers_and_of_rows_of_labels() -> None:
    for found in (np.linspace(0, 1, 40), np.eye(3, dtype=np.int64)[np.arange(40) % 3]):
        pool, test = datasets.hold_out(found, 0.25)
        assert (len(pool), len(test)) == (30, 10)
    seeds = {datasets.hold_out(np.zeros(9, int), seed=s)[1].tobytes() for s in range(20)}
    assert len(seeds) > 10


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, np.nan])
def test_hold_out_refuses(fraction: float) -> None:
    with pytest.raises(ValueError, match="test_fraction must be"):
        datasets.hold_out(labels(), fraction)


# ---------------------------------------------------------------------------------- bundled
@pytest.mark.parametrize(
    ("name", "pool", "test", "task"),
    [
        ("digits", (1198, 64), 599, "multi_class"),
        ("breast_cancer", (427, 30), 142, "multi_class"),
        ("diabetes", (332, 10), 110, "regression"),
    ],
)
def test_bundled(name: str, pool: tuple[int, int], test: int, task: str) -> None:
    pytest.importorskip("sklearn")
    data = datasets.load(name)
    assert (data.name, data.task) == (name, task)
    assert (data.pool_inputs.shape, len(data.test_inputs)) == (pool, test)
    if name == "breast_cancer":
        assert np.bincount(np.append(data.pool_labels, data.test_labels)).tolist() == [212, 357]
        assert data.class_names == ("malignant", "benign")
    if name != "digits":
        np.testing.assert_allclose(data.pool_inputs.std(axis=0), 1)
