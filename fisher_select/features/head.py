# SPDX-License-Identifier: Apache-2.0
"""The last linear layer: found by watching one forward pass, or named by the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fisher_select.features.pool import Inputs
from fisher_select.options import one_of

LIKELIHOODS = ("softmax", "sigmoid", "gaussian")


@dataclass(frozen=True, eq=False)
class Head:
    """The layer whose inputs are the features [n, d] and whose outputs the logits [n, C]."""

    name: str
    layer: nn.Linear

    @property
    def dtype(self) -> torch.dtype:
        """Of what is handed out: float64 for a float64 layer, float32 for all others."""
        return torch.float64 if self.layer.weight.dtype == torch.float64 else torch.float32

    @contextmanager
    def watched(self) -> Iterator[list[_Execution]]:
        """Collect the executions of the layer while the context lasts."""
        found: list[_Execution] = []
        handle = _watch(self.name, self.layer, found)
        try:
            yield found
        finally:
            handle.remove()

    def run(self, model: nn.Module, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """One forward pass: features [b, d] and logits [b, C] with their graph, if any.

        Raises
        ------
        ValueError
            The layer runs more than once in the pass or not at all, or its output is no matrix
            with one row for each row of the inputs.
        """
        with self.watched() as found:
            inputs(model)
        if len(found) != 1:
            raise ValueError(
                f"layer {self.name!r} must run once in a forward pass, it ran {len(found)} "
                "times; pass layer= with the name of the linear layer that gives the logits"
            )
        features, logits = found[0].entered, found[0].left
        if logits.ndim != 2 or len(logits) != inputs.rows():
            raise ValueError(
                f"layer {self.name!r} must give one row of outputs for each of the "
                f"{inputs.rows()} rows of a batch, got shape {list(logits.shape)}; pass layer= "
                "with the name of a linear layer that does"
            )
        return features, logits


def find_head(model: nn.Module, inputs: Inputs, *, layer: str | None, likelihood: str) -> Head:
    """The linear layer that ran last in a forward pass over a few rows, or the one named.

    Raises
    ------
    TypeError, ValueError
        No linear layer, several that give outputs (heads), one whose result the model goes on
        to change into something unknown, or too few outputs for the likelihood. The message
        says what to pass.
    """
    one_of("likelihood", likelihood, LIKELIHOODS)
    head = _last(model, inputs) if layer is None else _named(model, layer)
    outputs = head.layer.out_features
    if likelihood == "softmax" and outputs < 2:
        raise ValueError(
            f"likelihood='softmax' wants at least 2 outputs, layer {head.name!r} has "
            f"{outputs}; pass likelihood='sigmoid' or 'gaussian'"
        )
    head.run(model, inputs)
    return head


def check_finite(logits: torch.Tensor, start: int) -> None:
    """Refuse logits [b, C] that are not finite, naming the pool row; the first is `start`."""
    finite = torch.isfinite(logits).all(dim=1)
    if not finite.all():
        row = int(torch.nonzero(~finite)[0])
        raise ValueError(
            f"the model's outputs must be finite: pool row {start + row} gives "
            f"{logits[row].tolist()}; check that row and the weights, and pass autocast=None "
            "or 'bfloat16' where float16 overflows"
        )


@dataclass(frozen=True, eq=False)
class _Execution:
    name: str
    layer: nn.Linear
    entered: torch.Tensor
    left: torch.Tensor


def _watch(name: str, layer: nn.Linear, found: list[_Execution]) -> Any:
    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], left: Any) -> None:
        found.append(_Execution(name, layer, args[0] if args else kwargs["input"], left))

    return layer.register_forward_hook(keep, with_kwargs=True)


def _named(model: nn.Module, name: str) -> Head:
    modules = dict(model.named_modules())
    if name not in modules:
        raise ValueError(
            f"layer must name a module of the model, got {name!r}; {_known(model)}"
        )
    if not isinstance(modules[name], nn.Linear):
        raise TypeError(
            f"layer must name a torch.nn.Linear, {name!r} is a {type(modules[name]).__name__}; "
            f"{_known(model)}"
        )
    return Head(name, modules[name])


def _last(model: nn.Module, inputs: Inputs) -> Head:
    linear = _linear_layers(model)
    if not linear:
        raise ValueError(
            "model must end in a torch.nn.Linear, it has none; replace its last layer (a 1 x 1 "
            "convolution, say) by one, or pass features= and probabilities= instead of model="
        )
    found: list[_Execution] = []
    handles = [_watch(name, layer, found) for name, layer in linear.items()]
    try:
        returned = _tensors(inputs(model))
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError(
            "model must run a torch.nn.Linear in its forward pass, it ran none; call the "
            f"module and not its weight; {_known(model)}"
        )
    last = found[-1]
    _check_single(last, found, returned)
    return Head(last.name, last.layer)


def _check_single(
    last: _Execution, found: list[_Execution], returned: list[torch.Tensor]
) -> None:
    """Refuse several heads, and a model that returns something else than its last layer."""
    heads = {run.name for run in found if any(_same(run.left, tensor) for tensor in returned)}
    siblings = {run.name for run in found if run.entered is last.entered}
    several = heads | siblings if len(heads) > 1 or len(siblings) > 1 else set()
    if several:
        raise ValueError(
            f"model has several heads ({', '.join(sorted(several))}); pass layer= with the "
            "name of the one to select for"
        )
    if not any(_same(seen, tensor) for seen in _readings(last.left) for tensor in returned):
        raise ValueError(
            f"model must return the outputs of its last linear layer, {last.name!r}, or their "
            "softmax or sigmoid; pass layer= with the name of the linear layer that gives the "
            "logits"
        )


def _readings(logits: torch.Tensor) -> list[torch.Tensor]:
    """What a model may return of its logits."""
    return [logits, logits.softmax(-1), logits.log_softmax(-1), logits.sigmoid()]


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal up to rounding and shape ([b, 1] is often returned as [b])."""
    if a is b:
        return True
    if a.numel() != b.numel() or not b.is_floating_point():
        return False
    left, right = a.reshape(-1).float(), b.reshape(-1).float()
    return bool(torch.allclose(left, right, rtol=1e-2, atol=1e-5, equal_nan=True))


def _tensors(value: Any) -> list[torch.Tensor]:
    """All tensors in what a model returned, containers and output objects opened."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [tensor for entry in value for tensor in _tensors(entry)]
    return []


def _linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}


def _known(model: nn.Module) -> str:
    return f"its linear layers are {list(_linear_layers(model))}"
