# SPDX-License-Identifier: Apache-2.0
"""How the agent learns: the numbers of a training, free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from fisher_select.options import as_count, as_real

__all__ = ["Learning"]


@dataclass(frozen=True)
class Learning:
    """Table ``[learning]``: how the agent learns.

    Attributes
    ----------
    hidden : tuple of int
        Widths of the Q network's hidden layers.
    learning_rate : float
        Of Adam.
    gamma : float
        Discount of later rewards, at most 1.
    minibatch : int
        Transitions an update.
    updates : int
        Updates for each episode: after it, or after the warm start for all of that.
    target_every : int
        Updates between two copies of the Q network to the target network.
    warm_start : int
        Episodes of random actions at the beginning.
    episodes : int
        Episodes after them, at most.
    epsilon_start, epsilon_end : float
        Share of random actions in the first episode after the warm start, and from the
        `epsilon_episodes`-th on; linear in between.
    epsilon_episodes : int
    capacity : int
        Transitions the replay buffer keeps.
    alpha : float
        Exponent of the priorities; 0 replays uniformly.
    beta : float
        Exponent of the importance at the beginning; it rises to 1 linearly in `episodes`.
    settled : float
        Stop when the mean reward of the last `window` episodes differs from that of the
        `window` before by less than this; 0 never does. Not while epsilon still falls.
    window : int

    Raises
    ------
    TypeError, ValueError
        A value out of range; the message names it.
    """

    hidden: tuple[int, ...] = (128, 128, 128)
    learning_rate: float = 1e-4
    gamma: float = 0.99
    minibatch: int = 32
    updates: int = 20
    target_every: int = 100
    warm_start: int = 16
    episodes: int = 100
    epsilon_start: float = 1.0
    epsilon_end: float = 0.1
    epsilon_episodes: int = 50
    capacity: int = 10_000
    alpha: float = 0.6
    beta: float = 0.4
    settled: float = 0.005
    window: int = 20

    def __post_init__(self) -> None:
        counts = ("minibatch", "updates", "target_every", "warm_start", "episodes",
                  "epsilon_episodes", "capacity", "window")  # fmt: skip
        for name in counts:
            as_count(name, getattr(self, name))
        for width in self.hidden:
            as_count("each of hidden", width)
        as_real("learning_rate", self.learning_rate, above=0)
        for name in ("gamma", "epsilon_start", "epsilon_end", "beta"):
            if as_real(name, getattr(self, name), at_least=0) > 1:
                raise ValueError(f"{name} must be at most 1, got {getattr(self, name)}")
        for name in ("alpha", "settled"):
            as_real(name, getattr(self, name), at_least=0)

    def epsilon(self, episode: int) -> float:
        """Share of random actions in an episode, counted from 0 after the warm start."""
        share = min(episode / self.epsilon_episodes, 1.0)
        return self.epsilon_start + share * (self.epsilon_end - self.epsilon_start)
