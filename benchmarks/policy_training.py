# SPDX-License-Identifier: Apache-2.0
"""Training a query strategy: five episodes of 20 labels, and the same with LAL-RL's distances.

Everything but the mean distances is one code for both sides: splits, classifier, Q network. The
rewards of all episodes must agree, or nothing is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from benchmarks.embedding import digit_embedding
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError, alternate
from benchmarks.record import Record, informative, seconds
from benchmarks.rivals.lal_rl_distances import Float64, Form, LalRlDistances


@dataclass(frozen=True)
class Size:
    """Rows to choose from with features of width d; episodes, labels of each, and pairs."""

    candidates: int
    d: int
    episodes: int
    labels: int
    rounds: int

    def __str__(self) -> str:
        return (
            f"{self.episodes} episodes of {self.labels} labels, {self.candidates:,} rows to "
            f"choose from, d = {self.d}"
        )


FULL = Size(2_000, 512, episodes=5, labels=20, rounds=1)
QUICK = Size(100, 64, episodes=3, labels=3, rounds=1)


class RivalDistances:
    """LAL-RL's distances in the place of `fisher_select.MeanDistances`."""

    form: Form = "kept"

    def __init__(
        self, X: npt.NDArray[Any], *, labeled: npt.NDArray[np.int64], backend: str
    ) -> None:
        del backend
        self._side = LalRlDistances(X, self.form)
        self._known = labeled
        self._n = len(X)
        self._measure()

    def label(self, rows: npt.NDArray[np.int64]) -> None:
        """These rows are labelled from now on."""
        self._known = np.concatenate([self._known, rows])
        self._measure()

    def _measure(self) -> None:
        unknown = np.setdiff1d(np.arange(self._n), self._known)
        near, far = self._side.means(self._known, unknown)
        self.to_labeled: Float64 = np.zeros(self._n)
        self.to_unlabeled: Float64 = np.zeros(self._n)
        self.to_labeled[unknown] = near
        # LAL-RL counts a row among the unlabelled rows that it is compared with.
        self.to_unlabeled[unknown] = far * len(unknown) / (len(unknown) - 1)


def training(settings: Settings) -> Record:
    """The factor of a whole training, the classifier's share of it included."""
    size = QUICK if settings.quick else FULL
    train = _training_of(size, settings)
    rewards: dict[str, list[float]] = {}

    def timed(side: str, run: Callable[[], list[float]]) -> float:
        start = time.perf_counter()
        rewards[side] = run()
        return time.perf_counter() - start

    def rival() -> float:
        place = "fisher_select.reinforcement_learning.environment.MeanDistances"
        with patch(place, RivalDistances):
            return timed("rival", train)

    def ours() -> float:
        return timed("ours", train)

    ours()  # what a process does once is in neither side
    pairs = alternate(rival, ours, rounds=size.rounds)
    if not np.allclose(rewards["ours"], rewards["rival"], rtol=0, atol=1e-12):
        raise AnswerError(f"rewards differ: {rewards}")
    figures = [
        informative(
            f"training a policy, {size}, against the same with LAL-RL's distances",
            pairs.speedup,
            detail=f"{seconds(pairs.median_rival)} to {seconds(pairs.median_ours)}, training "
            "of the classifiers included; rewards of all episodes equal",
        )
    ]
    note = (
        "LAL-RL's distances: one matrix of all an episode, out of which each step takes the "
        "rows and columns it wants; the paper's factor of 267 is between two whole programs"
    )
    raw = {"pairs": pairs.raw(), "rewards": rewards["ours"]}
    return Record("policy_training", asdict(size), figures, raw, [note])


def _training_of(size: Size, settings: Settings) -> Callable[[], list[float]]:
    """A function that trains a policy and returns the episodes' rewards."""
    from fisher_select.policy import View
    from fisher_select.reinforcement_learning import (
        Environment,
        Episode,
        Learning,
        train_policy,
    )
    from fisher_select.training import TorchTrainer, mlp

    rows = 3 * size.candidates
    if settings.quick:  # no training of an embedding for a smoke test
        draw = np.random.default_rng(0)
        labels = np.arange(rows) % 10
        features = draw.standard_normal((rows, size.d), dtype=np.float32) + labels[:, None] / 5
    else:
        embedding = digit_embedding(60_000, size.d)
        features = embedding.features[:rows]
        labels = embedding.probabilities[:rows].argmax(axis=1)
    environment = Environment(
        features.astype(np.float32),
        labels,
        classes=10,
        model_factory=lambda: mlp(inputs=size.d, hidden=(), classes=10),
        trainer=TorchTrainer(epochs=20, learning_rate=0.03, threads=1),
        episode=Episode(budget=size.labels, candidates=size.candidates),
        view=View(score="margin"),
        backend=settings.backend,
    )
    learning = Learning(warm_start=1, episodes=size.episodes - 1, settled=0.0)

    def train() -> list[float]:
        return list(train_policy(environment, learning, seed=0).metadata["rewards"])

    return train
