# SPDX-License-Identifier: Apache-2.0
"""The active-learning loop: train, measure, select, buy labels, again.

A trainer makes models, a strategy makes picks, an oracle labels them, and a run directory keeps
all that a killed run needs to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fisher_select import description, oracles, strategy_inputs
from fisher_select.datasets import Dataset
from fisher_select.initial import strata_of
from fisher_select.labels import LabelFormat
from fisher_select.metrics import Metrics
from fisher_select.options import as_count
from fisher_select.oracles import FileOracle, LabelsNeeded
from fisher_select.records import RoundRecord, Stopwatch, Timing
from fisher_select.run_directory import RunDirectory
from fisher_select.schedule import Schedule, Stream
from fisher_select.selection import Selection
from fisher_select.strategies import Strategy
from fisher_select.tensorboard import Scalars
from fisher_select.trainer import Resumable, Trainer
from fisher_select.training import TorchTrainer

__all__ = ["ActiveLearner", "FileOracle", "LabelsNeeded", "RoundRecord"]


class ActiveLearner:
    """Iterate over the rounds of active learning on a data set.

    Everything random follows from `seed`: each iteration gives the same records. With `run_dir`
    it yields the rounds finished there and goes on behind them; a killed run, started again,
    ends in the same files as one that was not. Initial rows and training seeds do not depend on
    the strategy, so runs that differ in the strategy alone compare like with like.

    Parameters
    ----------
    model_factory
        Called without arguments for a fresh, untrained model in each round.
    dataset
        Pool and test set; a pool label is read only once its row was picked.
    strategy
        A name (``"bait"``, with its default options) or a strategy object. Its ``seed``, new in
        each round, and its ``likelihood``, that of the data set's task, are set by the loop.
    batch_size
        Labels bought after each round.
    rounds
        Batches to buy, so that there are ``rounds + 1`` records; None goes on until fewer than
        `batch_size` rows are left.
    initial
        Rows labelled at the start: how many to draw (None: `batch_size`), or which ones.
    start
        How to draw them: "random", or "stratified": each class in its share of the pool and at
        least one row of each, so that no rare class is missing. That reads labels of the pool
        which nobody has bought, as papers do, so that it needs a data set that has them all.
    trainer
        None takes ``TorchTrainer()``, which expects torch modules.
    oracle
        Who labels: None takes the data set's own labels; an array, a function from rows to
        labels, or a `FileOracle`: the iteration raises `LabelsNeeded` and, iterated again,
        goes on once the file is filled.
    metrics
        Names of `fisher_select.metrics.Metrics`; None takes all of the task.
    evaluation
        Rows drawn from the pool, labelled at the start and set apart for strategies that
        measure the entropy on an evaluation set (information gain): neither trained on nor
        picked, they cost labels beside those of the records. 0 takes the rows labelled so far,
        of which the model, trained on them, is surer than of others.
    dropout_samples
        Samples of the outputs for the strategies that need them (BALD, MC dropout).
    seed
        Any integer from 0.
    run_dir
        Folder for the run, see `fisher_select.run_directory`; None writes nothing.
    tensorboard
        Write the rounds to ``<run_dir>/tensorboard`` as well.

    Raises
    ------
    ValueError, TypeError
        An argument out of range, a strategy that is unknown or does not suit the task, more
        labels asked for than there are, a `run_dir` with a run of another configuration.
    OSError
        `run_dir` cannot be written, or another process is at work there.
    LabelsNeeded
        From the iteration: an expert has to fill the file that it names.

    Examples
    --------
    >>> import fisher_select as fs
    >>> from fisher_select import datasets, training
    >>> def network():
    ...     return training.mlp(inputs=64, hidden=(64, 32), classes=10)
    >>> learner = fs.ActiveLearner(network, datasets.digits(), batch_size=20, rounds=2)
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
        start: str = "random",
        trainer: Trainer | None = None,
        oracle: ArrayLike | oracles.Oracle | FileOracle | None = None,
        metrics: Sequence[str] | None = None,
        evaluation: int = 0,
        dropout_samples: int = 10,
        seed: int = 0,
        run_dir: str | Path | None = None,
        tensorboard: bool = False,
    ) -> None:
        self.model_factory = model_factory
        self.dataset = dataset
        self.strategy = strategy_inputs.for_task(strategy, dataset.task)
        self.trainer: Trainer = TorchTrainer() if trainer is None else trainer
        strategy_inputs.check_needs(self.strategy, self.trainer, dataset.task)
        self.dropout_samples = as_count("dropout_samples", dropout_samples)
        self.schedule = Schedule.plan(
            len(dataset.pool_inputs),
            batch_size=batch_size,
            rounds=rounds,
            initial=initial,
            evaluation=evaluation,
            seed=seed,
            strata=strata_of(start, dataset, oracle),
        )
        self.metrics = Metrics(
            dataset.test_labels, task=dataset.task, classes=dataset.classes, names=metrics
        )
        self.run_dir = None if run_dir is None else Path(run_dir)
        self._labels = LabelFormat(dataset.task, dataset.classes)
        self.oracle = oracles.resolve(oracle, dataset.pool_labels, self._labels, self.run_dir)
        self._scalars = Scalars.into(self.run_dir) if tensorboard else None
        self._directory: RunDirectory | None = None
        if self.run_dir is not None:
            config = {
                **description.describe(dataset, oracle, self.strategy),
                "trainer": dict(self._resumable().describe(model_factory)),
                **self.schedule.as_dict(),
                "dropout_samples": self.dropout_samples,
                "metrics": list(self.metrics.names),
            }
            self._directory = RunDirectory(self.run_dir, config, self._labels)

    @property
    def initial(self) -> NDArray[np.int64]:
        """Rows labelled at the start, sorted."""
        return self.schedule.initial

    def __iter__(self) -> Iterator[RoundRecord]:
        if self._directory is None:
            yield from self._rounds([], {}, None)
            return
        with self._directory.locked():
            records, labels = self._directory.load()
            yield from records
            yield from self._rounds(records, labels, self._directory)

    def _rounds(
        self,
        records: list[RoundRecord],
        labels: dict[int, Any],
        directory: RunDirectory | None,
    ) -> Iterator[RoundRecord]:
        """The rounds that `records` lacks."""
        finished, model = len(records), None
        if finished > self.schedule.rounds:
            return
        labeled = np.concatenate([self.initial, *map(_picked, records)])
        if directory is not None and finished:
            path = directory.model_path(finished - 1)
            model = self._resumable().load(self.model_factory, path)
            directory.restore_random_state(finished - 1)
        scalars, apart = self._scalars, self.schedule.evaluation
        with nullcontext() if scalars is None else scalars.opened() as add_scalars:
            for number in range(finished, self.schedule.rounds + 1):
                self._buy(np.concatenate([labeled, apart]), labels, directory)
                record, model = self._round(number, labeled, labels, model)
                records.append(record)
                if directory is not None:
                    directory.commit(records, partial(self._resumable().save, model))
                if add_scalars is not None:
                    add_scalars(record)
                yield record
                labeled = np.concatenate([labeled, _picked(record)])

    def _buy(
        self, rows: NDArray[np.int64], labels: dict[int, Any], directory: RunDirectory | None
    ) -> None:
        """Ask the oracle for the labels of `rows` that are not there yet."""
        missing = np.array([row for row in rows.tolist() if row not in labels], dtype=np.int64)
        if missing.size:
            bought = self._labels.check(missing, self.oracle(missing))
            labels.update(zip(missing.tolist(), bought, strict=True))
            if directory is not None:
                directory.write_labels(labels)
        if isinstance(self.oracle, FileOracle):
            self.oracle.settled()

    def _round(
        self, number: int, labeled: NDArray[np.int64], labels: dict[int, Any], previous: Any
    ) -> tuple[RoundRecord, Any]:
        """Train on the labelled rows, measure, and pick the next ones unless it is the last."""
        data, clock = self.dataset, Stopwatch()
        model = self.trainer.train(
            self.model_factory,
            data.pool_inputs[labeled],
            _of_rows(labels, labeled),
            task=data.task,
            seed=self.schedule.seed_of(Stream.TRAIN, number),
            previous=previous,
        )
        train_seconds = clock.lap()
        outputs = self.trainer.outputs(model, data.test_inputs, task=data.task)
        metrics = self.metrics(outputs.probabilities)
        last = number == self.schedule.rounds
        arrays = {} if last else self._arrays(number, model, labeled, labels)
        evaluate_seconds = clock.lap()
        selection = None if last else self._select(number, labeled, arrays)
        select_seconds = 0.0 if last else clock.lap()
        timing = Timing(train_seconds, evaluate_seconds, select_seconds)
        return RoundRecord(number, len(labeled), metrics, selection, timing), model

    def _arrays(
        self, number: int, model: Any, labeled: NDArray[np.int64], labels: dict[int, Any]
    ) -> dict[str, Any]:
        """What the strategy needs; rows are those of the candidates."""
        inputs = self.dataset.pool_inputs
        known = self.schedule.evaluation if len(self.schedule.evaluation) else labeled
        return strategy_inputs.round_inputs(
            self.strategy,
            self.trainer,
            model,
            inputs[self.schedule.candidates] if len(self.schedule.evaluation) else inputs,
            (inputs[known], _of_rows(labels, known)),
            task=self.dataset.task,
            samples=self.dropout_samples,
            seed=self.schedule.seed_of(Stream.DROPOUT, number),
        )

    def _select(
        self, number: int, labeled: NDArray[np.int64], arrays: dict[str, Any]
    ) -> Selection:
        """Ask the strategy, seeded for this round, for the next rows of the pool to label."""
        strategy = self.strategy
        if "seed" in strategy.options():
            changes: dict[str, Any] = {"seed": self.schedule.seed_of(Stream.SELECT, number)}
            strategy = replace(strategy, **changes)
        picks = strategy.select(
            batch_size=self.schedule.batch_size,
            labeled=np.searchsorted(self.schedule.candidates, labeled),
            **arrays,
        )
        rows, forward = self.schedule.candidates, picks.forward_indices
        return replace(
            picks,
            indices=rows[picks.indices],
            forward_indices=None if forward is None else rows[forward],
        )

    def _resumable(self) -> Any:
        """The trainer as one that can save its models."""
        if not isinstance(self.trainer, Resumable):
            raise TypeError(
                "trainer must have the methods 'save', 'load' and 'describe' for a run "
                f"directory; {type(self.trainer).__name__} has not"
            )
        return self.trainer


def _picked(record: RoundRecord) -> NDArray[np.int64]:
    """Rows bought after a round; none after the last."""
    made = record.selection
    return np.empty(0, dtype=np.int64) if made is None else made.indices


def _of_rows(labels: dict[int, Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    return np.array([labels[row] for row in rows.tolist()])
