# SPDX-License-Identifier: Apache-2.0
"""Strategies by name: the registry, and `select`, which runs one.

The registry maps a name to a ready strategy. A further name for a preset is one more line
below.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from fisher_select.arrays import Array
from fisher_select.information_gain import KINDS
from fisher_select.selection import Selection
from fisher_select.strategies.badge import Badge
from fisher_select.strategies.bait import Bait
from fisher_select.strategies.base import Strategy
from fisher_select.strategies.fisher_mask import FisherMask
from fisher_select.strategies.from_model import OPTIONS, arrays_from_model
from fisher_select.strategies.information_gain import InformationGain
from fisher_select.strategies.k_center import KCenter
from fisher_select.strategies.max_det import MaxDet
from fisher_select.strategies.random import Random
from fisher_select.strategies.reinforcement import Reinforcement
from fisher_select.strategies.uncertainty import Uncertainty
from fisher_select.uncertainty import KINDS as UNCERTAINTY_KINDS

__all__ = [
    "Badge",
    "Bait",
    "FisherMask",
    "InformationGain",
    "KCenter",
    "MaxDet",
    "Random",
    "Reinforcement",
    "Strategy",
    "Uncertainty",
    "get",
    "names",
    "register",
    "select",
]

_REGISTRY: dict[str, Strategy] = {}


def register(name: str, strategy: Strategy) -> None:
    """Make `strategy` known as `name`.

    Raises
    ------
    ValueError
        The name is taken.
    """
    if name in _REGISTRY:
        raise ValueError(f"strategy name {name!r} is taken by {_REGISTRY[name]!r}")
    _REGISTRY[name] = strategy


def names() -> tuple[str, ...]:
    """All registered names, sorted."""
    return tuple(sorted(_REGISTRY))


def get(name: str, **fields: Any) -> Strategy:
    """The strategy of that name, with some of its fields replaced: `get("bait", lam=0.01)`.

    Raises
    ------
    ValueError
        Unknown name; the message lists the known ones.
    TypeError
        A field this strategy does not have; the message names it.
    """
    if name not in _REGISTRY:
        raise ValueError(f"strategy must be one of {', '.join(names())}, got {name!r}")
    strategy = _REGISTRY[name]
    known = strategy.options()
    for field in fields:
        if field not in known:
            raise TypeError(
                f"strategy {name!r} has no field {field!r}, only {', '.join(known)}"
            )
    return dataclasses.replace(strategy, **fields)


def select(
    strategy: str,
    *,
    features: Array | None = None,
    probabilities: Array | None = None,
    factors: Array | None = None,
    model: Any = None,
    pool: Any = None,
    labeled: Array | None = None,
    batch_size: int,
    **others: Any,
) -> Selection:
    """Pick rows to label by any strategy, from arrays or from a model.

    ``select("bait", features=X, probabilities=P, ...)``, or
    ``select("bait", model=net, pool=loader, ...)``.

    Parameters
    ----------
    strategy : str
        A registered name, see `fisher_select.strategies.names`.
    features : array [n, d] or None
        Inputs of the model's last layer, labelled rows included.
    probabilities : array [n, C] or None
        The model's outputs.
    factors : array [n, D, r] or None
        Dense factors in place of both; of the three, what the strategy needs.
    model : torch.nn.Module or None
        With `pool`, in place of arrays: `fisher_select.features` computes what the strategy
        needs.
    pool : tensor [n, ...], array [n, ...], Dataset, DataLoader or None
        All rows, labelled ones included, in order.
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.
    **others
        The strategy's own options, which are the keyword arguments of its function, and the
        further arrays some take ("information_gain": eval_features, weight, ...). With a
        model also `layer`, `autocast`, `batch_rows`, `inputs` and `bias_column` as in
        `fisher_select.features.extract` (`bias_column` is None here: a column of ones where the
        layer has a bias), `eval_pool` for information gain, and `samples` for the strategies
        that sample outputs by dropout.

    Returns
    -------
    Selection
        The rows, and how they were found.

    Raises
    ------
    ValueError
        Unknown strategy; the message lists the known ones.
    TypeError
        Unknown field, or an array the strategy does not take; the message names it.
    TypeError, ValueError, NumericalError
        As the strategy's function.
    """
    known = get(strategy)
    further = {name: others.pop(name) for name in known.takes if name in others}
    given = {"features": features, "probabilities": probabilities, "factors": factors}
    arrays = {name: array for name, array in (given | further).items() if array is not None}
    if (model is None) != (pool is None):
        missing, other = ("model", "pool") if model is None else ("pool", "model")
        raise ValueError(f"{missing} must be given together with {other}, got None")
    if "model" in known.takes:
        if model is None:
            raise ValueError(
                f"model and pool must be given for strategy {strategy!r}, got None"
            )
        arrays |= {"model": model, "pool": pool}
    elif model is not None:
        own = known.options()
        reading = {k: others.pop(k) for k in OPTIONS if k in others and k not in own}
        ready = get(strategy, **others)
        arrays = arrays_from_model(ready, model, pool, arrays, **reading)
        return ready.select(batch_size=batch_size, labeled=labeled, **arrays)
    return get(strategy, **others).select(batch_size=batch_size, labeled=labeled, **arrays)


register("badge", Badge())
register("bait", Bait())
# The ablations of the BAIT paper, by name.
register("bait_forward", Bait(oversample=1.0))
register("bait_no_pool", Bait(use_pool_fisher=False))
register("fisher_mask", FisherMask())
register("information_gain", InformationGain())
for _kind in KINDS:
    register(_kind, InformationGain(kind=_kind))
register("k_center", KCenter())
register("k_center_gradient", KCenter(embedding="gradient"))
register("max_det", MaxDet())
register("max_det_full", MaxDet(gradient="full"))
register("random", Random())
register("reinforcement", Reinforcement())
register("uncertainty", Uncertainty())
for _kind in UNCERTAINTY_KINDS:
    register(_kind, Uncertainty(kind=_kind))
