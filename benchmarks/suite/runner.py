# SPDX-License-Identifier: Apache-2.0
"""The runs of protocols, in processes of one thread each; finished rounds are read back.

A run is one strategy with one seed, in its directory ``<out>/<protocol>/<strategy>-seed<s>``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suite.bayes_risk import BayesRisk, risks
from benchmarks.suite.protocol import Comparison, Protocol
from fisher_select import datasets, files
from fisher_select.datasets import Dataset
from fisher_select.experiment import Candidate, Experiment
from fisher_select.loop import ActiveLearner, RoundRecord

FULL_DATA = "full data"
"""Label of the run that trains on the whole pool."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One run; `candidate` is None for the run on the whole pool."""

    protocol: Protocol
    candidate: Candidate | None
    seed: int
    out: Path

    @property
    def label(self) -> str:
        """What the run is reported by."""
        return FULL_DATA if self.candidate is None else self.candidate.label

    @property
    def folder(self) -> Path:
        """Its run directory."""
        slug = "full-data" if self.candidate is None else self.candidate.slug
        return self.out / self.protocol.name / f"{slug}-seed{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """What a run found.

    Attributes
    ----------
    label, seed
        As in `Job`.
    labeled : tuple of int [k]
        Labels at each measurement.
    metrics : dict of str to tuple of float [k]
        By name, the one to draw first.
    class_counts : tuple of (tuple of int [C]) [k], or None
        Labels of each class among them; None for a task without classes.
    train_seconds, select_seconds : float
        Wall time of the run in these parts.
    """

    label: str
    seed: int
    labeled: tuple[int, ...]
    metrics: dict[str, tuple[float, ...]]
    class_counts: tuple[tuple[int, ...], ...] | None
    train_seconds: float
    select_seconds: float


def jobs_of(protocol: Protocol, out: Path) -> list[Job]:
    """All runs of a protocol, the strategies of a seed side by side."""
    candidates: list[Candidate | None] = list(protocol.plan.strategies)
    if protocol.origin.reach is not None:
        candidates.append(None)
    return [
        Job(protocol, candidate, seed, out)
        for seed in protocol.plan.seeds
        for candidate in candidates
    ]


def finished(
    jobs: Sequence[Job], workers: int
) -> Iterator[tuple[Job, Outcome | Exception, float]]:
    """Run them, and yield each when it is done: its outcome or its error, and its seconds.

    The processes are started afresh (no fork: torch and OpenMP do not survive one), with one
    thread each, and end with this one, however it ends.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _end_with_parent) as pool:
        with _environment_of_one_thread():
            futures: dict[Future[tuple[Outcome, float]], Job] = {
                pool.submit(_timed, job): job for job in jobs
            }
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    yield futures[future], *future.result()
                elif isinstance(error, Exception):
                    yield futures[future], error, 0.0
                else:
                    raise error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _environment_of_one_thread() -> Iterator[None]:
    """What children started meanwhile inherit: their libraries read it when they are loaded."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name in _THREAD_VARIABLES:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


def _timed(job: Job) -> tuple[Outcome, float]:
    start = time.perf_counter()
    return run(job), time.perf_counter() - start


def run(job: Job) -> Outcome:
    """One run, or what is left of it."""
    if isinstance(job.protocol, Comparison):
        return _comparison(job, job.protocol.plan)
    if job.candidate is None:
        raise ValueError("a Bayes risk has no run on the whole pool")
    return _risk(job, job.protocol.plan, job.candidate)


def _comparison(job: Job, plan: Experiment) -> Outcome:
    factory, data = plan.model.prepared(_dataset(_as_key(plan)))
    sizes = asdict(plan.loop)
    strategy: Any = "random"
    if job.candidate is not None:
        strategy = job.candidate.strategy
    else:  # all rows at the start, and no round after it
        whole: dict[str, Any] = {"initial": len(data.pool_labels), "start": "random"}
        sizes |= whole | {"rounds": None, "evaluation": 0}
    learner = ActiveLearner(
        factory,
        data,
        strategy=strategy,
        **sizes,
        trainer=plan.training,
        seed=job.seed,
        run_dir=job.folder,
    )
    records = list(learner)
    return Outcome(
        label=job.label,
        seed=job.seed,
        labeled=tuple(record.labeled for record in records),
        metrics={
            name: tuple(record.metrics[name] for record in records)
            for name in learner.metrics.names
        },
        class_counts=_class_counts(data, learner.initial, records),
        train_seconds=sum(record.timing.train_seconds for record in records),
        select_seconds=sum(record.timing.select_seconds for record in records),
    )


def _risk(job: Job, plan: BayesRisk, candidate: Candidate) -> Outcome:
    """As a comparison's run, with one file for a run directory."""
    path = job.folder / "risks.json"
    config = {
        "distribution": plan.distribution,
        "rows": plan.rows,
        "columns": plan.columns,
        "budgets": list(plan.budgets),
        "lam": plan.lam,
        "strategy": candidate.strategy.name,
        "options": candidate.strategy.options(),
        "seed": job.seed,
    }
    start = time.perf_counter()
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["config"] != config:
            raise ValueError(f"{path} is of another configuration; delete it")
    else:
        files.make_folder(job.folder)
        known = {"config": config, "risks": risks(plan, candidate, job.seed)}
        files.write_json(path, known)
    return Outcome(
        label=job.label,
        seed=job.seed,
        labeled=plan.budgets,
        metrics={"bayes_risk": tuple(known["risks"])},
        class_counts=None,
        train_seconds=0.0,
        select_seconds=time.perf_counter() - start,
    )


def _as_key(plan: Experiment) -> str:
    """The data set as text: what it is cached by."""
    named = plan.dataset
    return json.dumps(named if isinstance(named, str) else named.as_dict(), sort_keys=True)


@lru_cache(maxsize=1)
def _dataset(key: str) -> Dataset:
    """Read once by a process for all runs of a protocol."""
    return datasets.load(json.loads(key))


def _class_counts(
    data: Dataset, initial: Any, records: Sequence[RoundRecord]
) -> tuple[tuple[int, ...], ...] | None:
    if data.task != "multi_class":
        return None
    picked = [initial, *(r.selection.indices for r in records[:-1] if r.selection is not None)]
    bought = [np.bincount(data.pool_labels[rows], minlength=data.classes) for rows in picked]
    return tuple(tuple(row) for row in np.cumsum(bought, axis=0).tolist())


def _end_with_parent() -> None:
    """Leave at once when the suite was killed; a run directory survives that at any moment."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
