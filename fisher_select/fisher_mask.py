# SPDX-License-Identifier: Apache-2.0
"""FisherMask: BAIT on the gradients of the few parameters that matter most, over all layers.

torch is imported when a mask is made, not before.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select import backends, dual
from fisher_select.arrays import Array, as_factors, as_labeled
from fisher_select.errors import NumericalError
from fisher_select.extras import require
from fisher_select.factors import TraceProblem, trace_problem
from fisher_select.mask import SCOPES, top_k_mask
from fisher_select.mask_profile import MaskProfile
from fisher_select.memory import MemoryNeed, check_memory
from fisher_select.options import as_count, as_real, as_seed, check_batch, one_of
from fisher_select.progress import ProgressCallback
from fisher_select.select import random
from fisher_select.selection import Selection

__all__ = ["MaskedSelection", "fisher_mask"]


@dataclass(frozen=True, eq=False)
class MaskedSelection(Selection):
    """A `Selection` by FisherMask, with the mask it was made on.

    Attributes
    ----------
    mask : int64 array [D]
        Sorted entries of the vector of trainable parameters (``model.named_parameters()``).
    profile : MaskProfile
        Share of kept parameters of each layer.
    diagnostics : dict of str to float
        "memory_bytes": what the selection was predicted to need beside the model.
    """

    mask: npt.NDArray[np.int64] | None = None
    profile: MaskProfile | None = None


def fisher_mask(
    model: Any,
    pool: Any,
    *,
    labeled: Array | None = None,
    batch_size: int,
    sparsity: float = 0.002,
    scope: str = "global",
    num_samples: int = 1024,
    expectation: str = "exact",
    sketch_dim: int | None = None,
    dtype: str = "float32",
    path: str | Path | None = None,
    memory_limit: int | None = None,
    lam: float = 1.0,
    oversample: float = 2.0,
    normalization: str = "reference",
    likelihood: str = "softmax",
    layer: str | None = None,
    autocast: str | None = None,
    batch_rows: int = 32,
    inputs: Callable[[Any], Any] | None = None,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = 0,
) -> MaskedSelection:
    """Batch active learning on a Fisher mask of the whole network.

    The diagonal Fisher information of all trainable parameters says which of them matter; the
    last layer and the largest others are the mask. The gradients of the masked parameters,
    sample by sample and class by class and weighted by ``sqrt(p_c)``, are the factors on which
    the greedy of `fisher_select.bait` picks. A softmax over C classes costs C - 1 backward
    passes, batched; the model is left as it was found.

    Parameters
    ----------
    model : torch.nn.Module
        Trained on the labelled rows; left as it was found.
    pool : tensor [n, ...], array [n, ...], Dataset or DataLoader
        All rows, labelled ones included, in order; see `fisher_select.features.extract`.
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.
    sparsity : float, default 0.002
        Share of the trainable parameters in the mask; at least the last layer is.
    scope : {"global", "per_layer"}
        Take the largest of all parameters, or of each layer in proportion to its size.
    num_samples : int, default 1024
        Rows, drawn at random, that the diagonal is averaged over; all where there are fewer.
    expectation : {"exact", "sampled"}
        Of the diagonal: over all classes, or one label a row drawn from the model, a backward
        pass instead of C - 1.
    sketch_dim : int or None
        Project the masked gradients on so many random directions: less memory and time, an
        approximation.
    dtype : {"float32", "bfloat16", "float64"}
        The factors are stored in.
    path : path or None
        Folder for memory-mapped factors instead of memory; see `masked_factors`.
    memory_limit : int or None
        Bytes the selection may hold beside the model and its activations (which a smaller
        `batch_rows` lowers); None is what the machine has free.
    lam, oversample, normalization, backend, threads, chunk_rows, progress
        As in `fisher_select.bait`; ``oversample=1`` is forward only. The stages of `progress`
        are "diagonal", "factors", "forward" and "backward".
    likelihood, layer, autocast, batch_rows, inputs
        As in `fisher_select.features.extract`.
    seed : int or None
        Of the rows and labels drawn for the diagonal, and of the sketch.

    Returns
    -------
    MaskedSelection
        As `fisher_select.bait`'s, with the mask and its profile. With ``backend="auto"`` and
        factors of more parameters than columns (n r <= D) the greedy works on their inner
        products, in float64, and `backend` is "dual".

    Raises
    ------
    TypeError, ValueError
        Bad input, naming the argument and what to pass.
    MemoryError
        Before anything is allocated: what was needed, and which options lower it.
    NumericalError
        As `fisher_select.bait`.

    References
    ----------
    Gul, Elmahallawy, Madria, Tripathy: FisherMask: Enhancing Neural Network Labeling
    Efficiency in Image Classification Using Fisher Information, 2024 (arXiv:2411.05752).
    """
    require("torch", extra="torch")
    from fisher_select import features
    from fisher_select.features.factors import DTYPES

    backends.get(backend)
    _check_share(sparsity)
    one_of("scope", scope, SCOPES)
    one_of("dtype", dtype, DTYPES)
    num_samples, seed = as_count("num_samples", num_samples), as_seed(seed)
    if sketch_dim is not None:
        sketch_dim = as_count("sketch_dim", sketch_dim)
    source = features.Pool(pool, batch_rows=batch_rows, inputs=inputs)
    n = source.n
    rows = as_labeled(labeled, n)
    # Options are resolved on a stand-in of the factors, before these are computed.
    problem = trace_problem(
        None,
        None,
        factors=np.zeros((n, 1, 1)),
        labeled=rows,
        batch_size=check_batch(batch_size, n, len(rows)),
        lam=lam,
        oversample=oversample,
        normalization=normalization,
        threads=threads,
        chunk_rows=chunk_rows,
        progress=progress,
    )
    head = features.last_linear(model, pool, layer=layer, likelihood=likelihood, inputs=inputs)
    layout = features.Layout(model)
    always = layout.entries(head)
    kept = max(round(sparsity * layout.total), sum(len(part) for part in always), 1)
    rank = head.out_features - int(likelihood == "softmax")
    need = MemoryNeed.of(
        layout.total,
        n,
        kept if sketch_dim is None else sketch_dim,
        rank,
        dtype=dtype,
        in_file=path is not None,
        dual_allowed=backend == "auto",
        steps=2 * problem.forward_count - problem.batch_size,
    )
    check_memory(need, memory_limit, f"{kept:,} masked parameters, {n:,} rows, rank {rank}")

    common: dict[str, Any] = {
        "layer": layer,
        "likelihood": likelihood,
        "autocast": autocast,
        "batch_rows": batch_rows,
        "inputs": inputs,
        "progress": progress,
    }
    clock = time.perf_counter()
    diagonal = features.diagonal_fisher(
        model,
        pool,
        rows=_drawn_rows(n, num_samples, seed),
        expectation=expectation,
        seed=seed,
        **common,
    )
    mask = top_k_mask(
        diagonal,
        kept,
        always,
        scope=scope,
        layers=[len(r) for r in layout.layers.values()] if scope == "per_layer" else None,
        backend=backend,
        threads=threads,
    )
    del diagonal  # the factors need the room
    seconds = {"diagonal": time.perf_counter() - clock}
    clock = time.perf_counter()
    factors = features.masked_factors(
        model,
        pool,
        mask,
        reduced=True,
        sketch_dim=sketch_dim,
        dtype=dtype,
        seed=seed,
        path=path,
        **common,
    )
    seconds["factors"] = time.perf_counter() - clock
    picks = _greedy(problem, factors, backend, dual_form=need.dual)
    return MaskedSelection(
        **{f.name: getattr(picks, f.name) for f in dataclasses.fields(picks)}
        | {"seconds": seconds | picks.seconds, "diagnostics": {"memory_bytes": need.peak}},
        mask=mask,
        profile=MaskProfile.of(mask, layout.layers),
    )


def _drawn_rows(n: int, count: int, seed: int | None) -> npt.NDArray[np.int64] | None:
    """Rows to average the diagonal over, sorted; None is all of them."""
    if count >= n:
        return None
    return np.sort(random(n, batch_size=count, seed=seed).indices)


def _greedy(problem: TraceProblem, factors: Any, backend: str, *, dual_form: bool) -> Selection:
    """The engine on the factors [n, D, r], or the dual on their inner products."""
    n, width, rank = factors.shape
    if not dual_form:
        whole = as_factors("factors", factors)
        return backends.get(backend).trace_select(dataclasses.replace(problem, factors=whole))

    def columns(start: int, stop: int) -> npt.NDArray[np.float64]:
        piece: Any = factors[:, start:stop].swapaxes(1, 2)
        if not isinstance(piece, np.ndarray):  # bfloat16, which NumPy lacks
            piece = piece.float().numpy()
        wide: npt.NDArray[np.float64] = piece.reshape(n * rank, -1).astype(np.float64)
        return wide

    clock = time.perf_counter()
    gram = dual.gram_matrix(columns, n * rank, width)
    if not np.isfinite(gram.trace()):
        raise NumericalError("the gradients of the masked parameters are not finite", 0)
    seconds = {"gram": time.perf_counter() - clock}
    picks = dual.trace_select(problem, gram, n)
    return dataclasses.replace(picks, seconds=seconds | picks.seconds)


def _check_share(sparsity: object) -> None:
    share = as_real("sparsity", sparsity, above=0.0)
    if share > 1.0:
        raise ValueError(f"sparsity must be at most 1, got {share:g}")
