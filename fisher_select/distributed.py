# SPDX-License-Identifier: Apache-2.0
"""Selection from a pool that several processes hold, each some rows, on torch.distributed.

    torchrun --nproc-per-node 4 script.py

with, in script.py,

    torch.distributed.init_process_group("gloo")
    picks = fs.distributed.bait(X_shard, P_shard, labeled=rows_of_the_shard, batch_size=100)

The picks are those of one process with all rows, whatever the number of ranks and however the
rows are spread. The pool is numbered through: rank 0's rows, then rank 1's, and so on. Nothing
of a rank's rows leaves it but the rows picked: F and the labelled rows' information are sums
over the ranks, and a pick exchanges each rank's best (score, row) and the winner's x and p.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fisher_select import backends
from fisher_select.arrays import Array
from fisher_select.backends import trace_arguments
from fisher_select.determinant import check_gradient, log_det_arguments
from fisher_select.errors import RankError
from fisher_select.extras import require
from fisher_select.factors import Totals, trace_problem
from fisher_select.options import as_seed
from fisher_select.placement import place
from fisher_select.progress import ProgressCallback
from fisher_select.ranks import Ranks, TorchRanks, agree
from fisher_select.selection import Selection
from fisher_select.shards import make_shard

__all__ = ["RankError", "bait", "max_det"]

_TIMEOUT = 300.0  # seconds


def bait(
    X: Array | None = None,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    lam: float = 1.0,
    oversample: float = 2.0,
    normalization: str = "reference",
    likelihood: str = "softmax",
    factors: Array | None = None,
    fisher: str = "full",
    rank: int | None = None,
    top_classes: int | None = None,
    use_pool_fisher: bool = True,
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = None,
    group: Any = None,
    timeout: float = _TIMEOUT,
    state: str | os.PathLike[str] | None = None,
) -> Selection:
    """`fisher_select.bait` on a pool held by the ranks of a process group; same picks.

    Every rank calls it, with its own rows and the same options.

    Parameters
    ----------
    X : array [n_k, d]
        Features of this rank's rows, at least one, in the CPU's memory or memory-mapped.
    P : array [n_k, C] or None
        Their probabilities.
    labeled : int array [m_k], bool array [n_k] or None
        Those of this rank's rows that are labelled, counted from its first.
    batch_size : int
        Rows to label now, of the whole pool: a rank may have fewer, or none that is free.
    lam, oversample, normalization, likelihood, factors, fisher, rank, use_pool_fisher
        As for `fisher_select.bait`; `factors` are this rank's.
    top_classes
        As for `fisher_select.bait`: the classes that lead in the whole pool, by traces summed
        over the ranks.
    threads, chunk_rows, progress, seed
        As for `fisher_select.bait`, each rank's own.
    group : torch.distributed.ProcessGroup or None
        Of any backend; None is the default group. The ranks meet by its store and talk over
        gloo, under NCCL too: what they exchange lies in the memory of the host.
    timeout : float, default 300
        Seconds that a rank may be behind the others, before a pick or while setting up: more
        than a sweep over the largest shard takes longer than over the smallest. A rank that is
        dead or stopped is found out within 10 seconds whatever the timeout; where it is merely
        stopped, or its machine gone without a word, the others may take until the timeout to
        exit.
    state : path or None
        A JSON file that rank 0 keeps of the picks so far. The same call resumes from it, on any
        number of ranks; a complete selection removes it.

    Returns
    -------
    Selection
        The same on all ranks; `indices` and `forward_indices` number the whole pool, `seconds`
        are rank 0's.

    Raises
    ------
    TypeError, ValueError, OSError
        Bad input, on all ranks before any work; the message names the rank and the argument.
    RankError
        A rank died, was more than `timeout` seconds behind, or stopped with an error of its
        own, which that rank raises.
    NumericalError, ImportError, MemoryError
        As `fisher_select.bait`.

    Notes
    -----
    Each rank holds what `fisher_select.bait` holds for its rows, the four D x D matrices
    included. On the network: F and M once, D^2 doubles each, then d + C doubles a pick and two
    for each rank.

    References
    ----------
    As `fisher_select.bait`.
    """

    def prepare(totals: Totals) -> dict[str, Any]:
        as_seed(seed)
        _, (x, p, v) = place("cpu", features=X, probabilities=P, factors=factors)
        problem = trace_problem(
            x,
            p,
            factors=v,
            labeled=labeled,
            batch_size=batch_size,
            lam=lam,
            oversample=oversample,
            normalization=normalization,
            likelihood=likelihood,
            fisher=fisher,
            rank=rank,
            top_classes=top_classes,
            use_pool_fisher=use_pool_fisher,
            threads=threads,
            chunk_rows=chunk_rows,
            progress=progress,
            totals=totals,
        )
        return trace_arguments(problem)

    return _together(group, timeout, "trace_select", prepare, state)


def max_det(
    X: Array | None = None,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    lam: float = 1.0,
    gradient: str = "rank_one",
    rank: int | None = None,
    top_classes: int | None = None,
    likelihood: str = "softmax",
    factors: Array | None = None,
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = None,
    group: Any = None,
    timeout: float = _TIMEOUT,
    state: str | os.PathLike[str] | None = None,
) -> Selection:
    """`fisher_select.max_det` on a pool held by the ranks of a process group; same picks.

    The engine takes the matrix form, for gradient="rank_one" as well.

    Parameters
    ----------
    X, P, labeled, batch_size
        As for `bait`.
    lam, gradient, rank, top_classes, likelihood, factors, threads, chunk_rows, progress, seed
        As for `fisher_select.max_det`.
    group, timeout, state
        As for `bait`.

    Returns
    -------
    Selection
        The same on all ranks; `indices` number the whole pool.

    Raises
    ------
    TypeError, ValueError, OSError, RankError, NumericalError, ImportError, MemoryError
        As `bait`.
    """

    def prepare(totals: Totals) -> dict[str, Any]:
        as_seed(seed)
        check_gradient(gradient, likelihood, rank, top_classes, dense=factors is not None)
        _, (x, p, v) = place("cpu", features=X, probabilities=P, factors=factors)
        return log_det_arguments(
            x,
            p,
            gradient=gradient,
            factors=v,
            labeled=labeled,
            batch_size=batch_size,
            lam=lam,
            likelihood=likelihood,
            rank=rank,
            top_classes=top_classes,
            threads=threads,
            chunk_rows=chunk_rows,
            progress=progress,
            totals=totals,
        )

    return _together(group, timeout, "log_det_select", prepare, state)


def _together(
    group: Any,
    timeout: float,
    operation: str,
    prepare: Callable[[Totals], dict[str, Any]],
    state: str | os.PathLike[str] | None,
) -> Selection:
    require("torch", extra="torch")
    ranks = TorchRanks(group, timeout)
    with ranks.together():
        return select_together(ranks, operation, prepare, state)


def select_together(
    ranks: Ranks,
    operation: str,
    prepare: Callable[[Totals], dict[str, Any]],
    state: str | os.PathLike[str] | None = None,
) -> Selection:
    """Run an operation of the engine on all ranks; what rank 0 found is what all return."""
    shard, arguments = make_shard(
        ranks, operation, prepare, None if state is None else Path(state)
    )
    picks_file = shard.picks_file
    try:
        found = backends.get("cpu").call(operation, **arguments, shard=shard)
    except BaseException:
        if picks_file is not None:
            picks_file.write()
        raise
    # The last bits may differ where ranks run on different processors.
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in found.items()}
    plain = agree(ranks, plain if ranks.rank == 0 else None)[0]
    if picks_file is not None:
        picks_file.remove()
    for name, value in found.items():
        if isinstance(value, np.ndarray):
            plain[name] = np.array(plain[name], dtype=value.dtype)
    measured = {"kernel_form", "entries"} & plain.keys()
    diagnostics = {name: float(plain.pop(name)) for name in sorted(measured)}
    return Selection(backend="cpu", diagnostics=diagnostics, **plain)
