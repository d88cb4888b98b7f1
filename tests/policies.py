# SPDX-License-Identifier: Apache-2.0
"""Small environments and a toy with a known optimum, for the tests of learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from toys import Centroids, blobs

from fisher_select.observation import Observation
from fisher_select.policy import View
from fisher_select.reinforcement_learning.environment import Environment
from fisher_select.reinforcement_learning.episode import Episode
from fisher_select.reinforcement_learning.learning import Learning

QUICK = Learning(
    hidden=(8,), episodes=3, warm_start=2, updates=4, minibatch=4, target_every=3, capacity=12
)


def environment(view: View | None = None, **changes: Any) -> Environment:
    """Three blobs in the plane and a classifier of class means, whose latent space is fixed."""
    sizes: dict[str, Any] = {
        "batch_size": 2, "budget": 6, "initial": 4, "candidates": 16, "state_rows": 7,
    }  # fmt: skip
    data = blobs(60)
    return Environment(
        data.pool_inputs,
        data.pool_labels,
        classes=3,
        model_factory=lambda: np.zeros((3, 2)),
        trainer=Centroids(),
        episode=Episode(**(sizes | changes)),
        view=View(state_size=5) if view is None else view,
        backend="reference",
    )


@dataclass
class Detour:
    """Two steps. In the first, actions with a flag pay nothing and open a door, the others pay
    0.2; in the second an action pays its score where the door is open, else 0.3 of it.

    The best is the detour: with at least one open door the second step pays more than the first
    one's 0.2 is worth. Of N actions all need the flag. Half of the 8 actions have it.
    """

    batch_size: int = 1
    view: View = field(default_factory=lambda: View(state_size=2))

    def __post_init__(self) -> None:
        n = self.batch_size
        self.episode = Episode(n, 2 * n, initial=1, candidates=9)

    def reset(self, *, seed: int | None = None) -> tuple[Observation, dict[str, Any]]:
        self._draw = np.random.default_rng(seed)
        self._step, self.door = 0, 0.0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        chosen = self._actions[action]
        if self._step == 0:
            self.door = float(chosen[:, 1].all())
            reward = 0.0 if self.door else 0.2
        else:
            reward = float(chosen[:, 0].mean()) * (1.0 if self.door else 0.3)
        self._step += 1
        return self._seen(), reward, self._step == 2, False, {}

    def best(self) -> float:
        """What the episode can pay, asked in its second step with an open door."""
        return float(np.sort(self._actions[:, 0])[-self.batch_size :].mean())

    def _seen(self) -> Observation:
        scores, flags = self._draw.random(8), self._draw.permutation(8) < 4
        self._actions = np.stack([scores, flags, np.ones(8)], axis=1).astype(np.float32)
        return Observation(np.array([self._step, self.door], np.float32), self._actions)
