# SPDX-License-Identifier: Apache-2.0
"""What a strategy needs inside a host: who gives it, and how its answer becomes a ranking.

A host gives some arrays by itself, such as the outputs of its classifier; a user gives others
through `provide`, functions by the name of the array. A strategy that neither serves is refused
when the adapter is made, not when it is asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fisher_select import strategies
from fisher_select.arrays import Array, as_labeled
from fisher_select.options import as_count
from fisher_select.strategies import (
    InformationGain,
    Random,
    Reinforcement,
    Strategy,
    Uncertainty,
)
from fisher_select.strategy_inputs import takes_samples

__all__ = [
    "ALL",
    "Provide",
    "clipped",
    "gathered",
    "needed",
    "ranked",
    "resolved",
]

Provide: TypeAlias = Mapping[str, Callable[[Any, Any], Array]]
"""By the name of an array: a function of the host's model and its rows."""

ALL = frozenset(
    {
        "features",
        "probabilities",
        "samples",
        "model",
        "pool",
        "data",
        "weight",
        "bias",
        "eval_features",
        "eval_labels",
    }
)
"""Every name a strategy may ask for; "samples" [T, n, C] are outputs of several models."""

_ONE_BY_ONE = (InformationGain, Random, Reinforcement, Uncertainty)
"""Their score of a row does not depend on the other picks, so that all rows can be ranked."""


def needed(strategy: Strategy) -> tuple[str, ...]:
    """Names of the arrays it asks for, "samples" told from "probabilities"."""
    renamed = {"probabilities": "samples"} if takes_samples(strategy) else {}
    return tuple(renamed.get(name, name) for name in strategy.needs)


def resolved(
    strategy: str | Strategy,
    *,
    host: str,
    gives: Collection[str],
    provide: Mapping[str, Any] | None = None,
) -> Strategy:
    """The strategy itself, once it is sure that all it needs can be had.

    Parameters
    ----------
    strategy
        A registered name, or ``strategies.get("bait", lam=0.01)``.
    host
        Its name, for messages.
    gives
        Names of the arrays that the adapter computes itself.
    provide
        Those that the user gives.

    Raises
    ------
    ValueError
        An unknown strategy, one that misses something, or a name in `provide` that it does not
        ask for.
    TypeError
        Neither a name nor a strategy; or, in `provide`, no function.
    """
    known = strategies.get(strategy) if isinstance(strategy, str) else strategy
    if not isinstance(known, Strategy):
        raise TypeError(f"strategy must be a name or a strategy, got {type(known).__name__}")
    known.check()
    names, given = needed(known), {} if provide is None else provide
    for name, function in given.items():
        if name not in names:
            raise ValueError(
                f"provide may hold {', '.join(names)} for strategy {known.name!r}, got {name!r}"
            )
        if not callable(function):
            raise TypeError(
                f"provide[{name!r}] must be a function, got {type(function).__name__}"
            )
    missing = [name for name in names if name not in gives and name not in given]
    if missing:
        raise ValueError(
            f"strategy {known.name!r} needs {', '.join(missing)}, which {host} does not give: "
            f"pass it by name in provide"
        )
    return known


def gathered(strategy: Strategy, get: Callable[[str], Any]) -> dict[str, Any]:
    """What `strategy.select` takes, each array asked of `get` by its name; None is left out."""
    found = {name: get(name) for name in needed(strategy)}
    if "samples" in found:
        found["probabilities"] = found.pop("samples")
    return {name: value for name, value in found.items() if value is not None}


def clipped(batch_size: object, free: int) -> int:
    """A batch no larger than the rows that are left; warns where it was.

    Raises
    ------
    ValueError
        No row is left.
    """
    batch = as_count("batch_size", batch_size)
    if free == 0:
        raise ValueError("no unlabelled row is left to pick")
    if batch > free:
        warnings.warn(
            f"only {free} unlabelled rows are left of the {batch} asked for: all are picked",
            UserWarning,
            stacklevel=3,
        )
    return min(batch, free)


def ranked(
    strategy: Strategy,
    arrays: Mapping[str, Any],
    *,
    n: int,
    labeled: Array,
    batch_size: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All unlabelled rows, best first, and a score of each, never rising.

    A strategy that scores rows one by one ranks them all. One that picks sets ranks its batch,
    scored by rank from `batch_size` down to 1; the other rows follow by index with score 0.

    Parameters
    ----------
    n
        Rows in all.
    batch_size
        At most the unlabelled ones.
    """
    free = np.setdiff1d(np.arange(n), as_labeled(labeled, n))
    if isinstance(strategy, _ONE_BY_ONE):
        picks = strategy.select(batch_size=len(free), labeled=labeled, **arrays)
        return picks.indices, picks.scores
    picks = strategy.select(batch_size=batch_size, labeled=labeled, **arrays)
    order = np.concatenate([picks.indices, np.setdiff1d(free, picks.indices)])
    return order, np.maximum(batch_size - np.arange(len(order), dtype=np.float64), 0.0)
