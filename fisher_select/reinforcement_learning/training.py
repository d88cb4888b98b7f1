# SPDX-License-Identifier: Apache-2.0
"""Training a policy: episodes with random actions, then with the agent's, learning after each.

After each episode everything is in a checkpoint; a killed training, started again, ends in the
same policy to the last bit as one that was not (on a CPU).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fisher_select import files
from fisher_select.errors import first_line
from fisher_select.observation import Observation
from fisher_select.options import as_seed
from fisher_select.policy import CORRUPT, Policy, View
from fisher_select.reinforcement_learning.agent import Agent
from fisher_select.reinforcement_learning.episode import Episode
from fisher_select.reinforcement_learning.learning import Learning
from fisher_select.reinforcement_learning.replay import Replay

__all__ = ["EpisodeCallback", "Learnable", "train_policy"]

EpisodeCallback: TypeAlias = Callable[[int, int, float], object]
"""Called as callback(done, most, reward) after each episode, those of the warm start among
them; `reward` is the sum of the episode's."""


class Learnable(Protocol):
    """What `train_policy` asks of an environment; `Environment` is one."""

    view: View
    episode: Episode

    def reset(self, *, seed: int | None = None) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; the seed fixes all of it."""
        ...

    def step(
        self, action: npt.NDArray[np.int64]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take the actions at these positions."""
        ...


class _Use(IntEnum):
    """What a draw is for: one seed given by the user, independent draws for each use."""

    WEIGHTS = 0
    EPISODE = 1
    ACTIONS = 2
    REPLAY = 3


