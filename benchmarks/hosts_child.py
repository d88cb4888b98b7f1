# SPDX-License-Identifier: Apache-2.0
"""The process of one run inside a host: our adapter or the host's own strategy, on one pool.

A task in, time, memory and picks out, as JSON. Models are stood in for by their outputs, so
that nothing is trained and both sides are handed the same arrays.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import resource
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers_child import measured_call
from benchmarks.problems import Float32, make_problem

ITERATIONS = 10  # samples of the outputs, for Baal


@dataclass(frozen=True)
class Task:
    """One strategy of a host, on one side, and its pool."""

    side: str  # "ours", "theirs"
    strategy: str
    n: int
    d: int
    classes: int
    batch_size: int
    labeled: int
    seed: int
    memory_limit: int  # bytes of address space


@dataclass(frozen=True)
class Pool:
    """Features [n, d] and outputs [n, C], float32, and the labelled rows."""

    X: Float32
    P: Float32
    labeled: Any
    batch_size: int
    seed: int

    @property
    def free(self) -> Any:
        """Unlabelled rows."""
        return np.setdiff1d(np.arange(len(self.X)), self.labeled)


def scikit_activeml(side: str, strategy: str, pool: Pool) -> Any:
    """CoreSet and Badge, or k_center and badge through the adapter."""
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import Badge, CoreSet

    from fisher_select.adapters.scikit_activeml import FisherSelectStrategy

    class Fixed(SkactivemlClassifier):  # type: ignore[misc]
        """A fitted model whose outputs are known, for all rows or for the unlabelled ones."""

        def __init__(self) -> None:
            super().__init__(classes=list(range(pool.P.shape[1])), missing_label=np.nan)

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Fixed:
            del X, y, sample_weight
            return self

        def predict_proba(self, X: Any) -> Float32:
            return pool.P if len(X) == len(pool.P) else pool.P[pool.free]

    y = np.full(len(pool.X), np.nan)
    y[pool.labeled] = 0
    further = {} if strategy == "k_center" else {"clf": Fixed(), "fit_clf": False}
    theirs = {"k_center": CoreSet, "badge": Badge}[strategy]
    query = FisherSelectStrategy(strategy) if side == "ours" else theirs(random_state=0)
    return query.query(pool.X, y, batch_size=pool.batch_size, **further)


def small_text(side: str, strategy: str, pool: Pool) -> Any:
    """GreedyCoreset over embeddings, or the adapter over the same."""
    from small_text import GreedyCoreset

    from fisher_select.adapters.small_text import FisherSelectEmbeddings

    class Rows:
        """The least of a data set that a query reads."""

        is_multi_label = False

        def __getitem__(self, _: Any) -> Rows:
            return self

    theirs = GreedyCoreset(normalize=False) if side == "theirs" else None
    query = theirs or FisherSelectEmbeddings(strategy)
    embeddings = pool.X[np.concatenate([pool.free, pool.labeled])]
    labels = np.zeros(len(pool.labeled), dtype=int)
    return query.query(
        None,
        Rows(),
        pool.free,
        pool.labeled,
        labels,
        n=pool.batch_size,
        embeddings=embeddings,
    )


def baal(side: str, strategy: str, pool: Pool) -> Any:
    """BatchBALD on sampled outputs, or the adapter on their mean and the features."""
    from baal.active.heuristics import BatchBALD

    from fisher_select.adapters.baal import FisherSelectHeuristic
    from fisher_select.strategies import get

    samples = outputs_of(pool)
    if side == "theirs":
        # It picks num_samples further ones after the first.
        heuristic = BatchBALD(pool.batch_size - 1)
    else:
        heuristic = FisherSelectHeuristic(get(strategy), pool.batch_size, Known(pool, samples))
    return pool.free[heuristic(samples[pool.free])[: pool.batch_size]]


class Known:
    """What the adapter for Baal asks of a provider, from arrays."""

    def __init__(self, pool: Pool, samples: Float32) -> None:
        self.pool, self.samples = pool, samples

    @property
    def labelled(self) -> Any:
        """Mask of the labelled rows."""
        return np.isin(np.arange(len(self.pool.X)), self.pool.labeled)

    def outputs(self) -> Any:
        """Samples of the labelled rows."""
        return self.samples[self.labelled]

    def arrays(self, strategy: Any, probabilities: Any) -> Any:
        """Features and probabilities."""
        del strategy
        return {"features": self.pool.X, "probabilities": probabilities}


def outputs_of(pool: Pool) -> Float32:
    """Samples of the outputs [n, C, T]: their logits with noise."""
    draw = np.random.default_rng(pool.seed)
    samples = np.log(np.maximum(pool.P, 1e-30))[:, :, None]
    noise = draw.standard_normal((*pool.P.shape, ITERATIONS), dtype=np.float32)
    odds: Float32 = np.exp(samples + noise)
    odds /= odds.sum(axis=1, keepdims=True)
    return odds


def anomalib(side: str, strategy: str, pool: Pool) -> Any:
    """KCenterGreedy, or the sampler in its place, which knows no labelled rows either."""
    import torch

    from fisher_select.adapters.patchcore import FisherSelectSampler

    embedding = torch.as_tensor(pool.X)
    ratio = (pool.batch_size + 0.5) / len(pool.X)
    if side == "ours":
        return FisherSelectSampler(embedding, ratio, strategy).select_coreset_idxs()
    torch.manual_seed(pool.seed)
    return k_center_greedy()(embedding, ratio).select_coreset_idxs()


@functools.cache
def k_center_greedy() -> Any:
    """Anomalib's class, out of its two files: the package imports a trainer and torchvision."""
    found = importlib.util.find_spec("anomalib")
    if found is None or found.origin is None:
        raise ImportError("anomalib is not installed")
    components = Path(found.origin).parent / "models" / "components"
    package = "anomalib.models.components.dimensionality_reduction"
    for name in ("anomalib", "anomalib.models", "anomalib.models.components", package):
        sys.modules[name] = types.ModuleType(name)
    projection = _module(components / "dimensionality_reduction" / "random_projection.py")
    vars(sys.modules[package])["SparseRandomProjection"] = projection.SparseRandomProjection
    return _module(components / "sampling" / "k_center_greedy.py").KCenterGreedy


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOSTS: dict[str, Callable[[str, str, Pool], Any]] = {
    "skactiveml": scikit_activeml,
    "small_text": small_text,
    "baal": baal,
    "anomalib": anomalib,
}


