# SPDX-License-Identifier: Apache-2.0
"""The registry of strategies, and the random baseline."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from problems import arguments

import fisher_select as fs
from fisher_select import strategies


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names registered in the test are forgotten after it."""
    monkeypatch.setattr(strategies, "_REGISTRY", dict(strategies._REGISTRY))
    return


@pytest.mark.parametrize("name", strategies.names())
def test_fields_are_the_keywords_of_the_function_with_its_defaults(name: str) -> None:
    strategy = strategies.get(name)
    parameters = inspect.signature(getattr(fs, strategy.name)).parameters
    of_the_call = {"X", "P", "pool", "labeled", "batch_size", *strategy.takes}
    keywords = {k: p.default for k, p in parameters.items() if k not in of_the_call}
    assert type(strategy)().options() == keywords  # a preset differs in values alone
    assert set(strategy.needs) <= set(strategy.takes)
    assert name.startswith(strategy.name) or name in strategy.options().values()


def test_strategies_are_frozen_values() -> None:
    bait = strategies.get("bait", lam=0.5)
    assert bait == strategies.Bait(lam=0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        bait.lam = 1.0  # type: ignore[attr-defined,misc]


def test_bait_needs_no_probabilities_for_regression() -> None:
    assert strategies.get("bait").needs == ("features", "probabilities")
    assert strategies.get("bait", likelihood="gaussian").needs == ("features",)


def test_an_array_a_strategy_does_not_take_is_named() -> None:
    with pytest.raises(TypeError, match=r"^strategy 'bait' takes no array 'logits', only feat"):
        strategies.get("bait").select(batch_size=1, logits=np.ones((3, 2)))


@pytest.mark.usefixtures("registry")
def test_a_preset_is_one_more_name() -> None:
    strategies.register("bait_single", strategies.Bait(oversample=1.0))
    assert "bait_single" in strategies.names()
    call = arguments("softmax", 30, 3, 3)
    picks = fs.select(
        "bait_single",
        features=call["X"],
        probabilities=call["P"],
        batch_size=4,
        backend="reference",
    )
    np.testing.assert_array_equal(picks.indices, picks.forward_indices)
    with pytest.raises(ValueError, match=r"^strategy name 'bait' is taken by Bait\("):
        strategies.register("bait", strategies.Random())


# ------------------------------------------------------------------------------- random
def test_random_is_uniform_reproducible_and_without_replacement() -> None:
    picks = fs.random(1000, labeled=np.arange(500), batch_size=200, seed=7)
    assert len(set(picks.indices.tolist())) == 200
    assert picks.indices.dtype == np.int64
    assert picks.indices.min() >= 500
    assert np.all(np.diff(picks.scores) <= 0)
    again = fs.random(1000, labeled=np.arange(500), batch_size=200, seed=7)
    np.testing.assert_array_equal(again.indices, picks.indices)
    other = fs.random(1000, labeled=np.arange(500), batch_size=200, seed=8)
    assert not np.array_equal(other.indices, picks.indices)

    counts = np.zeros(10)
    for seed in range(2000):
        counts[fs.random(10, batch_size=3, seed=seed).indices] += 1
    np.testing.assert_allclose(counts / 2000, 0.3, atol=0.05)


def test_random_picks_are_pinned() -> None:
    """The stream is a promise: the same picks on every platform and NumPy version."""
    assert fs.random(100, batch_size=5, seed=0).indices.tolist() == [64, 62, 47, 4, 12]


def test_a_larger_batch_extends_a_smaller_one() -> None:
    few, many = (fs.random(50, batch_size=b, seed=3).indices for b in (10, 30))
    np.testing.assert_array_equal(many[:10], few)


def test_labelling_the_picks_goes_on_with_the_same_order() -> None:
    whole = fs.random(50, batch_size=30, seed=3).indices
    rest = fs.random(50, labeled=whole[:10], batch_size=20, seed=3).indices
    np.testing.assert_array_equal(rest, whole[10:])


def test_random_reads_only_the_length() -> None:
    expected = fs.random(40, batch_size=5).indices
    on_no_device = torch.empty(40, 3, device="meta")
    np.testing.assert_array_equal(fs.random(on_no_device, batch_size=5).indices, expected)
    by_name = fs.select(
        "random", features=np.ones((40, 2)), probabilities=on_no_device, batch_size=5
    )
    np.testing.assert_array_equal(by_name.indices, expected)


def test_seed_none_is_fresh() -> None:
    a, b = (fs.random(10_000, batch_size=50, seed=None).indices for _ in range(2))
    assert not np.array_equal(a, b)
