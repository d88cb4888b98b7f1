# SPDX-License-Identifier: Apache-2.0
"""The arrays a strategy needs, computed from a model and a pool.

torch is imported when a model is used, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fisher_select.arrays import Array
from fisher_select.extras import require
from fisher_select.strategies.base import Strategy
from fisher_select.uncertainty import SAMPLED

OPTIONS = (
    "layer",
    "autocast",
    "batch_rows",
    "inputs",
    "bias_column",
    "eval_pool",
    "samples",
)
"""Keyword arguments of `arrays_from_model`."""

_LAST_LAYER = ("weight", "bias")


def arrays_from_model(
    strategy: Strategy,
    model: Any,
    pool: Any,
    given: Mapping[str, Array],
    *,
    layer: str | None = None,
    autocast: str | None = None,
    batch_rows: int = 256,
    inputs: Callable[[Any], Any] | None = None,
    bias_column: bool | None = None,
    eval_pool: Any = None,
    samples: int = 10,
) -> dict[str, Array]:
    """What the strategy needs, less what is `given` already.

    Parameters
    ----------
    strategy : Strategy
        Its `needs`, and its options, say what is computed.
    given : mapping
        Arrays the caller passed; they go before those of the model.
    eval_pool : as pool, or None
        For strategies with an evaluation set; yields labels as well, unless they are given.
    samples : int
        Dropout samples, for the strategies that take samples.
    model, pool, layer, autocast, batch_rows, inputs, bias_column
        As in `fisher_select.features.extract`.

    Raises
    ------
    TypeError, ValueError
        As `fisher_select.features.extract`.
    """
    require("torch", extra="torch")
    from fisher_select import features

    likelihood = _likelihood(strategy)
    reading: dict[str, Any] = {
        "layer": layer,
        "autocast": autocast,
        "batch_rows": batch_rows,
        "inputs": inputs,
        "progress": strategy.options().get("progress", False),
    }
    needs = [name for name in strategy.needs if name not in given]
    # Where the last layer's weights are an argument of their own, so is the bias.
    ones = False if "weight" in strategy.needs else bias_column
    found: dict[str, Array] = dict(given)
    if strategy.options().get("kind") in SAMPLED:
        found["probabilities"] = features.dropout_samples(
            model, pool, samples=samples, seed=0, **reading
        )
        return found
    if {"features", "probabilities"} & set(needs):
        seen = features.extract(model, pool, likelihood=likelihood, bias_column=ones, **reading)
        found |= _wanted(needs, features=seen.features, probabilities=seen.outputs)
    if {"eval_features", "eval_labels"} & set(needs):
        if eval_pool is None:
            raise ValueError(
                f"eval_pool must be given for strategy {strategy.name!r}: labelled rows to "
                "measure the entropy on, as (inputs, labels)"
            )
        seen = features.extract(
            model,
            eval_pool,
            likelihood=likelihood,
            with_targets="eval_labels" in needs,
            **reading,
        )
        found |= _wanted(needs, eval_features=seen.features, eval_labels=seen.targets)
    if set(_LAST_LAYER) & set(needs):
        last = features.last_linear(model, pool, layer=layer, inputs=inputs)
        weight = last.weight.detach().float().cpu().numpy().T
        bias = None if last.bias is None else last.bias.detach().float().cpu().numpy()
        found |= _wanted(needs, weight=weight, bias=bias)
    return found


def _likelihood(strategy: Strategy) -> str:
    """What the strategy takes the model's outputs for."""
    if "probabilities" not in strategy.needs:
        return "gaussian"  # no probabilities, so no demands on the outputs
    options = strategy.options()
    if options.get("kind") == "average_confidence":
        return "sigmoid"
    return str(options.get("likelihood", "softmax"))


def _wanted(needs: list[str], **arrays: Array | None) -> dict[str, Array]:
    return {k: array for k, array in arrays.items() if k in needs and array is not None}
