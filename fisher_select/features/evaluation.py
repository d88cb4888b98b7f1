# SPDX-License-Identifier: Apache-2.0
"""Running a model without a trace: its modes and all random states are restored."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import nn

from fisher_select.options import one_of

AUTOCAST = ("bfloat16", "float16")

# The base class of all dropout layers, from Dropout to FeatureAlphaDropout.
_DROPOUT = nn.modules.dropout._DropoutNd


def as_module(model: object) -> nn.Module:
    """Check that the model is a module with parameters."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if next(model.parameters(), None) is None:
        raise ValueError("model must have parameters, got one without any")
    return model


def seeded_generator(seed: int | None) -> torch.Generator:
    """A generator of the CPU, so that every device sees the same draws; None draws a seed."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def dropout_layers(model: nn.Module) -> list[nn.Module]:
    """The layers that drop something: those with a probability above 0."""
    return [m for m in model.modules() if isinstance(m, _DROPOUT) and m.p > 0]


@contextmanager
def evaluating(
    model: nn.Module,
    *,
    generator: torch.Generator | None = None,
    dropout: bool = False,
) -> Iterator[None]:
    """Hold the model in evaluation mode, with `dropout` all but its dropout layers.

    Each module's mode, the random states of torch, NumPy and Python (data sets draw from all
    three) and that of a loader's `generator` are restored, also after an exception.
    """
    modes = [(module, module.training) for module in model.modules()]
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    generator_state = None if generator is None else generator.get_state()
    try:
        with torch.random.fork_rng(devices=sorted(d.index for d in devices)):
            model.eval()
            if dropout:
                for layer in dropout_layers(model):
                    layer.train()
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if generator is not None and generator_state is not None:
            generator.set_state(generator_state)


def casting(model: nn.Module, autocast: str | None) -> AbstractContextManager[object]:
    """Mixed precision on the model's device; None leaves the model's own precision."""
    if autocast is None:
        return nullcontext()
    one_of("autocast", autocast, AUTOCAST)
    device = next(model.parameters()).device.type
    context: AbstractContextManager[object] = torch.autocast(
        device, dtype=getattr(torch, autocast)
    )
    return context
