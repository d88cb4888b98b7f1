# SPDX-License-Identifier: Apache-2.0
"""What a strategy needs of a round, and how the loop comes by it.

Features and probabilities come from the trainer, which also gives the last layer and samples of
the outputs where it can; the evaluation set of information gain from the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from fisher_select import strategies
from fisher_select.strategies import Strategy
from fisher_select.trainer import LIKELIHOODS, DropoutSampler, LastLayer, Outputs, Trainer
from fisher_select.uncertainty import SAMPLED

__all__ = ["AVAILABLE", "check_needs", "for_task", "round_inputs", "takes_samples"]

AVAILABLE = (
    *Outputs._fields,
    "model",
    "pool",
    "eval_features",
    "eval_labels",
    "weight",
    "bias",
    "data",
)
"""What the loop has for a strategy."""


def takes_samples(strategy: Strategy) -> bool:
    """Whether its probabilities are samples [T, n, C] instead of one matrix."""
    return strategy.options().get("kind") in SAMPLED


def for_task(strategy: str | Strategy, task: str) -> Strategy:
    """The strategy, or the one of that name, with the task's likelihood where it has one."""
    known = strategies.get(strategy) if isinstance(strategy, str) else strategy
    if "likelihood" not in known.options():
        return known
    changes: dict[str, Any] = {"likelihood": LIKELIHOODS[task]}
    return replace(known, **changes)


def check_needs(strategy: Strategy, trainer: Trainer, task: str) -> None:
    """Check that the loop, this trainer and this task have all that a strategy needs.

    Raises
    ------
    ValueError
        Something is missing, or the strategy is not for this task; the message says which.
    TypeError
        A trainer without the method that would give it.
    """
    strategy.check()
    needs = strategy.needs
    missing = [name for name in needs if name not in AVAILABLE]
    if missing:
        raise ValueError(
            f"strategy {strategy.name!r} needs {', '.join(missing)}, which this loop does not "
            f"compute: it has {', '.join(AVAILABLE)}"
        )
    try:
        strategy.check_likelihood(LIKELIHOODS[task])
    except ValueError as error:
        raise ValueError(
            f"strategy {strategy.name!r} does not suit the task {task!r}: {error}"
        ) from None
    _check_method(strategy, trainer, LastLayer, "last_layer", wanted="weight" in needs)
    _check_method(strategy, trainer, DropoutSampler, "samples", wanted=takes_samples(strategy))


def _check_method(
    strategy: Strategy, trainer: Trainer, protocol: type, method: str, *, wanted: bool
) -> None:
    if wanted and not isinstance(trainer, protocol):
        raise TypeError(
            f"trainer must have the method {method!r} for strategy {strategy.name!r}; "
            f"{type(trainer).__name__} has not"
        )


def round_inputs(
    strategy: Strategy,
    trainer: Trainer,
    model: Any,
    pool: NDArray[Any],
    evaluation: tuple[NDArray[Any], NDArray[Any]],
    *,
    task: str,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Compute what the strategy needs, and nothing else.

    Parameters
    ----------
    pool : array [n, ...]
        Inputs of all rows that may be picked or are labelled.
    evaluation : (array [e, ...], int array [e])
        Inputs and labels of the rows that information gain measures the entropy on.
    samples, seed : int
        Number of samples of the outputs, and of their dropout masks.
    """
    needs = set(strategy.needs)
    if takes_samples(strategy):
        sampler: Any = trainer
        drawn = sampler.samples(model, pool, task=task, count=samples, seed=seed)
        return {"probabilities": drawn}
    found: dict[str, Any] = {"model": model, "pool": pool}
    if "data" in needs:
        found["data"] = pool.reshape(len(pool), -1)
    if needs & set(Outputs._fields):
        found |= trainer.outputs(model, pool, task=task)._asdict()
    if "eval_features" in needs:
        inputs, labels = evaluation
        seen = trainer.outputs(model, inputs, task=task)
        found |= {"eval_features": seen.features, "eval_labels": labels}
    if "weight" in needs:
        # The features hold a column of ones, and this matrix the bias as its last row: the
        # same step, and the same scores, as with a bias of its own.
        layered: Any = trainer
        found["weight"] = layered.last_layer(model, pool[:1])
    return _only(found, needs)


def _only(found: Mapping[str, Any], needs: set[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name in needs}
