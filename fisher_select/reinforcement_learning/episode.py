# SPDX-License-Identifier: Apache-2.0
"""The sizes of an episode, and LAL-RL as a configuration."""

from __future__ import annotations

from dataclasses import dataclass

from fisher_select.options import as_count, as_real, one_of
from fisher_select.policy import View

__all__ = ["REWARDS", "Episode", "lal_rl"]

REWARDS = ("accuracy", "macro_auc")


@dataclass(frozen=True)
class Episode:
    """Table ``[episode]``: how an episode goes.

    Attributes
    ----------
    batch_size : int
        Rows labelled at a step, N.
    budget : int
        Rows labelled in an episode, a multiple of N; the step that spends it is the last.
    initial : int
        Rows labelled at the start.
    one_each : bool
        Whether one of each class is among them, as far as they go; the rest, or all, are drawn
        at random, as the loop draws them.
    candidates : int
        Rows of ``D_T``, the initial ones among them.
    state_rows : int
        Rows of ``D_s``, whose labels are not used.
    reward_share : float
        Share of all rows that is ``D_R``, stratified by class.
    reward : {"accuracy", "macro_auc"}
        Whose change on ``D_R`` is the reward.

    Raises
    ------
    TypeError, ValueError
        A value out of range; the message names it.
    """

    batch_size: int = 1
    budget: int = 10
    initial: int = 10
    one_each: bool = True
    candidates: int = 100
    state_rows: int = 30
    reward_share: float = 0.5
    reward: str = "accuracy"

    def __post_init__(self) -> None:
        for name in ("batch_size", "budget", "initial", "candidates", "state_rows"):
            as_count(name, getattr(self, name))
        if self.budget % self.batch_size:
            raise ValueError(
                f"budget must be a multiple of batch_size {self.batch_size}, got {self.budget}"
            )
        if self.initial + self.budget >= self.candidates:
            least = self.initial + self.budget
            raise ValueError(
                f"candidates must be more than initial + budget = {least}, got "
                f"{self.candidates}"
            )
        if not as_real("reward_share", self.reward_share, above=0) < 1:
            raise ValueError(f"reward_share must be less than 1, got {self.reward_share}")
        one_of("reward", self.reward, REWARDS)


def lal_rl(classes: int, state_size: int = 30) -> View:
    """The view of LAL-RL, whose episodes have ``batch_size=1``: distances between the inputs.

    Its score is the binary one of two classes; with more it has none, and the confidence, which
    grows with it from 1/2 on, stands for it.
    """
    return View("positive" if classes == 2 else "confidence", "data", state_size)
