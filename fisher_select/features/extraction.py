# SPDX-License-Identifier: Apache-2.0
"""Features and outputs of every row of a pool, and samples of the outputs under dropout."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fisher_select.features.evaluation import as_module, casting, dropout_layers, evaluating
from fisher_select.features.head import check_finite, find_head
from fisher_select.features.pool import Batch, Pool, targets
from fisher_select.features.store import FileStore, MemoryStore, Rows
from fisher_select.options import as_count, as_seed, one_of
from fisher_select.progress import ProgressCallback, resolve_progress

BATCH_ROWS = 256

_PROBE_ROWS = 4  # enough to tell the logits from what a model makes of them


class Extraction(NamedTuple):
    """What a model makes of a pool, each row in its place.

    `features` [n, d] is what enters the last linear layer, `outputs` [n, C] its softmax
    probabilities, its sigmoid ones, or for ``likelihood="gaussian"`` the outputs themselves.
    `targets` [n] are the labels the pool came with, where they were asked for.
    """

    features: Rows
    outputs: Rows
    targets: Rows | None = None


def extract(
    model: nn.Module,
    pool: Any,
    *,
    layer: str | None = None,
    likelihood: str = "softmax",
    bias_column: bool | None = False,
    autocast: str | None = None,
    batch_rows: int = BATCH_ROWS,
    inputs: Callable[[Batch], Any] | None = None,
    to: str = "numpy",
    path: str | Path | None = None,
    with_targets: bool = False,
    progress: bool | ProgressCallback = False,
) -> Extraction:
    """Run a model over a pool and keep the last linear layer's inputs and outputs.

    One forward pass in evaluation mode, without gradients. The model, its modes and hooks, and
    all random states are left as they were found, also after an exception.

    Parameters
    ----------
    model : torch.nn.Module
        Any; its inputs are moved to the device of its first parameter.
    pool : tensor [n, ...], array [n, ...], Dataset or DataLoader
        Read in order; see `fisher_select.features.Pool` for loaders and tuples.
    layer : str or None
        Name of the last linear layer, as ``model.named_modules()`` has it; None finds it.
    likelihood : {"softmax", "sigmoid", "gaussian"}
        What `outputs` are: class probabilities, probabilities of labels that do not exclude
        each other, or the plain outputs of a regression.
    bias_column : bool or None
        Append a column of ones to the features, so that they stand for the bias as well; None
        does where the layer has a bias.
    autocast : {"bfloat16", "float16"} or None
        Mixed precision of the forward pass.
    batch_rows : int
        Rows a batch, where the pool is no DataLoader.
    inputs : callable or None
        From a batch to the model's inputs; see `fisher_select.features.Pool`.
    to : {"numpy", "device"}
        NumPy arrays, or tensors on the model's device.
    path : path or None
        Folder for memory-mapped ``features.npy`` and ``outputs.npy``, for pools larger than
        memory. An interrupted extraction goes on where it stopped when called again; a
        complete one is only opened.
    with_targets : bool
        Collect the pool's labels as well; not together with `path`.
    progress : bool or callable
        As in `fisher_select.bait`; the stage is "features".

    Returns
    -------
    Extraction
        float32, or float64 where the layer is.

    Raises
    ------
    TypeError, ValueError
        Bad input: a model without a last linear layer or with several, a loader that shuffles,
        outputs that are not finite (naming the row), a folder that belongs to something else.
    """
    model = as_module(model)
    rows = Pool(pool, batch_rows=batch_rows, inputs=inputs)
    one_of("to", to, ("numpy", "device"))
    if path is not None and (to != "numpy" or with_targets):
        raise ValueError("path must be None with to='device' and with with_targets=True")
    report = resolve_progress(progress)
    like = next(model.parameters())
    with evaluating(model, generator=rows.generator), torch.no_grad(), casting(model, autocast):
        probe = rows.head(like, _PROBE_ROWS)
        head = find_head(model, probe, layer=layer, likelihood=likelihood)
        with_bias = head.layer.bias is not None if bias_column is None else bool(bias_column)
        store: MemoryStore | FileStore
        if path is None:
            store = MemoryStore(rows.n, on_device=to == "device")
        else:
            store = FileStore(
                Path(path),
                {
                    "features": (head.layer.in_features + int(with_bias),),
                    "outputs": (head.layer.out_features,),
                },
                rows.n,
                str(head.dtype).removeprefix("torch."),
                {
                    "model": digest(model),
                    "pool": rows.fingerprint(),
                    "options": [head.name, likelihood, with_bias, autocast],
                },
            )
        labels = []
        try:
            left = np.arange(store.done, rows.n) if store.done else None
            for arguments, count, batch in rows.batches(like, left):
                features, logits = head.run(model, arguments)
                features, logits = features.to(head.dtype), logits.to(head.dtype)
                check_finite(logits, store.done)
                if with_bias:
                    features = torch.cat([features, features.new_ones(count, 1)], dim=1)
                store.put([features, link(logits, likelihood)])
                if with_targets:
                    labels.append(targets(batch))
                if report is not None:
                    report("features", store.done, rows.n)
        finally:
            store.close()
    entered, outputs = store.arrays()
    return Extraction(entered, outputs, torch.cat(labels).numpy() if labels else None)


def dropout_samples(
    model: nn.Module,
    pool: Any,
    *,
    samples: int = 10,
    seed: int | None = 0,
    layer: str | None = None,
    likelihood: str = "softmax",
    autocast: str | None = None,
    batch_rows: int = BATCH_ROWS,
    inputs: Callable[[Batch], Any] | None = None,
    progress: bool | ProgressCallback = False,
) -> np.ndarray[Any, np.dtype[np.floating[Any]]]:
    """Draw samples of a model's outputs with its dropout layers, and only these, active.

    Parameters
    ----------
    samples : int
        Forward passes T over the pool, which is read once.
    seed : int or None
        Of the dropout masks; None draws one. The samples depend on the batches too.
    model, pool, layer, likelihood, autocast, batch_rows, inputs, progress
        As in `extract`.

    Returns
    -------
    float array [T, n, C]
        For `fisher_select.uncertainty` with ``kind="bald"`` or ``"mc_dropout_entropy"``.

    Raises
    ------
    TypeError, ValueError
        As `extract`; ValueError too for a model without dropout layers.

    References
    ----------
    Gal, Ghahramani: Dropout as a Bayesian Approximation, ICML 2016.
    """
    model = as_module(model)
    rows = Pool(pool, batch_rows=batch_rows, inputs=inputs)
    samples, seed = as_count("samples", samples), as_seed(seed)
    report = resolve_progress(progress)
    if not dropout_layers(model):
        raise ValueError(
            "model must have dropout layers (torch.nn.Dropout with p > 0) to sample from, it "
            "has none; pass probabilities= [T, n, C] of an ensemble instead"
        )
    like = next(model.parameters())
    store = MemoryStore(rows.n, on_device=False)
    with (
        evaluating(model, generator=rows.generator, dropout=True),
        torch.no_grad(),
        casting(model, autocast),
    ):
        head = find_head(
            model, rows.head(like, _PROBE_ROWS), layer=layer, likelihood=likelihood
        )
        if seed is None:
            torch.seed()
        else:
            torch.manual_seed(seed)
        for arguments, _, _ in rows.batches(like):
            drawn = []
            for _ in range(samples):
                logits = head.run(model, arguments)[1].to(head.dtype)
                check_finite(logits, store.done)
                drawn.append(link(logits, likelihood))
            store.put([torch.stack(drawn, dim=1)])
            if report is not None:
                report("dropout", store.done, rows.n)
    (outputs,) = store.arrays()
    return np.asarray(outputs).transpose(1, 0, 2)


def link(logits: torch.Tensor, likelihood: str) -> torch.Tensor:
    """Outputs of a likelihood: probabilities, or the logits of a regression as they are."""
    if likelihood == "softmax":
        return logits.softmax(dim=1)
    return logits.sigmoid() if likelihood == "sigmoid" else logits


def last_linear(
    model: nn.Module,
    pool: Any,
    *,
    layer: str | None = None,
    likelihood: str = "gaussian",
    inputs: Callable[[Batch], Any] | None = None,
) -> nn.Linear:
    """The layer that `extract` reads: the one named, or the linear layer that runs last.

    The arguments are those of `extract`; a few rows of the pool are run.

    Raises
    ------
    TypeError, ValueError
        As `extract`.
    """
    model = as_module(model)
    rows = Pool(pool, batch_rows=_PROBE_ROWS, inputs=inputs)
    with evaluating(model, generator=rows.generator), torch.no_grad():
        probe = rows.head(next(model.parameters()), _PROBE_ROWS)
        return find_head(model, probe, layer=layer, likelihood=likelihood).layer


def digest(model: nn.Module) -> str:
    """A digest of every parameter and buffer."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
