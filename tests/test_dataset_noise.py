# SPDX-License-Identifier: Apache-2.0
"""Spoilt images, and disjoint parts of a pool."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toys import blobs

from fisher_select import datasets
from fisher_select.datasets import Dataset, noise


def images(n: int = 20, dtype: Any = np.uint8) -> Dataset:
    draw = np.random.default_rng(0)
    inputs = draw.integers(40, 200, (n, 3, 9, 8)).astype(dtype)
    labels = np.arange(n) % 2
    return Dataset("i", inputs, labels, inputs, labels, 2, image_shape=(3, 9, 8))


def changed(before: Dataset, after: Dataset) -> int:
    differs = before.pool_inputs != after.pool_inputs
    return int(differs.reshape(len(differs), -1).any(axis=1).sum())


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.1, 2), (1.0, 20)])
def test_a_share_of_the_pool_is_spoilt_and_the_test_set_is_not(
    share: float, count: int
) -> None:
    data = images()
    before = data.pool_inputs.copy()
    found = datasets.noisy(data, share, seed=1)
    assert changed(data, found) == count
    assert found.pool_inputs.dtype == np.uint8
    assert found.test_inputs is data.test_inputs
    np.testing.assert_array_equal(data.pool_inputs, before)
    again, other = (datasets.noisy(data, share, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.pool_inputs, found.pool_inputs)
    assert (changed(found, other) > 0) == (count > 0)
    flat = datasets.noisy(datasets.flattened(data), share, seed=1)
    np.testing.assert_array_equal(flat.pool_inputs, datasets.flattened(found).pool_inputs)


def test_an_image_is_turned_zoomed_and_multiplied() -> None:
    """A bright spot goes where angle and zoom say, and keeps its brightness without noise."""
    spot = np.zeros((1, 41, 41))
    spot[0, 20:23, 30:33] = 1.0  # its middle is 1 below and 11 right of the image's

    class Fixed:
        def uniform(self, low: float, high: float) -> float:
            return max(low, high)

        def normal(self, mean: float, spread: float, shape: Any) -> Any:
            return np.full(shape, mean + 2 * spread)

    found = noise._spoilt(spot, Fixed())  # type: ignore[arg-type]
    assert found.max() == pytest.approx(1.0 + 2 * noise.SPREAD)
    place = [float((found[0] * axis).sum() / found.sum()) for axis in np.indices((41, 41))]
    angle, zoom = noise.MOST_ROTATION, 1 + noise.MOST_ZOOM
    expected = [
        20 + zoom * (math.cos(angle) * 1 + math.sin(angle) * 11),
        20 + zoom * (-math.sin(angle) * 1 + math.cos(angle) * 11),
    ]
    np.testing.assert_allclose(place, expected, atol=0.1)
    assert found.sum() == pytest.approx(9 * zoom**2 * (1 + 2 * noise.SPREAD), rel=0.03)


def test_bright_pixels_stay_within_their_type() -> None:
    bright = replace(images(), pool_inputs=np.full((20, 3, 9, 8), 250, np.uint8))
    found = datasets.noisy(bright, 1.0).pool_inputs
    assert found.max() == 255
    assert found.min() > 100  # nothing has wrapped around


def test_parts_share_nothing_and_make_the_pool() -> None:
    data = blobs(40)
    parts = [datasets.pool_part(data, number, 3, seed=5) for number in (1, 2, 3)]
    assert sorted(len(part.pool_inputs) for part in parts) == [13, 13, 14]
    rows = np.concatenate([part.pool_inputs for part in parts])
    assert len(np.unique(rows, axis=0)) == 40
    again = datasets.pool_part(data, 2, 3, seed=5)
    np.testing.assert_array_equal(again.pool_labels, parts[1].pool_labels)


def test_a_table_asks_for_both() -> None:
    table: dict[str, Any] = {"reader": "digits", "part": [2, 4], "noise": 0.5}
    spec = datasets.DatasetSpec.from_table(table)
    assert datasets.DatasetSpec.from_table(spec.as_dict()) == spec
    found, plain = (datasets.load(t) for t in (spec, table | {"noise": 0.0}))
    assert len(found.pool_inputs) == 1198 // 4 + 1
    assert changed(plain, found) == round(0.5 * len(found.pool_inputs))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"noise": 1.5}, "noise must be at most 1, got 1.5"),
        ({"noise": -0.5}, "noise must be at least 0"),
        ({"part": [0, 2]}, r"part must be \[number, parts\] with 1 <= number <= parts"),
        ({"part": [1]}, "part must be a list of 2, each an integer"),
        ({"reader": "breast_cancer", "noise": 0.1}, "noise is for images, .* has none"),
    ],
)
def test_bad_keys_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.load({"reader": "digits"} | table)