def train_policy(
    environment: Learnable,
    learning: Learning | None = None,
    *,
    seed: int = 0,
    start: Policy | None = None,
    checkpoint: str | Path | None = None,
    on_episode: EpisodeCallback | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Policy:
    """Learn which rows to label from episodes of an environment.

    Parameters
    ----------
    environment : Learnable
        Such as `Environment`.
    learning : Learning or None
        None takes the defaults.
    seed : int
        Everything random follows from it. The same seed gives the same policy, to the last bit
        on a CPU; torch is held to one thread meanwhile, where sums have one order.
    start : Policy or None
        Go on from a policy, such as one of another data set, instead of random weights.
    checkpoint : path or None
        File to write after each episode, and to go on from where it is there. It stays at the
        end: training again returns the same policy at once.
    on_episode : callable or None
    metadata : mapping or None
        Kept with the policy and compared with that of the checkpoint: what the data are.

    Returns
    -------
    Policy
        ``metadata["rewards"]`` holds the sum of rewards of each episode, ``["episodes"]`` their
        number and ``["settled"]`` whether they ended because the mean reward had settled.

    Raises
    ------
    TypeError, ValueError
        Bad input, or a checkpoint that is damaged or of another training.
    OSError
        The checkpoint cannot be written.
    """
    options = Learning() if learning is None else learning
    if as_seed(seed) is None:
        raise ValueError("seed must be an integer, got None")
    described = {
        "seed": int(seed),
        "view": asdict(environment.view),
        "episode": asdict(environment.episode),
        "learning": asdict(options),
        "start": None if start is None else start.digest,
        **(metadata or {}),
    }
    made = json.loads(json.dumps(described, allow_nan=False))  # as a checkpoint gives it back
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        training = _Training(environment, options, seed, start, made)
        if checkpoint is not None:
            training.resume(Path(checkpoint))
        while not training.finished():
            training.play()
            if checkpoint is not None:
                training.save(Path(checkpoint))
            if on_episode is not None:
                most = options.warm_start + options.episodes
                on_episode(len(training.rewards), most, training.rewards[-1])
    finally:
        torch.set_num_threads(before)
    return training.policy()


class _Training:
    """Agent, replay buffer and the rewards so far; draws depend on seed and episode alone."""

    def __init__(
        self,
        environment: Learnable,
        options: Learning,
        seed: int,
        start: Policy | None,
        made: Mapping[str, Any],
    ) -> None:
        sizes = environment.episode
        self._environment, self._options = environment, options
        self._seed, self._made = seed, made
        self.rewards: list[float] = []
        self._agent = Agent(
            environment.view,
            sizes.batch_size,
            options,
            seed=self._seed_of(_Use.WEIGHTS, 0),
            start=start,
        )
        self._replay = Replay(
            options.capacity,
            state_size=environment.view.state_size,
            batch_size=sizes.batch_size,
            actions=sizes.candidates - sizes.initial,
            alpha=options.alpha,
        )

    def finished(self) -> bool:
        """Whether there were as many episodes as asked for, or their reward has settled."""
        done = len(self.rewards) - self._options.warm_start
        return done >= self._options.episodes or self._settled()

    def play(self) -> None:
        """One episode, and what is learned after it."""
        number, options = len(self.rewards), self._options
        after_warm_start = number - options.warm_start
        epsilon = 1.0 if after_warm_start < 0 else options.epsilon(after_warm_start)
        actions = np.random.default_rng(self._seed_of(_Use.ACTIONS, number))
        seen, _ = self._environment.reset(seed=self._seed_of(_Use.EPISODE, number))
        total, terminated = 0.0, False
        while not terminated:
            chosen = self._agent.act(seen, epsilon=epsilon, generator=actions)
            following, reward, terminated, _, _ = self._environment.step(chosen)
            self._replay.add(seen, chosen, reward, following, terminated=terminated)
            seen = following
            total += reward
        self.rewards.append(float(total))
        if after_warm_start == -1:
            self._learn(options.updates * options.warm_start)
        elif after_warm_start >= 0:
            self._learn(options.updates)

    def policy(self) -> Policy:
        """What was learned, and how."""
        return self._agent.policy(
            {
                **self._made,
                "episodes": len(self.rewards),
                "settled": self._settled(),
                "rewards": self.rewards,
            }
        )

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        replay = {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in self._replay.state().items()
        }
        value = {
            "made": json.dumps(self._made),
            "rewards": torch.tensor(self.rewards, dtype=torch.float64),
            "agent": self._agent.state(),
            "replay": replay,
        }
        files.check_writable(path)
        with files.replacing(path) as temporary:
            torch.save(value, temporary)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, where there is one."""
        if not path.exists():
            return
        try:
            value = torch.load(path, map_location="cpu", weights_only=True)
            made = json.loads(value["made"])
            if made == self._made:
                self.rewards = value["rewards"].tolist()
                self._agent.restore(value["agent"])
                self._replay.restore(value["replay"])
                return
        except (*CORRUPT, TypeError) as error:
            reason = first_line(error)
            raise ValueError(f"{path}: not a complete checkpoint ({reason})") from None
        differing = [key for key in self._made if made.get(key) != self._made[key]]
        raise ValueError(
            f"{path} is the checkpoint of another training (other {', '.join(differing)}); "
            "delete it or choose another"
        )

    def _learn(self, updates: int) -> None:
        options, played = self._options, len(self.rewards)
        generator = np.random.default_rng(self._seed_of(_Use.REPLAY, played))
        share = (played - options.warm_start) / options.episodes
        beta = options.beta + (1.0 - options.beta) * share
        for _ in range(updates):
            batch = self._replay.sample(options.minibatch, generator, beta=beta)
            self._replay.update(batch.places, self._agent.update(batch))

    def _settled(self) -> bool:
        options = self._options
        own = self.rewards[options.warm_start :]
        if len(own) < options.epsilon_episodes + 2 * options.window:
            return False
        last, previous = own[-options.window :], own[-2 * options.window : -options.window]
        return bool(abs(np.mean(last) - np.mean(previous)) < options.settled)

    def _seed_of(self, use: _Use, number: int) -> int:
        return int(np.random.SeedSequence([self._seed, use, number]).generate_state(1)[0])
