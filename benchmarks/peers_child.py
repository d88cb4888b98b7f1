# SPDX-License-Identifier: Apache-2.0
"""The process of one run in the peer table: a task in, time, memory and picks out, as JSON.

Each side has a process of its own, so that neither pays for the other's memory, and one that
needs more than the limit ends alone.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.memory_child import highest, reset_peak, status
from benchmarks.problems import Float32, make_problem

SAMPLES = 10  # of the outputs, for BALD
CALLS = 5  # whose median counts, where they are short


@dataclass(frozen=True)
class Task:
    """One method on one side, and its pool."""

    side: str  # "ours", "theirs"
    method: str
    n: int
    d: int
    classes: int
    batch_size: int
    labeled: int
    seed: int
    memory_limit: int  # bytes of address space


@dataclass(frozen=True)
class Pool:
    """What every method may take, float32."""

    X: Float32
    P: Float32
    samples: Float32 | None  # [T, n, C]
    labeled: Any
    batch_size: int


def make_pool(task: Task, *, n: int, batch_size: int) -> Pool:
    """The pool of a task; its samples are outputs of features with noise."""
    problem = make_problem(n, task.d, task.classes, labeled=task.labeled, seed=task.seed)
    samples = None
    if task.method == "bald":
        rng = np.random.default_rng(task.seed)
        odds = np.log(np.maximum(problem.outputs, 1e-30))
        noisy = odds + rng.standard_normal((SAMPLES, *odds.shape), dtype=np.float32)
        samples = np.exp(noisy)
        samples /= samples.sum(axis=2, keepdims=True)
    return Pool(problem.features, problem.outputs, samples, problem.labeled, batch_size)


# ---------------------------------------------------------------------------------- ours
def ours(method: str, pool: Pool) -> Any:
    """Picks of fisher_select."""
    import fisher_select as fs

    common: dict[str, Any] = {"labeled": pool.labeled, "batch_size": pool.batch_size}
    calls: dict[str, Callable[[], fs.Selection]] = {
        "badge": lambda: fs.badge(pool.X, pool.P, **common, seed=0),
        "k_center": lambda: fs.k_center(pool.X, **common),
        "bald": lambda: fs.uncertainty(pool.samples, kind="bald", **common),
        "max_det": lambda: fs.max_det(pool.X, pool.P, **common),
        "bait": lambda: fs.bait(pool.X, pool.P, fisher="block_diagonal", **common),
    }
    uncertain = lambda: fs.uncertainty(pool.P, kind=method, **common)  # noqa: E731
    return calls.get(method, uncertain)().indices


# -------------------------------------------------------------------------------- theirs
def theirs(method: str, pool: Pool) -> Any:
    """Picks of scikit-activeml, from the same outputs: nothing is trained."""
    from skactiveml import pool as strategies
    from skactiveml.base import SkactivemlClassifier

    missing = np.nan
    labels = np.full(len(pool.X), missing)
    labels[pool.labeled] = 0
    unlabeled = np.isnan(labels)

    class Fixed(SkactivemlClassifier):  # type: ignore[misc]
        """A fitted model whose outputs for the unlabelled rows are known."""

        def __init__(self, outputs: Float32) -> None:
            super().__init__(classes=list(range(outputs.shape[1])), missing_label=missing)
            self.outputs = outputs
            self.classes_ = np.arange(outputs.shape[1])

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Fixed:
            del X, y, sample_weight
            return self

        def predict_proba(self, X: Any, **options: Any) -> Float32:
            del options
            if len(X) != len(self.outputs):
                raise ValueError(f"outputs of {len(self.outputs)} rows, {len(X)} asked for")
            return self.outputs

    X, size = pool.X, pool.batch_size
    if method == "k_center":
        return strategies.CoreSet(random_state=0).query(X, labels, batch_size=size)
    if method == "bald":
        if pool.samples is None:
            raise ValueError("BALD needs samples")
        members = [Fixed(outputs[unlabeled]) for outputs in pool.samples]
        query = strategies.GreedyBALD(random_state=0)
        return query.query(X, labels, members, fit_ensemble=False, batch_size=size)
    if method == "badge":
        query = strategies.Badge(random_state=0)
    else:
        theirs_name = {"least_confidence": "least_confident", "margin": "margin_sampling"}
        query = strategies.UncertaintySampling(
            method=theirs_name.get(method, method), random_state=0
        )
    model = Fixed(pool.P[unlabeled])
    return query.query(X, labels, model, fit_clf=False, batch_size=size)


def main(text: str) -> None:
    """Run one task and print what `measure` returns, or ``{"out_of_memory": words}``."""
    task = Task(**json.loads(text))
    resource.setrlimit(resource.RLIMIT_AS, (task.memory_limit, task.memory_limit))
    try:
        measured = measure(task)
    except MemoryError as error:
        measured = {"out_of_memory": str(error)}
    print(json.dumps(measured))


def measure(task: Task) -> dict[str, Any]:
    """One run, after a small one of the same method for the imports."""
    run = ours if task.side == "ours" else theirs
    run(task.method, make_pool(task, n=4 * task.labeled + 40, batch_size=2))
    pool = make_pool(task, n=task.n, batch_size=task.batch_size)
    return measured_call(lambda: run(task.method, pool))


def measured_call(pick: Callable[[], Any]) -> dict[str, Any]:
    """Seconds, resident bytes before and at the most, and picks of one call.

    One of less than a second is repeated, and the median of the seconds counts.
    """
    reset = reset_peak()
    inputs = status("VmRSS") if reset else highest()
    picks, seconds = timed(pick)
    peak = status("VmHWM") if reset else highest()
    if seconds < 1:
        seconds = statistics.median([seconds, *(timed(pick)[1] for _ in range(CALLS - 1))])
    return {
        "seconds": seconds,
        "inputs_bytes": inputs,
        "peak_bytes": peak,
        "picks": [int(row) for row in picks],
    }


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and its seconds."""
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1])
