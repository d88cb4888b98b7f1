# SPDX-License-Identifier: Apache-2.0
"""A data set, a trainer and a policy of NumPy alone, for tests of the loop and of policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fisher_select.datasets import Dataset
from fisher_select.loop import ActiveLearner
from fisher_select.policy import Policy, View
from fisher_select.strategies import Bait
from fisher_select.trainer import Outputs


def blobs(n: int = 40) -> Dataset:
    """Three round clusters in the plane; the test set is drawn like the pool."""
    generator = np.random.default_rng(0)
    labels = np.arange(2 * n) % 3
    centres = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    inputs = centres[labels] + generator.standard_normal((2 * n, 2))
    return Dataset("blobs", inputs[:n], labels[:n], inputs[n:], labels[n:], classes=3)


@dataclass
class Centroids:
    """Nearest class mean; the model is the array of means [C, d]. Keeps what it was given."""

    seen: list[tuple[np.ndarray, np.ndarray, int]] = field(default_factory=list)

    def train(
        self,
        model_factory: Any,
        inputs: Any,
        labels: Any,
        *,
        task: str,
        seed: int,
        previous: Any = None,  # noqa: ARG002
    ) -> Any:
        assert task == "multi_class"
        self.seen.append((inputs, labels, seed))
        means = model_factory()
        for label in np.unique(labels):
            means[label] = inputs[labels == label].mean(axis=0)
        return means

    def outputs(self, model: Any, inputs: Any, *, task: str) -> Outputs:
        assert task == "multi_class"
        scores = -((inputs[:, None, :] - model) ** 2).sum(axis=2)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        features = np.hstack([inputs, np.ones((len(inputs), 1))])
        return Outputs(features, weights / weights.sum(axis=1, keepdims=True))

    def save(self, model: Any, path: Path) -> None:
        with path.open("wb") as stream:
            np.save(stream, model)

    def load(self, model_factory: Any, path: Path) -> Any:  # noqa: ARG002
        return np.load(path)

    def describe(self, model_factory: Any) -> dict[str, object]:
        return {"model": str(model_factory().shape)}


def policy(seed: int = 0, view: View | None = None, hidden: int = 8) -> Policy:
    """Random weights."""
    shown = View(state_size=5) if view is None else view
    draw = np.random.default_rng(seed)
    widths = [shown.state_size + 3, hidden, hidden, 1]
    weights = [draw.standard_normal((b, a)) for a, b in pairwise(widths)]
    return Policy(
        tuple(w.astype(np.float32) for w in weights),
        tuple(draw.standard_normal(len(w)).astype(np.float32) for w in weights),
        shown,
        {"seed": seed},
    )


def learner(data: Dataset | None = None, **changes: Any) -> ActiveLearner:
    """A loop of four rounds on `blobs`, unless told otherwise."""
    options: dict[str, Any] = {
        "strategy": Bait(backend="reference"),
        "batch_size": 4,
        "rounds": 3,
        "initial": 5,
        "trainer": Centroids(),
    }
    return ActiveLearner(lambda: np.zeros((3, 2)), data or blobs(), **(options | changes))
