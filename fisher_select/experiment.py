# SPDX-License-Identifier: Apache-2.0
"""Experiments: a TOML file says which strategies to compare on what, `run` compares them.

Everything in the file is checked before any work, and a complaint names the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fisher_select import config, datasets, strategies, training
from fisher_select.datasets import Dataset, DatasetSpec
from fisher_select.expert_file import FROM_DATASET, OracleTable
from fisher_select.initial import STARTS
from fisher_select.loop import ActiveLearner, LabelsNeeded, RoundRecord
from fisher_select.models import Model
from fisher_select.options import as_count, as_seed, one_of
from fisher_select.strategies import Strategy
from fisher_select.strategy_inputs import takes_samples
from fisher_select.training import TorchTrainer

__all__ = [
    "Candidate",
    "Experiment",
    "Loop",
    "Model",
    "RecordCallback",
    "Run",
    "check_seeds",
    "load",
    "run",
]

# Set by the loop and by the command line, so not for a strategy's table.
_RESERVED = ("seed", "progress", "likelihood")


@dataclass(frozen=True)
class Loop:
    """Table ``[loop]``: arguments of `ActiveLearner`; the first metric is the one drawn."""

    initial: int
    batch_size: int
    rounds: int
    metrics: tuple[str, ...] | None = None
    evaluation: int = 0
    dropout_samples: int = 10
    start: str = "random"

    def __post_init__(self) -> None:
        for name in ("initial", "batch_size", "rounds", "dropout_samples"):
            as_count(name, getattr(self, name))
        one_of("start", self.start, STARTS)
        if self.evaluation < 0:
            raise ValueError(f"evaluation must be at least 0, got {self.evaluation}")


@dataclass(frozen=True)
class Candidate:
    """One table of ``[[strategies]]``: a strategy under the label it is reported by."""

    label: str
    strategy: Strategy

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Candidate:
        """Make one of ``name``, an optional ``label``, and options of that strategy."""
        options = dict(table)
        name = options.pop("name", None)
        if name is None:
            raise ValueError("missing key 'name'")
        label = options.pop("label", name)
        if not isinstance(label, str):
            raise ValueError(f"label must be a string, got {label!r}")
        for key in _RESERVED:
            if key in options:
                raise ValueError(f"key {key!r} is not set per strategy")
        strategy = strategies.get(name, **options)
        _try_out(strategy)
        return cls(label, strategy)

    @property
    def slug(self) -> str:
        """The label as part of a file name."""
        return re.sub(r"[^a-z0-9.]+", "-", self.label.lower()).strip("-.")


@dataclass(frozen=True)
class Experiment:
    """A whole configuration file; see examples/digits.toml."""

    name: str
    dataset: str | DatasetSpec
    seeds: tuple[int, ...]
    loop: Loop
    model: Model
    training: TorchTrainer
    strategies: tuple[Candidate, ...]
    oracle: OracleTable = FROM_DATASET

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise ValueError(f"name must be of letters, digits, _ and -, got {self.name!r}")
        if isinstance(self.dataset, str) and self.dataset not in datasets.names():
            known = ", ".join(datasets.names())
            raise ValueError(f"dataset must be one of {known}, got {self.dataset!r}")
        check_seeds(self.seeds)
        if not self.strategies:
            raise ValueError("strategies must hold at least one table, got none")
        slugs = [candidate.slug for candidate in self.strategies]
        for candidate in self.strategies:
            if not candidate.slug or slugs.count(candidate.slug) > 1:
                raise ValueError(
                    "strategies must have labels that differ in letters or digits, "
                    f"got {candidate.label!r}; set the key 'label'"
                )
            if takes_samples(candidate.strategy) and not self.model.dropout:
                raise ValueError(
                    "dropout of [model] must be above 0 for the samples that strategy "
                    f"{candidate.label!r} takes, got {self.model.dropout}"
                )

    def as_dict(self) -> dict[str, Any]:
        """The configuration with all defaults filled in, for JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        if isinstance(self.dataset, DatasetSpec):
            plain["dataset"] = self.dataset.as_dict()
        for table in ("loop", "model", "training", "oracle"):
            plain[table] = asdict(plain[table])
        plain["strategies"] = [
            {"label": candidate.label, "name": candidate.strategy.name}
            | {k: v for k, v in candidate.strategy.options().items() if k not in _RESERVED}
            for candidate in self.strategies
        ]
        return plain


