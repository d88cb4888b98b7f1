# SPDX-License-Identifier: Apache-2.0
"""Policies out of configuration files: which data, classifier and episodes to learn from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fisher_select import config, datasets, description
from fisher_select.datasets import Dataset, DatasetSpec
from fisher_select.models import Model
from fisher_select.options import as_seed
from fisher_select.policy import Policy, View
from fisher_select.reinforcement_learning.environment import Environment
from fisher_select.reinforcement_learning.episode import Episode
from fisher_select.reinforcement_learning.learning import Learning
from fisher_select.reinforcement_learning.training import EpisodeCallback, train_policy
from fisher_select.training import TorchTrainer

__all__ = ["PolicyPlan", "load"]


@dataclass(frozen=True)
class PolicyPlan:
    """A whole configuration file of ``fisher-select train-policy``; see examples/policy.toml.

    Attributes
    ----------
    name : str
        Of the policy's folder.
    dataset : str or DatasetSpec
        Its pool is what episodes are played on; all of its labels are used.
    model, training
        The classifier of the episodes.
    episode, view, learning
        See the classes.
    seed : int

    Raises
    ------
    ValueError
        A value out of range; the message names the key.
    """

    name: str
    dataset: str | DatasetSpec
    model: Model
    training: TorchTrainer
    episode: Episode = field(default=Episode())
    view: View = field(default=View())
    learning: Learning = field(default=Learning())
    seed: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise ValueError(f"name must be of letters, digits, _ and -, got {self.name!r}")
        if isinstance(self.dataset, str) and self.dataset not in datasets.names():
            known = ", ".join(datasets.names())
            raise ValueError(f"dataset must be one of {known}, got {self.dataset!r}")
        as_seed(self.seed)

    def train(
        self, *, checkpoint: Path | None = None, on_episode: EpisodeCallback | None = None
    ) -> Policy:
        """Load the data and train, or go on from the checkpoint, as `train_policy`.

        Raises
        ------
        OSError, ValueError
            As `fisher_select.datasets.load`, `Environment` and `train_policy`; data of another
            task than "multi_class".
        """
        factory, data = self.model.prepared(datasets.load(self.dataset))
        if data.task != "multi_class":
            raise ValueError(f"policies learn from classes, {data.name} is {data.task!r}")
        environment = Environment(
            data.pool_inputs,
            data.pool_labels,
            classes=data.classes,
            model_factory=factory,
            trainer=self.training,
            episode=self.episode,
            view=self.view,
        )
        return train_policy(
            environment,
            self.learning,
            seed=self.seed,
            checkpoint=checkpoint,
            on_episode=on_episode,
            metadata=_described(data) | {"classifier": self.training.describe(factory)},
        )


def load(path: Path) -> PolicyPlan:
    """Read and check a configuration file; errors as of `fisher_select.config.load`."""
    return config.load(PolicyPlan, path)


def _described(data: Dataset) -> dict[str, Any]:
    """What the episodes are played on, as values that JSON has."""
    return {
        "dataset": data.name,
        "classes": data.classes,
        "inputs": description.digest(data.pool_inputs),
        "labels": description.digest(data.pool_labels),
    }
