# SPDX-License-Identifier: Apache-2.0
"""The active-learning loop: train, measure, select, buy labels, again.

It knows neither torch nor the command line: a trainer makes models, a strategy makes picks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fisher_select import files, strategies
from fisher_select.arrays import as_labeled
from fisher_select.datasets import Dataset
from fisher_select.options import as_count, as_seed
from fisher_select.select import random
from fisher_select.selection import Selection
from fisher_select.strategies import Strategy
from fisher_select.training import Outputs, TorchTrainer, Trainer

__all__ = ["ActiveLearner", "RoundRecord"]


AVAILABLE = (*Outputs._fields, "model", "pool")
"""What the loop has for a strategy: outputs of the model, the model and the pool's inputs."""


def check_needs(strategy: Strategy) -> None:
    """Check that the loop has all that a strategy needs; ValueError otherwise."""
    missing = [name for name in strategy.needs if name not in AVAILABLE]
    if missing:
        raise ValueError(
            f"strategy {strategy.name!r} needs {', '.join(missing)}, which this loop does not "
            f"compute: it has {', '.join(AVAILABLE)}"
        )


@dataclass(frozen=True)
class RoundRecord:
    """One round: a model trained on what was labelled, and the rows it asks for next.

    Attributes
    ----------
    round : int
        0 for the model trained on the initial rows.
    labeled : int
        Labels the model was trained on.
    accuracy : float
        Share of the test set it classifies correctly.
    selection : Selection or None
        Picks made with this model, labelled before the next round; None in the last round.
    train_seconds, evaluate_seconds, select_seconds : float
        Wall time of training, of the forward passes, and of the strategy alone.
    """

    round: int
    labeled: int
    accuracy: float
    selection: Selection | None
    train_seconds: float
    evaluate_seconds: float
    select_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The record for JSON: everything but the picks."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "selection"}


class _Stream(IntEnum):
    """What a seed is for: one number given by the user, independent draws for each use."""

    INITIAL = 0
    TRAIN = 1
    SELECT = 2