@dataclass(frozen=True)
class Run:
    """All rounds of one strategy with one seed; `metric` is the one to draw."""

    label: str
    seed: int
    folder: str
    initial: tuple[int, ...]
    metric: str
    records: tuple[RoundRecord, ...]


RecordCallback: TypeAlias = Callable[[Candidate, int, RoundRecord], object]
"""Called as callback(candidate, seed, record) after each round of each run."""


def _try_out(strategy: Strategy) -> None:
    """Select from a pool of two rows: whatever is wrong with the options is said now."""
    halves = np.full((2, 2), 0.5)
    rows: dict[str, Any] = {
        "features": np.eye(2),
        "probabilities": halves[None] if takes_samples(strategy) else halves,
        "eval_features": np.eye(2),
        "eval_labels": np.arange(2),
        "weight": np.eye(2),
        "bias": np.zeros(2),
        "data": np.eye(2),
    }
    if "model" in strategy.needs:
        rows |= {"model": training.mlp(2, (2,), 2), "pool": np.eye(2)}
    strategy.select(batch_size=1, **{name: rows[name] for name in strategy.needs})


def check_seeds(seeds: Sequence[int]) -> None:
    """Check that there are seeds and that they differ; ValueError otherwise."""
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds must be a list of different integers, got {list(seeds)}")
    for seed in seeds:
        as_seed(seed)


def run(
    experiment: Experiment,
    folder: Path,
    on_record: RecordCallback | None = None,
    *,
    tensorboard: bool = False,
) -> list[Run]:
    """Run every strategy with every seed; rounds finished earlier are read from the folder.

    Parameters
    ----------
    experiment
        What to run.
    folder
        Each run has its directory ``<folder>/<strategy>-seed<seed>/``.
    on_record
        Called after each round.
    tensorboard
        Write the rounds for TensorBoard as well.

    Returns
    -------
    list of Run
        In the order of the strategies, then of the seeds.

    Raises
    ------
    ValueError
        A strategy that this data set does not suit, or a directory of another configuration.
    OSError
        A directory that cannot be written, or in which another process is at work.
    LabelsNeeded
        Of an expert: every run has gone as far as it could, and the file that is named holds
        the rows that all of them wait for.
    """
    data = datasets.load(experiment.dataset)
    model_factory, data = experiment.model.prepared(data)
    expert = experiment.oracle.expert(folder, data)
    learners = {
        (candidate, seed): ActiveLearner(
            model_factory,
            data,
            strategy=candidate.strategy,
            **asdict(experiment.loop),
            trainer=experiment.training,
            oracle=expert,
            seed=seed,
            run_dir=folder / _folder(candidate, seed),
            tensorboard=tensorboard,
        )
        for candidate in experiment.strategies
        for seed in experiment.seeds
    }
    if expert is not None:
        expert.collect()
    _load_torch(experiment.training, model_factory, data)
    runs = []
    for (candidate, seed), learner in learners.items():
        records = []
        try:
            for record in learner:
                records.append(record)
                if on_record is not None:
                    on_record(candidate, seed, record)
        except LabelsNeeded:
            continue  # the expert is asked once, for all runs
        runs.append(
            Run(
                label=candidate.label,
                seed=seed,
                folder=_folder(candidate, seed),
                initial=tuple(learner.initial.tolist()),
                metric=learner.metrics.names[0],
                records=tuple(records),
            )
        )
    if expert is not None:
        expert.ask()
    return runs


def _folder(candidate: Candidate, seed: int) -> str:
    return f"{candidate.slug}-seed{seed}"


def _load_torch(trainer: TorchTrainer, model_factory: Callable[[], Any], data: Dataset) -> None:
    """Take a step: an optimizer's first loads seconds' worth of torch, which is no round's."""
    plain = TorchTrainer(epochs=1, threads=trainer.threads)
    nothing = np.zeros_like(data.pool_inputs[:1])
    plain.train(
        model_factory, nothing, np.zeros_like(data.pool_labels[:1]), task=data.task, seed=0
    )


def load(path: Path) -> Experiment:
    """Read and check a configuration file; errors as of `fisher_select.config.load`."""
    return config.load(Experiment, path)
