# SPDX-License-Identifier: Apache-2.0
"""Transitions to learn from, drawn uniformly or by their last error (PER)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.observation import ACTION_WIDTH, Float32, Observation
from fisher_select.options import as_count, as_real

__all__ = ["Batch", "Replay"]

_SMALLEST = 1e-3  # added to errors: what was learned exactly is still drawn now and then

Float64 = npt.NDArray[np.float64]
_ARRAYS = ("states", "taken", "rewards", "next_states", "next_actions", "open", "priorities")


@dataclass(frozen=True, eq=False)
class Batch:
    """b transitions.

    Attributes
    ----------
    places : int64 array [b]
        In the buffer, for `Replay.update`.
    importance : float32 array [b]
        Weights that undo the bias of the draw, the largest being 1.
    states, next_states : float32 array [b, S]
    taken : float32 array [b, N, 3]
        The actions of the step.
    rewards : float32 array [b]
    next_actions : float32 array [b, K, 3]
        Open after the step, the first `open` of each.
    open : int64 array [b]
        0 after the last step of an episode.
    """

    places: npt.NDArray[np.int64]
    importance: Float32
    states: Float32
    taken: Float32
    rewards: Float32
    next_states: Float32
    next_actions: Float32
    open: npt.NDArray[np.int64]


class Replay:
    """A ring of the latest transitions.

    A transition is drawn with probability ``p_i^alpha / sum p^alpha``, where p is its absolute
    TD error when it was last learned from, and that of a new one the largest so far; its
    importance is ``(n P_i)^-beta`` over the largest of the batch. ``alpha = 0`` is the uniform
    draw. Drawing costs O(n): a sum tree does not pay at some thousand transitions.

    Parameters
    ----------
    capacity : int
        Transitions kept.
    state_size, batch_size, actions : int
        S, N and K of the shapes in `Batch`.
    alpha : float
        From 0.

    References
    ----------
    Schaul, Quan, Antonoglou, Silver: Prioritized Experience Replay, ICLR 2016, section 3.
    """

    def __init__(
        self, capacity: int, *, state_size: int, batch_size: int, actions: int, alpha: float
    ) -> None:
        self._capacity = as_count("capacity", capacity)
        self._alpha = as_real("alpha", alpha, at_least=0)
        self._added = 0
        self.states = np.zeros((capacity, state_size), np.float32)
        self.taken = np.zeros((capacity, batch_size, ACTION_WIDTH), np.float32)
        self.rewards = np.zeros(capacity, np.float32)
        self.next_states = np.zeros((capacity, state_size), np.float32)
        self.next_actions = np.zeros((capacity, actions, ACTION_WIDTH), np.float32)
        self.open = np.zeros(capacity, np.int64)
        self.priorities = np.zeros(capacity)

    def __len__(self) -> int:
        return min(self._added, self._capacity)

    def add(
        self,
        before: Observation,
        positions: npt.NDArray[np.int64],
        reward: float,
        after: Observation,
        *,
        terminated: bool,
    ) -> None:
        """Keep the step that took `positions` of the actions open before it."""
        largest = self.priorities[: len(self)].max(initial=0.0) or 1.0
        place = self._added % self._capacity
        self.states[place] = before.state
        self.taken[place] = before.actions[positions]
        self.rewards[place] = reward
        self.next_states[place] = after.state
        count = 0 if terminated else len(after.actions)
        self.next_actions[place, :count] = after.actions[:count]
        self.open[place] = count
        self.priorities[place] = largest
        self._added += 1

    def probabilities(self) -> Float64:
        """How likely each transition is to be drawn [n]."""
        powers = self.priorities[: len(self)] ** self._alpha
        return np.asarray(powers / powers.sum())

    def sample(self, count: int, generator: np.random.Generator, *, beta: float) -> Batch:
        """Draw `count` transitions with replacement; ValueError where there are none."""
        if not len(self):
            raise ValueError("a replay buffer must hold a transition to be sampled, got none")
        chances = self.probabilities()
        places = generator.choice(len(chances), size=count, p=chances)
        importance = (len(chances) * chances[places]) ** -beta
        return Batch(
            places=places,
            importance=(importance / importance.max()).astype(np.float32),
            states=self.states[places],
            taken=self.taken[places],
            rewards=self.rewards[places],
            next_states=self.next_states[places],
            next_actions=self.next_actions[places],
            open=self.open[places],
        )

    def update(self, places: npt.NDArray[np.int64], errors: npt.NDArray[Any]) -> None:
        """Note the TD errors of a batch."""
        self.priorities[places] = np.abs(errors) + _SMALLEST

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint: the filled part of each array, and what was added."""
        arrays = {name: getattr(self, name)[: len(self)].copy() for name in _ARRAYS}
        return {"added": self._added, **arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` returned."""
        self._added = int(state["added"])
        for name in _ARRAYS:
            getattr(self, name)[: len(self)] = state[name]
