# SPDX-License-Identifier: Apache-2.0
"""Models out of configuration tables, and random projections of what they take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fisher_select import datasets
from fisher_select.datasets import Dataset
from fisher_select.models import Model

torch = pytest.importorskip("torch")


def images(count: int = 6) -> Dataset:
    rows = np.random.default_rng(0).random((count, 3, 8, 8), dtype=np.float32)
    labels = np.arange(count) % 2
    return Dataset("images", rows, labels, rows, labels, 2, image_shape=(3, 8, 8))


def layers(model: Model, data: Dataset) -> list[str]:
    factory, _ = model.prepared(data)
    return [type(layer).__name__ for layer in factory()]


def test_a_perceptron_takes_images_as_rows() -> None:
    factory, data = Model(hidden=(5, 4), dropout=0.1).prepared(images())
    assert data.pool_inputs.shape == (6, 192)
    outputs = factory()(torch.as_tensor(data.pool_inputs))
    assert outputs.shape == (6, 2)
    assert layers(Model(hidden=(5,), dropout=0.1), images()) == [
        "Linear",
        "ReLU",
        "Dropout",
        "Linear",
    ]


def test_a_linear_model_is_one_layer_on_the_inputs() -> None:
    factory, data = Model("linear").prepared(images())
    (layer,) = factory()
    assert layer.weight.shape == (2, 192)
    assert data.pool_inputs.shape == (6, 192)


def test_a_residual_network_takes_images_as_they_are() -> None:
    model = Model("resnet", width=2, blocks=(1, 1), dropout=0.5)
    factory, data = model.prepared(images())
    network = factory()
    assert data.pool_inputs.shape == (6, 3, 8, 8)
    assert network(torch.as_tensor(data.pool_inputs)).shape == (6, 2)
    assert layers(model, images())[-2:] == ["Dropout", "Linear"]
    assert layers(replace(model, dropout=0.0), images())[-2:] == ["Flatten", "Linear"]
    with pytest.raises(ValueError, match=r"'resnet' takes images .* shape \[6, 192\]"):
        model.prepared(datasets.flattened(images()))


def test_a_resnet_18_has_its_parameters() -> None:
    factory, _ = Model("resnet").prepared(images())
    # 11,173,962 of He et al. at 3 x 3 for ten classes; ours has two.
    assert sum(p.numel() for p in factory().parameters()) == 11_173_962 - 8 * 513


def test_a_projection_is_the_same_matrix_for_pool_and_test() -> None:
    data = images()
    narrow = datasets.projected(data, 500, seed=3)
    assert narrow.pool_inputs.shape == (6, 500)
    assert narrow.pool_inputs.dtype == np.float32
    assert narrow.image_shape is None
    np.testing.assert_array_equal(narrow.pool_inputs, narrow.test_inputs)
    lengths = [np.linalg.norm(d.pool_inputs.reshape(6, -1), axis=1) for d in (data, narrow)]
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=0.25)
    again = datasets.projected(data, 500, seed=3)
    np.testing.assert_array_equal(again.pool_inputs, narrow.pool_inputs)
    other = datasets.projected(data, 500, seed=4)
    assert not np.array_equal(other.pool_inputs, narrow.pool_inputs)


def test_a_projection_is_linear() -> None:
    data = images()
    twice = replace(data, pool_inputs=2 * data.pool_inputs)
    np.testing.assert_allclose(
        datasets.projected(twice, 7).pool_inputs,
        2 * datasets.projected(data, 7).pool_inputs,
        rtol=1e-6,
    )


def test_a_table_may_ask_for_a_projection() -> None:
    data = datasets.load({"reader": "digits", "projection": 5})
    assert data.pool_inputs.shape == (1198, 5)
    with pytest.raises(ValueError, match="projection must be at least 1, got 0"):
        datasets.load({"reader": "digits", "projection": 0})
    with pytest.raises(ValueError, match="projection must be an integer, got 'x'"):
        datasets.load({"reader": "digits", "projection": "x"})