def make_pool(task: Task, *, n: int, batch_size: int) -> Pool:
    """The pool of a task, or a small one of its kind."""
    problem = make_problem(n, task.d, task.classes, labeled=task.labeled, seed=task.seed)
    return Pool(problem.features, problem.outputs, problem.labeled, batch_size, task.seed)


def main(text: str) -> None:
    """Run one task; print what `attempt` returns."""
    given = json.loads(text)
    host, task = HOSTS[given.pop("host")], Task(**given)
    resource.setrlimit(resource.RLIMIT_AS, (task.memory_limit, task.memory_limit))
    warnings.simplefilter("ignore")  # the hosts' own
    print(json.dumps(attempt(host, task)))


def attempt(host: Callable[[str, str, Pool], Any], task: Task) -> dict[str, Any]:
    """What `measure` returns, or ``{"out_of_memory": words}``."""
    try:
        return measure(host, task)
    except (MemoryError, RuntimeError) as error:  # torch raises the latter
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        return {"out_of_memory": str(error)}


def measure(host: Callable[[str, str, Pool], Any], task: Task) -> dict[str, Any]:
    """One run, after a small one for the imports."""
    host(task.side, task.strategy, make_pool(task, n=4 * task.labeled + 40, batch_size=3))
    pool = make_pool(task, n=task.n, batch_size=task.batch_size)
    return measured_call(lambda: host(task.side, task.strategy, pool))


if __name__ == "__main__":
    main(sys.argv[1])
