# SPDX-License-Identifier: Apache-2.0
"""Which rows a run starts from, how long it goes on, and the seed of each of its draws."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fisher_select.initial import initial_rows
from fisher_select.options import as_count, as_seed
from fisher_select.select import random

__all__ = ["Schedule", "Stream"]


class Stream(IntEnum):
    """What a seed is for: one number given by the user, independent draws for each use."""

    INITIAL = 0
    TRAIN = 1
    SELECT = 2
    EVALUATION = 3
    DROPOUT = 4


@dataclass(frozen=True, eq=False)
class Schedule:
    """The plan of one run.

    Attributes
    ----------
    initial : int64 array
        Rows labelled at the start, sorted.
    evaluation : int64 array
        Rows labelled at the start and set apart, sorted; may be empty.
    candidates : int64 array
        All rows but those of `evaluation`, sorted.
    batch_size, rounds : int
        Labels bought after a round, and how often.
    seed : int
    """

    initial: NDArray[np.int64]
    evaluation: NDArray[np.int64]
    candidates: NDArray[np.int64]
    batch_size: int
    rounds: int
    seed: int

    @classmethod
    def plan(
        cls,
        n: int,
        *,
        batch_size: int,
        rounds: int | None,
        initial: int | ArrayLike | None,
        evaluation: int,
        seed: int,
        strata: NDArray[np.int64] | None = None,
    ) -> Schedule:
        """Check the arguments of `ActiveLearner` against a pool of n rows, and draw rows.

        `strata` [n] are the classes to draw the initial rows by; None draws at random.

        Raises
        ------
        TypeError, ValueError
            An argument out of range; the message names it.
        """
        batch = as_count("batch_size", batch_size)
        as_seed(seed)
        start = initial_rows(
            n,
            batch if initial is None else initial,
            seed=_derived(seed, Stream.INITIAL),
            strata=strata,
        )
        apart = _evaluation_rows(n, start, evaluation, seed)
        return cls(
            initial=start,
            evaluation=apart,
            candidates=np.setdiff1d(np.arange(n), apart),
            batch_size=batch,
            rounds=_count_rounds(n - len(start) - len(apart), batch, rounds),
            seed=int(seed),
        )

    def as_dict(self) -> dict[str, Any]:
        """All that decides the plan, for JSON."""
        return {
            "batch_size": self.batch_size,
            "rounds": self.rounds,
            "initial": self.initial.tolist(),
            "evaluation": self.evaluation.tolist(),
            "seed": self.seed,
        }

    def seed_of(self, stream: Stream, number: int = 0) -> int:
        """The seed of a use in a round."""
        return _derived(self.seed, stream, number)


def _derived(seed: int, stream: Stream, number: int = 0) -> int:
    return int(np.random.SeedSequence([seed, stream, number]).generate_state(1)[0])


def _evaluation_rows(
    n: int, initial: NDArray[np.int64], evaluation: int, seed: int
) -> NDArray[np.int64]:
    """Draw rows that are not among the initial ones; sorted."""
    if evaluation == 0:
        return np.empty(0, dtype=np.int64)
    count, free = as_count("evaluation", evaluation), n - len(initial)
    if count > free:
        raise ValueError(
            f"evaluation must be at most {free}, the unlabelled rows at the start, got {count}"
        )
    derived = _derived(seed, Stream.EVALUATION)
    return np.sort(random(n, labeled=initial, batch_size=count, seed=derived).indices)


def _count_rounds(free: int, batch_size: int, rounds: int | None) -> int:
    """Check that there are rows for so many batches; None is as many as there are."""
    possible = free // batch_size
    if rounds is None:
        return possible
    if as_count("rounds", rounds) > possible:
        raise ValueError(
            f"rounds must be at most {possible}, got {rounds}: {free} rows are unlabelled "
            f"at the start and each round takes {batch_size}"
        )
    return rounds
