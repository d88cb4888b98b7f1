# SPDX-License-Identifier: Apache-2.0
"""Image quality as a regression: the target is what was done to the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fisher_select import datasets
from fisher_select.datasets import Dataset

CLEAN = 10 * 2 * np.log10(255) - 10 * np.log10(1 / 12)  # dB of an image left as it was


def pictures(n: int = 60, channels: int = 3) -> Dataset:
    """Random blocks of 4 x 4 pixels, grey so that hardly any noise is clipped."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(100, 156, (n, channels, 4, 4)).astype(np.uint8)
    images = np.kron(blocks, np.ones((1, 1, 4, 4), np.uint8))
    labels = np.arange(n) % 2
    return Dataset(
        "blocks", images, labels, images[:20], labels[:20], 2, class_names=("a", "b")
    )


def test_the_target_is_the_signal_to_noise_ratio() -> None:
    data = pictures()
    worse = datasets.degraded(data, 1.5, 0.1, seed=4)
    assert (worse.task, worse.classes, worse.pool_inputs.dtype) == ("regression", 1, np.uint8)
    for part in ("pool", "test"):
        before = getattr(data, f"{part}_inputs").astype(float)
        after = getattr(worse, f"{part}_inputs").astype(float)
        error = ((after - before) ** 2).mean(axis=(1, 2, 3))
        decibel = 10 * np.log10(255**2 / (error + 1 / 12))
        np.testing.assert_allclose(10 * getattr(worse, f"{part}_labels"), decibel)


def test_noise_alone_has_its_own_variance() -> None:
    worse = datasets.degraded(pictures(), 0.0, 0.04)
    assert 10 * worse.pool_labels.min() > -20 * np.log10(0.05)
    assert np.std(worse.pool_labels) > 0.1  # each image its own amount
    untouched = datasets.degraded(pictures(), 0.0, 0.0)
    np.testing.assert_array_equal(untouched.pool_inputs, pictures().pool_inputs)
    np.testing.assert_allclose(10 * untouched.pool_labels, CLEAN)


def test_blur_keeps_the_mean_and_stays_within_a_channel() -> None:
    data = pictures()
    black = data.pool_inputs.copy()
    black[:, 1] = 0
    worse = datasets.degraded(replace(data, pool_inputs=black), 3.0, 0.0)
    assert (worse.pool_inputs[:, 1] == 0).all()
    before, after = black.astype(float), worse.pool_inputs.astype(float)
    np.testing.assert_allclose(after.mean(axis=(2, 3)), before.mean(axis=(2, 3)), atol=3)
    assert after[:, 0].std() < before[:, 0].std()


def test_the_seed_decides_and_the_parts_differ() -> None:
    first, again, other = (datasets.degraded(pictures(), 2.0, 0.2, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.pool_inputs, again.pool_inputs)
    assert (first.pool_inputs != other.pool_inputs).any()
    assert (first.pool_labels[:20] != first.test_labels).all()


def test_a_table_may_ask_for_it_behind_the_counts() -> None:
    with pytest.raises(ValueError, match=r"degraded must be a list of 2, each a number, got 3"):
        datasets.load({"reader": "digits", "degraded": 3})
    with pytest.raises(ValueError, match=r"must be uint8 images .* to be degraded, got float"):
        datasets.load({"reader": "digits", "degraded": [1.0, 0.1]})
    with pytest.raises(ValueError, match="noise must be at least 0, got -1"):
        datasets.degraded(pictures(), 1.0, -1.0)