class ActiveLearner:
    """Iterate over the rounds of active learning on a data set.

    Each iteration starts afresh and gives the same records: everything random follows from
    `seed`. The initial rows and the training seeds do not depend on the strategy, so runs that
    differ in the strategy alone compare like with like.

    Parameters
    ----------
    model_factory
        Called without arguments for a fresh, untrained model in each round.
    dataset
        Pool and test set; a pool label is read only once its row was picked.
    strategy
        A name (``"bait"``, with its default options) or a strategy object. A strategy with a
        ``seed`` field is given a new seed in each round.
    batch_size
        Labels bought after each round.
    rounds
        Batches to buy, so that there are ``rounds + 1`` records; None goes on until fewer than
        `batch_size` rows are left.
    initial
        Rows labelled at the start: how many to draw at random, or which ones. None draws
        `batch_size` of them.
    trainer
        None takes ``TorchTrainer()``, which expects torch modules.
    seed
        Any integer from 0.
    run_dir
        Folder that receives ``records.jsonl`` and ``picks.csv``, brought up to date after each
        round and replacing those of an earlier run; None writes nothing.

    Raises
    ------
    ValueError, TypeError
        An argument out of range, an unknown strategy, or more labels asked for than there are.
    OSError
        `run_dir` cannot be written.

    Examples
    --------
    >>> import fisher_select as fs
    >>> from fisher_select import datasets, training
    >>> def model_factory():
    ...     return training.mlp(inputs=64, hidden=(64, 32), classes=10)
    >>> digits = datasets.digits()
    >>> learner = fs.ActiveLearner(model_factory, digits, batch_size=20, rounds=2)
    >>> [record.labeled for record in learner]
    [20, 40, 60]
    """

    def __init__(
        self,
        model_factory: Callable[[], Any],
        dataset: Dataset,
        *,
        strategy: str | Strategy = "bait",
        batch_size: int = 100,
        rounds: int | None = None,
        initial: int | ArrayLike | None = None,
        trainer: Trainer | None = None,
        seed: int = 0,
        run_dir: str | Path | None = None,
    ) -> None:
        self.model_factory = model_factory
        self.dataset = dataset
        self.strategy = strategies.get(strategy) if isinstance(strategy, str) else strategy
        check_needs(self.strategy)
        self.batch_size = as_count("batch_size", batch_size)
        self.trainer: Trainer = TorchTrainer() if trainer is None else trainer
        as_seed(seed)
        self.seed = int(seed)
        self.initial = self._initial_rows(self.batch_size if initial is None else initial)
        self.rounds = self._count_rounds(rounds)
        self.run_dir = None if run_dir is None else Path(run_dir)
        if self.run_dir is not None:
            files.make_folder(self.run_dir)

    def __iter__(self) -> Iterator[RoundRecord]:
        labeled = self.initial
        records: list[RoundRecord] = []
        for number in range(self.rounds + 1):
            record = self._round(number, labeled)
            records.append(record)
            if self.run_dir is not None:
                _write_run(self.run_dir, records)
            yield record
            if record.selection is not None:
                labeled = np.concatenate([labeled, record.selection.indices])

    def _round(self, number: int, labeled: NDArray[np.int64]) -> RoundRecord:
        """Train on the labelled rows, measure, and pick the next ones unless it is the last."""
        data, clock = self.dataset, _Stopwatch()
        model = self.trainer.train(
            self.model_factory,
            data.pool_inputs[labeled],
            data.pool_labels[labeled],
            seed=self._derived_seed(_Stream.TRAIN, number),
        )
        train_seconds = clock.lap()
        predicted = self.trainer.outputs(model, data.test_inputs).probabilities.argmax(axis=1)
        last = number == self.rounds
        arrays = {} if last else self._arrays(model)
        evaluate_seconds = clock.lap()
        selection = None if last else self._select(number, labeled, arrays)
        return RoundRecord(
            round=number,
            labeled=len(labeled),
            accuracy=float(np.mean(predicted == data.test_labels)),
            selection=selection,
            train_seconds=train_seconds,
            evaluate_seconds=evaluate_seconds,
            select_seconds=0.0 if selection is None else clock.lap(),
        )

    def _arrays(self, model: Any) -> dict[str, Any]:
        """What the strategy needs of the pool; outputs are computed where they are needed."""
        found: dict[str, Any] = {"model": model, "pool": self.dataset.pool_inputs}
        if not set(self.strategy.needs) <= set(found):
            found |= self.trainer.outputs(model, self.dataset.pool_inputs)._asdict()
        return {name: found[name] for name in self.strategy.needs}

    def _select(
        self, number: int, labeled: NDArray[np.int64], arrays: dict[str, Any]
    ) -> Selection:
        """Ask the strategy, seeded for this round, for the next rows to label."""
        strategy = self.strategy
        if "seed" in strategy.options():
            changes: dict[str, Any] = {"seed": self._derived_seed(_Stream.SELECT, number)}
            strategy = replace(strategy, **changes)
        return strategy.select(batch_size=self.batch_size, labeled=labeled, **arrays)

    def _initial_rows(self, initial: int | ArrayLike) -> NDArray[np.int64]:
        """Check the given rows, or draw so many of them; sorted."""
        n = len(self.dataset.pool_inputs)
        if not isinstance(initial, int | np.integer):
            rows = as_labeled(initial, n)
            if len(rows) == 0:
                raise ValueError("initial must name at least one row, got none")
            return rows
        count = as_count("initial", initial)
        if count > n:
            raise ValueError(f"initial must be at most the {n} rows of the pool, got {count}")
        seed = self._derived_seed(_Stream.INITIAL)
        return np.sort(random(n, batch_size=count, seed=seed).indices)

    def _count_rounds(self, rounds: int | None) -> int:
        """Check that the pool has rows for so many batches; None is as many as it has."""
        free = len(self.dataset.pool_inputs) - len(self.initial)
        possible = free // self.batch_size
        if rounds is None:
            return possible
        if as_count("rounds", rounds) > possible:
            raise ValueError(
                f"rounds must be at most {possible}, got {rounds}: {free} rows are unlabelled "
                f"at the start and each round takes {self.batch_size}"
            )
        return rounds

    def _derived_seed(self, stream: _Stream, number: int = 0) -> int:
        return int(np.random.SeedSequence([self.seed, stream, number]).generate_state(1)[0])


class _Stopwatch:
    """Wall time from one call of `lap` to the next."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        elapsed, self._last = now - self._last, now
        return elapsed


def _write_run(folder: Path, records: list[RoundRecord]) -> None:
    """Write all rounds so far; each file is whole at any moment."""
    lines = [json.dumps(record.as_dict(), allow_nan=False) + "\n" for record in records]
    files.write_text(folder / "records.jsonl", "".join(lines))
    rows = [
        (record.round, rank, index, score)
        for record in records
        if record.selection is not None
        for rank, index, score in files.pick_rows(record.selection)
    ]
    header = ("round", *files.PICK_COLUMNS)
    files.write_text(folder / "picks.csv", files.format_csv(header, rows))
