# SPDX-License-Identifier: Apache-2.0
"""FisherMask's factors: gradients of the masked parameters, row by row of the pool."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fisher_select.features import layers
from fisher_select.features.columns import factor_columns
from fisher_select.features.diagonal import BATCH_ROWS
from fisher_select.features.evaluation import as_module, evaluating, seeded_generator
from fisher_select.features.extraction import digest
from fisher_select.features.gradients import PROBE_ROWS, Forward, SampleGradients
from fisher_select.features.pool import Batch, Pool
from fisher_select.features.store import FileStore, MemoryStore
from fisher_select.options import as_count, as_seed, one_of
from fisher_select.progress import ProgressCallback, resolve_progress

DTYPES = ("float32", "bfloat16", "float64")


def masked_factors(
    model: nn.Module,
    pool: Any,
    mask: npt.NDArray[np.int64],
    *,
    reduced: bool = False,
    sketch_dim: int | None = None,
    dtype: str = "float32",
    seed: int | None = 0,
    path: str | Path | None = None,
    layer: str | None = None,
    likelihood: str = "softmax",
    autocast: str | None = None,
    batch_rows: int = BATCH_ROWS,
    inputs: Callable[[Batch], Any] | None = None,
    progress: bool | ProgressCallback = False,
) -> npt.NDArray[Any] | torch.Tensor:
    """Factors V_i [D, r] of each row's Fisher information in the masked parameters.

    Column c of V_i is ``sqrt(p_c)`` times the gradient of ``log p_c`` (softmax), so that
    V_i V_i^T is the expectation over the labels of the outer product of those gradients. The
    model is left as it was found.

    Parameters
    ----------
    mask : int64 array [D]
        Sorted entries of the trainable parameters' vector, as `fisher_select.top_k_mask` gives
        for `diagonal_fisher`.
    reduced : bool
        Softmax with r = C - 1 columns instead of C dependent ones: the same V_i V_i^T.
    sketch_dim : int or None
        Project the D entries on so many random directions, with entries of variance
        1 / sketch_dim, which leaves inner products unbiased.
    dtype : {"float32", "bfloat16", "float64"}
        Of the stored factors. bfloat16 is given out as a torch tensor, the others as NumPy.
    seed : int or None
        Of the projection; None draws one.
    path : path or None
        Folder for a memory-mapped ``factors.npy``; an interrupted run goes on where it
        stopped, as in `extract`.
    model, pool, layer, likelihood, autocast, batch_rows, inputs, progress
        As in `diagonal_fisher`; the stage is "factors".

    Returns
    -------
    array [n, D, r]
        For ``fisher_select.bait(factors=...)``; a view of [n, r, D], the layout its products
        want.

    Raises
    ------
    TypeError, ValueError
        As `diagonal_fisher`; ValueError too for a mask that is not sorted or out of range.
    """
    model = as_module(model)
    source = Pool(pool, batch_rows=batch_rows, inputs=inputs)
    one_of("dtype", dtype, DTYPES)
    seed = as_seed(seed)
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
        masked = _MaskedGradients(gradients, mask)
        projection = _projection(len(mask), sketch_dim, seed, gradients.head.layer.weight)
        width = len(mask) if sketch_dim is None else sketch_dim
        rank = gradients.head.layer.out_features - int(reduced and likelihood == "softmax")
        store: FileStore | MemoryStore
        if path is None:
            store = MemoryStore(source.n, on_device=False)
        else:
            origin = {
                "model": digest(model),
                "pool": source.fingerprint(),
                "mask": hashlib.sha256(mask.tobytes()).hexdigest(),
                "options": [likelihood, reduced, sketch_dim, dtype, seed, autocast],
            }
            held = "int16" if dtype == "bfloat16" else dtype  # NumPy has no bfloat16
            store = FileStore(Path(path), {"factors": (rank, width)}, source.n, held, origin)
        try:
            left = np.arange(store.done, source.n) if store.done else None
            for arguments, _, _ in source.batches(like, left):
                forward = gradients.forward(arguments)
                logits = gradients.logits(forward, store.done)
                columns = factor_columns(logits, likelihood, reduced=reduced)
                rows = masked.factors(forward, columns)
                if projection is not None:
                    rows = rows @ projection
                rows = rows.to(getattr(torch, dtype))
                store.put([rows.view(torch.int16) if dtype == "bfloat16" else rows])
                if report is not None:
                    report("factors", store.done, source.n)
        finally:
            store.close()
    (stored,) = store.arrays()
    if dtype == "bfloat16":
        return torch.as_tensor(stored).view(torch.bfloat16).transpose(1, 2)
    return stored.transpose(0, 2, 1)


class _MaskedGradients:
    """The masked entries, sorted to the parameters and layers they belong to."""

    def __init__(self, gradients: SampleGradients, mask: npt.NDArray[np.int64]) -> None:
        total = gradients.layout.total
        if mask.ndim != 1 or len(mask) == 0 or np.any(np.diff(mask) <= 0):
            raise ValueError("mask must hold sorted indices, each once, and at least one")
        if mask[0] < 0 or mask[-1] >= total:
            raise ValueError(
                f"mask must hold parameters from 0 to {total - 1}, got {mask[0]} to {mask[-1]}"
            )
        self._gradients, self._width = gradients, len(mask)
        device = gradients.head.layer.weight.device
        # Of each parameter: its entries, and where they go in the factor.
        self._entries: dict[str, tuple[torch.Tensor, slice]] = {}
        for slot in gradients.layout.slots:
            first, last = np.searchsorted(mask, [slot.start, slot.stop])
            if first < last:
                flat = torch.as_tensor(mask[first:last] - slot.start, device=device)
                self._entries[slot.name] = flat, slice(int(first), int(last))
        self._pickers: dict[nn.Module, layers.Entries] = {}

    def factors(self, forward: Forward, columns: torch.Tensor) -> torch.Tensor:
        """[b, r, D] for the columns [r, b, C] of the logits' factor."""
        gradients, b = self._gradients, len(forward.logits)
        factors = columns.new_zeros((b, len(columns), self._width))
        inputs: dict[int, torch.Tensor] = {}
        for k, outputs in enumerate(forward.backward(columns)):
            row = factors[:, k]
            for position, (use, g) in enumerate(zip(forward.uses, outputs, strict=True)):
                for name, slot in gradients.layer_slots(use).items():
                    if slot.name not in self._entries:
                        continue
                    flat, where = self._entries[slot.name]
                    if name == "weight" and isinstance(use.module, layers.MATRIX):
                        picker = self._picker(use.module, flat)
                        if position not in inputs:
                            windows = layers.input_windows(use.module, use.entered.to(g.dtype))
                            inputs[position] = picker.inputs(windows)
                        outer = layers.output_gradient(use.module, g)
                        row[:, where] += picker.gradient(inputs[position], outer)
                    else:
                        row[:, where] += gradients.whole(use, name, g)[:, flat]
            wanted = any(slot.name in self._entries for slot in gradients.batched)
            whole = gradients.by_torch(forward.inputs, columns[k]) if wanted else {}
            for slot_name, gradient in whole.items():
                if slot_name in self._entries:
                    flat, where = self._entries[slot_name]
                    row[:, where] += gradient[:, flat]
        return factors

    def _picker(self, module: nn.Module, flat: torch.Tensor) -> layers.Entries:
        if module not in self._pickers:
            self._pickers[module] = layers.Entries(module, flat)
        return self._pickers[module]


def _projection(
    width: int, sketch_dim: int | None, seed: int | None, like: torch.Tensor
) -> torch.Tensor | None:
    """Random directions [width, sketch_dim], the same for the same seed on every device."""
    if sketch_dim is None:
        return None
    sketch_dim = as_count("sketch_dim", sketch_dim)
    directions = torch.randn(width, sketch_dim, generator=seeded_generator(seed))
    directions /= sketch_dim**0.5
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    return directions.to(like.device, dtype)
