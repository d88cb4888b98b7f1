# SPDX-License-Identifier: Apache-2.0
"""Replay buffers: what is kept, how often it is drawn, and the weights that undo the bias."""

from __future__ import annotations

import numpy as np
import pytest

from fisher_select.observation import Observation
from fisher_select.reinforcement_learning.replay import Replay


def seen(number: int, count: int = 4) -> Observation:
    """Recognisable by its values."""
    return Observation(
        np.full(2, number, np.float32), np.full((count, 3), 10 * number, np.float32)
    )


def filled(added: int, *, capacity: int = 8, alpha: float = 1.0) -> Replay:
    replay = Replay(capacity, state_size=2, batch_size=2, actions=4, alpha=alpha)
    for i in range(added):
        replay.add(seen(i), np.array([0, 2]), i, seen(i + 1, 3), terminated=i % 3 == 2)
    return replay


def test_the_latest_transitions_are_kept() -> None:
    replay = filled(11)
    assert len(replay) == 8
    assert sorted(replay.rewards.tolist()) == list(range(3, 11))
    batch = replay.sample(200, np.random.default_rng(0), beta=1.0)
    np.testing.assert_array_equal(batch.states[:, 0], batch.rewards)
    np.testing.assert_array_equal(
        batch.taken, 10 * batch.rewards[:, None, None] + np.zeros((2, 3))
    )
    np.testing.assert_array_equal(batch.next_states[:, 1], batch.rewards + 1)
    ended = batch.rewards % 3 == 2
    np.testing.assert_array_equal(batch.open, np.where(ended, 0, 3))
    assert np.all(batch.next_actions[~ended, :3, 0] == 10 * (batch.rewards[~ended, None] + 1))


def test_alpha_zero_is_uniform_with_equal_weights() -> None:
    replay = filled(5, alpha=0.0)
    replay.update(np.arange(5), np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
    np.testing.assert_allclose(replay.probabilities(), 0.2)
    batch = replay.sample(64, np.random.default_rng(0), beta=0.7)
    np.testing.assert_array_equal(batch.importance, 1.0)


@pytest.mark.parametrize("alpha", [0.6, 1.0])
def test_draws_and_weights_follow_the_errors(alpha: float) -> None:
    replay = filled(4, alpha=alpha)
    errors = np.array([0.1, -0.4, 0.0, 1.2])
    replay.update(np.arange(4), errors)
    powers = (np.abs(errors) + 1e-3) ** alpha
    expected = powers / powers.sum()
    np.testing.assert_allclose(replay.probabilities(), expected, rtol=1e-12)
    batch = replay.sample(40_000, np.random.default_rng(0), beta=0.5)
    drawn = np.bincount(batch.places, minlength=4) / 40_000
    np.testing.assert_allclose(drawn, expected, atol=0.01)
    weights = (4 * expected) ** -0.5
    largest = weights[np.unique(batch.places)].max()
    np.testing.assert_allclose(batch.importance, weights[batch.places] / largest, rtol=1e-6)


def test_a_new_transition_has_the_largest_priority() -> None:
    replay = filled(3)
    replay.update(np.arange(3), np.array([0.5, 7.0, 1.0]))
    replay.add(seen(9), np.array([1, 3]), 9.0, seen(9), terminated=True)
    assert replay.probabilities()[3] == replay.probabilities()[1]


def test_a_state_brings_everything_back() -> None:
    replay = filled(11)
    replay.update(np.array([0, 3]), np.array([2.0, 5.0]))
    copy = Replay(8, state_size=2, batch_size=2, actions=4, alpha=1.0)
    copy.restore(replay.state())
    for each in (replay, copy):
        each.add(seen(20), np.array([0, 1]), 20.0, seen(21), terminated=False)
    first, second = (r.sample(50, np.random.default_rng(1), beta=0.4) for r in (replay, copy))
    for name, value in vars(first).items():
        np.testing.assert_array_equal(value, getattr(second, name))


def test_an_empty_buffer_has_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="must hold a transition to be sampled, got none"):
        filled(0).sample(1, np.random.default_rng(0), beta=1.0)
