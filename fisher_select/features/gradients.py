# SPDX-License-Identifier: Apache-2.0
"""Gradients of single samples of a whole model, batched: one backward pass a column of L.

A backward pass runs through the activations alone; the parameters' gradients, sample by sample,
follow from what entered each layer and the gradient of what left it (layers.py). Parameters
used in any other way than by a known layer's own forward are found by a trial on the pool's
first rows, and go through ``torch.func`` instead: slower, and as exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call, grad, vmap

from fisher_select.features import layers
from fisher_select.features.evaluation import casting
from fisher_select.features.head import check_finite, find_head
from fisher_select.features.parameters import Layout, Slot
from fisher_select.features.pool import Inputs

PROBE_ROWS = 3  # more than one, so that samples can be told apart

_BATCHED_BYTES = 1 << 28  # of torch.func's gradients at a time
_FORMULAS = ("weight", "bias")
# Of the norm of a parameter's gradient; a wrong one is off by about the norm itself.
_TRIAL_TOLERANCE = 1e-3
_TRIAL_TOLERANCE_AUTOCAST = 5e-2


@dataclass(frozen=True, eq=False)
class Use:
    """One execution of a layer: what entered it, and the edge of the graph it left by."""

    module: nn.Module
    entered: torch.Tensor
    edge: GradientEdge


@dataclass(frozen=True, eq=False)
class Forward:
    """A forward pass whose graph is kept: logits [b, C] and the layers executed."""

    inputs: Inputs
    logits: torch.Tensor
    uses: list[Use]

    def backward(self, columns: torch.Tensor) -> Iterator[list[torch.Tensor]]:
        """Yield for each column [b, C] the output gradients of all uses, in their order."""
        edges = [use.edge for use in self.uses]
        for k, column in enumerate(columns):
            if not edges:
                yield []
                continue
            found = torch.autograd.grad(
                self.logits,
                edges,
                column.to(self.logits.dtype),
                retain_graph=k + 1 < len(columns),
                allow_unused=True,
                materialize_grads=True,
            )
            yield [g.detach() for g in found]


class SampleGradients:
    """How to get the per-sample gradients of a model's trainable parameters.

    Attributes
    ----------
    head : Head
    layout : Layout
    layered : set of str
        Parameters reached by formulas of their layers.
    batched : list of Slot
        Those that need torch.func.

    Raises
    ------
    ValueError
        No gradient of single samples exists (batch statistics), or it cannot be had.
    """

    def __init__(
        self,
        model: nn.Module,
        probe: Inputs,
        *,
        layer: str | None,
        likelihood: str,
        autocast: str | None,
    ) -> None:
        _check_rows_independent(model)
        self._model, self._autocast = model, autocast
        self.layout = Layout(model)
        with torch.no_grad(), casting(model, autocast):
            self.head = find_head(model, probe, layer=layer, likelihood=likelihood)
        own = [(m, self._own(m)) for m in model.modules() if layers.is_known(m)]
        self._modules = [module for module, slots in own if slots]
        self.layered = {slot.name for _, slots in own for slot in slots.values()}
        self.layered -= self._disagreeing(probe)
        self.batched = [slot for slot in self.layout.slots if slot.name not in self.layered]

    def forward(self, inputs: Inputs) -> Forward:
        """Run a batch and keep the graph."""
        with (
            torch.enable_grad(),
            casting(self._model, self._autocast),
            self._captured() as uses,
        ):
            _, logits = self.head.run(self._model, inputs)
        return Forward(inputs, logits, uses)

    def logits(self, forward: Forward, start: int) -> torch.Tensor:
        """The batch's logits without graph, in the head's precision, checked to be finite."""
        logits = forward.logits.detach().to(self.head.dtype)
        check_finite(logits, start)
        return logits

    def layer_slots(self, use: Use) -> dict[str, Slot]:
        """The module's own parameters that its formula covers: "weight", "bias"."""
        found = self._own(use.module)
        return {name: slot for name, slot in found.items() if slot.name in self.layered}

    def shared(self, forward: Forward) -> set[str]:
        """Parameters with more than one use in a pass: their gradients add up first."""
        names = [slot.name for use in forward.uses for slot in self.layer_slots(use).values()]
        return {name for name in names if names.count(name) > 1}

    def whole(self, use: Use, name: str, g: torch.Tensor) -> torch.Tensor:
        """A layer's per-sample gradient [b, numel] of its weight or bias."""
        if name == "weight" and isinstance(use.module, layers.MATRIX):
            windows = layers.input_windows(use.module, use.entered.to(g.dtype))
            outputs = layers.output_gradient(use.module, g)
            gradient = layers.weight_gradient(windows, outputs)
        else:
            gradient = layers.channel_gradient(use.module, name, use.entered.to(g.dtype), g)
        return gradient.reshape(len(g), -1)

    def by_torch(self, inputs: Inputs, column: torch.Tensor) -> dict[str, torch.Tensor]:
        """Per-sample gradients [b, numel] of the `batched` parameters for one column."""
        if not self.batched:
            return {}
        parameters = {slot.name: slot.parameter.detach() for slot in self.batched}
        numbers = sum(p.numel() for p in parameters.values())
        call = vmap(
            grad(self._scalar(inputs)),
            in_dims=(None, 0, 0),
            chunk_size=max(1, _BATCHED_BYTES // (4 * numbers)),
        )
        try:
            found = call(parameters, inputs.tensors(), column)
        except RuntimeError as error:
            names = ", ".join(parameters)
            raise ValueError(
                f"gradients of single samples cannot be had for the parameters {names}: "
                f"torch.func says {str(error).partition(chr(10))[0]!r}; freeze them "
                "(requires_grad_(False)) to leave them out"
            ) from error
        return {name: g.detach().reshape(len(column), -1) for name, g in found.items()}

    def _scalar(self, inputs: Inputs) -> Callable[..., torch.Tensor]:
        """One sample's logits times a column, as a function of the parameters."""

        def scalar(
            parameters: dict[str, torch.Tensor], row: list[torch.Tensor], column: torch.Tensor
        ) -> torch.Tensor:
            args, kwargs = inputs.replaced([tensor[None] for tensor in row])
            with self.head.watched() as found:  # vmap and autocast do not go together
                functional_call(self._model, parameters, args, kwargs)
            return (found[0].left[0].to(column.dtype) * column).sum()

        return scalar

    def _own(self, module: nn.Module) -> dict[str, Slot]:
        """The parameters a formula of this module gives: name within it to slot."""
        slots = {name: self.layout.slot(getattr(module, name, None)) for name in _FORMULAS}
        return {name: slot for name, slot in slots.items() if slot is not None}

    @contextmanager
    def _captured(self) -> Iterator[list[Use]]:
        uses: list[Use] = []

        def keep(
            module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], left: torch.Tensor
        ) -> None:
            entered = args[0] if args else kwargs["input"]
            # The edge, not the tensor: a following in-place ReLU would change what it is.
            uses.append(Use(module, entered.detach(), get_gradient_edge(left)))

        handles = [m.register_forward_hook(keep, with_kwargs=True) for m in self._modules]
        try:
            yield uses
        finally:
            for handle in handles:
                handle.remove()

    def _disagreeing(self, probe: Inputs) -> set[str]:
        """Parameters whose formulas do not give autograd's gradient of each row of the probe.

        That is how uses outside their layer show, such as a weight tied to an embedding, and
        layers whose first axis is not the sample, such as tokens of all samples in one matrix.
        """
        forward = self.forward(probe)
        rows = len(forward.logits)
        generator = torch.Generator().manual_seed(0)
        column = torch.randn(forward.logits.shape, generator=generator).to(forward.logits)
        mine: dict[str, torch.Tensor] = {}
        wrong = set()
        (gradients,) = forward.backward(column[None])
        for use, g in zip(forward.uses, gradients, strict=True):
            for name, slot in self.layer_slots(use).items():
                if len(g) != rows:
                    wrong.add(slot.name)
                else:
                    whole = self.whole(use, name, g)
                    mine[slot.name] = mine[slot.name] + whole if slot.name in mine else whole
        slots = [slot for slot in self.layout.slots if slot.name in self.layered - wrong]
        tolerance = _TRIAL_TOLERANCE if self._autocast is None else _TRIAL_TOLERANCE_AUTOCAST
        again = self.forward(probe).logits
        for row in range(rows):
            expected = torch.autograd.grad(
                again[row],
                [slot.parameter for slot in slots],
                column[row],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            for slot, wanted in zip(slots, expected, strict=True):
                got = mine[slot.name][row] if slot.name in mine else torch.zeros(()).to(wanted)
                if (got - wanted.reshape(-1)).norm() > tolerance * wanted.norm():
                    wrong.add(slot.name)
        return wrong


def _check_rows_independent(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ValueError(
                f"model must treat each row by itself, but {name!r} normalises by the batch's "
                "statistics; use a BatchNorm with track_running_stats=True"
            )
