# SPDX-License-Identifier: Apache-2.0
"""The agent: a deep Q network whose action is a set of N rows, learned as a double DQN.

The value of a set is the mean of its actions' values, so that the best set is that of the N
largest values: neither choosing nor learning ever enumerates sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fisher_select.observation import ACTION_WIDTH, Observation
from fisher_select.policy import Policy, View
from fisher_select.reinforcement_learning.learning import Learning
from fisher_select.reinforcement_learning.replay import Batch

__all__ = ["Agent", "td_targets"]


def td_targets(
    rewards: torch.Tensor,
    online: torch.Tensor,
    target: torch.Tensor,
    open_: torch.Tensor,
    *,
    batch_size: int,
    gamma: float,
) -> torch.Tensor:
    """What the value of each step's set of actions should be (equation 4).

    ``r + gamma * mean of Q_target over A``, where A are the N actions with the largest online
    values, ties to the lowest; r alone after the last step of an episode. With N = 1 this is
    the double DQN's target (van Hasselt, Guez, Silver 2016).

    Parameters
    ----------
    rewards : tensor [b]
    online, target : tensor [b, K]
        Values of the actions in the next state by the two networks.
    open_ : tensor [b]
        How many of the K there are, at least N; 0: the episode has ended.
    batch_size : int
        N.
    gamma : float
    """
    absent = torch.arange(online.shape[1]) >= open_[:, None]
    ordered = torch.argsort(
        online.masked_fill(absent, -torch.inf), dim=1, descending=True, stable=True
    )
    best = target.gather(1, ordered[:, :batch_size]).mean(dim=1)
    return rewards + gamma * torch.where(open_ > 0, best, 0.0)


class Agent:
    """Q network, target network and optimizer.

    Parameters
    ----------
    view : View
        Gives the width of a state.
    batch_size : int
        N, the actions of a step.
    learning : Learning
    seed : int
        Of the initial weights.
    start : Policy or None
        Weights to begin with instead, such as those learned on another data set.

    Raises
    ------
    ValueError
        A `start` of another view or other layers.
    """

    def __init__(
        self,
        view: View,
        batch_size: int,
        learning: Learning,
        *,
        seed: int,
        start: Policy | None,
    ) -> None:
        self.view, self._count, self._learning = view, batch_size, learning
        widths = [view.state_size + ACTION_WIDTH, *learning.hidden, 1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.online, self._target = _network(widths), _network(widths)
        if start is not None:
            _set_weights(self.online, start, view)
        self._target.load_state_dict(self.online.state_dict())
        self._adam = torch.optim.Adam(self.online.parameters(), lr=learning.learning_rate)
        self._updates = 0

    def act(
        self, observation: Observation, *, epsilon: float, generator: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """Positions of N actions: each a random one with probability epsilon, else the best."""
        order = np.argsort(-self.policy().q_values(observation), kind="stable")
        greedy = order[: self._count - generator.binomial(self._count, epsilon)]
        others = generator.permutation(np.setdiff1d(order, greedy))
        return np.concatenate([greedy, others[: self._count - len(greedy)]])

    def update(self, batch: Batch) -> npt.NDArray[np.float32]:
        """Take a step on the weighted squared TD errors; return the errors [b]."""
        taken = _values(self.online, batch.states, batch.taken).mean(dim=1)
        with torch.no_grad():
            wanted = td_targets(
                torch.from_numpy(batch.rewards),
                _values(self.online, batch.next_states, batch.next_actions),
                _values(self._target, batch.next_states, batch.next_actions),
                torch.from_numpy(batch.open),
                batch_size=self._count,
                gamma=self._learning.gamma,
            )
        errors = taken - wanted
        loss = (torch.from_numpy(batch.importance) * errors**2).mean()
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        self._updates += 1
        if self._updates % self._learning.target_every == 0:
            self._target.load_state_dict(self.online.state_dict())
        return np.asarray(errors.detach().numpy())

    def policy(self, metadata: Mapping[str, Any] | None = None) -> Policy:
        """What was learned so far."""
        layers = [layer for layer in self.online if isinstance(layer, nn.Linear)]
        return Policy(
            tuple(layer.weight.detach().numpy().copy() for layer in layers),
            tuple(layer.bias.detach().numpy().copy() for layer in layers),
            self.view,
            metadata or {},
        )

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {
            "online": self.online.state_dict(),
            "target": self._target.state_dict(),
            "adam": self._adam.state_dict(),
            "updates": self._updates,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` returned."""
        self.online.load_state_dict(state["online"])
        self._target.load_state_dict(state["target"])
        self._adam.load_state_dict(state["adam"])
        self._updates = int(state["updates"])


def _network(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for into, out in pairwise(widths):
        layers += [nn.Linear(into, out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _set_weights(network: nn.Sequential, start: Policy, view: View) -> None:
    """Copy a policy's weights into a network of the same layers."""
    if start.view != view:
        raise ValueError(f"start must be a policy of {view}, got one of {start.view}")
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    wanted = [list(layer.weight.shape) for layer in layers]
    found = [list(weight.shape) for weight in start.weights]
    if found != wanted:
        raise ValueError(f"start must have layers of shapes {wanted}, got {found}")
    with torch.no_grad():
        for layer, weight, bias in zip(layers, start.weights, start.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))


def _values(
    network: nn.Sequential, states: npt.NDArray[Any], actions: npt.NDArray[Any]
) -> torch.Tensor:
    """Q of actions [b, k, 3] in states [b, S], as [b, k]."""
    s, a = torch.from_numpy(states), torch.from_numpy(actions)
    repeated = s[:, None, :].expand(-1, a.shape[1], -1)
    values: torch.Tensor = network(torch.cat([repeated, a], dim=2)).squeeze(2)
    return values
