# SPDX-License-Identifier: Apache-2.0
"""The diagonal Fisher information of all trainable parameters, without single-sample passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fisher_select.features import layers
from fisher_select.features.columns import EXPECTATIONS, factor_columns, sampled_columns
from fisher_select.features.evaluation import as_module, evaluating, seeded_generator
from fisher_select.features.gradients import PROBE_ROWS, Forward, SampleGradients
from fisher_select.features.parameters import Layout
from fisher_select.features.pool import Batch, Pool
from fisher_select.options import as_count, as_seed, one_of
from fisher_select.progress import ProgressCallback, resolve_progress

BATCH_ROWS = 32


def diagonal_fisher(
    model: nn.Module,
    pool: Any,
    *,
    rows: npt.NDArray[np.int64] | None = None,
    expectation: str = "exact",
    draws: int = 1,
    seed: int | None = 0,
    layer: str | None = None,
    likelihood: str = "softmax",
    autocast: str | None = None,
    batch_rows: int = BATCH_ROWS,
    inputs: Callable[[Batch], Any] | None = None,
    progress: bool | ProgressCallback = False,
) -> npt.NDArray[np.float64]:
    """Diagonal Fisher information E_x E_{y ~ p(x)} (d log p_y / d theta)^2 of a model.

    The model runs in evaluation mode and is left as it was found (see `extract`); its
    ``.grad`` fields are not touched. Cost of the exact expectation, a batch: one forward pass,
    C - 1 backward passes through the activations (softmax), and for the weights less than the
    weight gradients of those passes, because squares of small maps are summed over the classes
    before they meet the inputs.

    Parameters
    ----------
    rows : int64 array or None
        Rows of the pool to average over; None is all.
    expectation : {"exact", "sampled"}
        Over the labels y: all classes, or `draws` labels a row from the model, which costs one
        backward pass each and is unbiased.
    draws : int
        Labels a row, for "sampled".
    seed : int or None
        Of the drawn labels; None draws one.
    model, pool, layer, likelihood, autocast, batch_rows, inputs, progress
        As in `extract`; the stage is "diagonal". A smaller `batch_rows` needs less memory.

    Returns
    -------
    float64 array [number of trainable parameters]
        In the order of ``model.named_parameters()``, shared tensors once and frozen ones
        (``requires_grad=False``) left out.

    Raises
    ------
    TypeError, ValueError
        As `extract`; ValueError too for a model without trainable parameters, or one that
        normalises by the statistics of the batch.

    References
    ----------
    Sung, Nair, Raffel: Training Neural Networks with Fixed Sparse Masks, NeurIPS 2021, eq. 5.
    """
    model = as_module(model)
    source = Pool(pool, batch_rows=batch_rows, inputs=inputs)
    one_of("expectation", expectation, EXPECTATIONS)
    draws, seed = as_count("draws", draws), as_seed(seed)
    report = resolve_progress(progress)
    like = next(model.parameters())
    with evaluating(model, generator=source.generator):
        gradients = SampleGradients(
            model,
            source.head(like, PROBE_ROWS),
            layer=layer,
            likelihood=likelihood,
            autocast=autocast,
        )
        generator = seeded_generator(seed)
        total = torch.zeros(gradients.layout.total, dtype=torch.float64, device=like.device)
        done, wanted = 0, source.n if rows is None else len(rows)
        for arguments, count, _ in source.batches(like, rows):
            forward = gradients.forward(arguments)
            logits = gradients.logits(forward, done)
            if expectation == "exact":
                columns = factor_columns(logits, likelihood, reduced=True)
            else:
                columns = sampled_columns(logits, likelihood, draws, generator)
            add_squares(total, gradients, forward, columns)
            done += count
            if report is not None:
                report("diagonal", done, wanted)
    mean: npt.NDArray[np.float64] = (total / done).cpu().numpy()
    return mean


def add_squares(
    total: torch.Tensor, gradients: SampleGradients, forward: Forward, columns: torch.Tensor
) -> None:
    """Add to total [parameters] the squares of a batch's factors, over samples and columns.

    Parameters
    ----------
    columns : tensor [K, b, C]
        Of the factor of the logits' Fisher information, see `columns.factor_columns`.
    """
    layout = gradients.layout
    shared = gradients.shared(forward)
    sums: dict[int, layers.SquareSum] = {}
    for column, outputs in zip(columns, forward.backward(columns), strict=True):
        whole = gradients.by_torch(forward.inputs, column)
        for position, (use, g) in enumerate(zip(forward.uses, outputs, strict=True)):
            for name, slot in gradients.layer_slots(use).items():
                is_matrix = name == "weight" and isinstance(use.module, layers.MATRIX)
                if is_matrix and slot.name not in shared:
                    if position not in sums:
                        windows = layers.input_windows(use.module, use.entered.to(g.dtype))
                        sums[position] = layers.SquareSum(windows, len(columns))
                    sums[position].add(layers.output_gradient(use.module, g))
                else:
                    part = gradients.whole(use, name, g)
                    whole[slot.name] = whole[slot.name] + part if slot.name in whole else part
        for name, gradient in whole.items():
            _add(total, layout, name, gradient.square().sum(dim=0))
    for position, squares in sums.items():
        slot = gradients.layer_slots(forward.uses[position])["weight"]
        _add(total, layout, slot.name, squares.total())


def _add(total: torch.Tensor, layout: Layout, name: str, squares: torch.Tensor) -> None:
    slot = layout.by_name(name)
    total[slot.start : slot.stop] += squares.reshape(-1).to(total.dtype)
