# SPDX-License-Identifier: Apache-2.0
"""Selection from a pool that several processes hold, each some rows, on torch.distributed.

    torchrun --nproc-per-node 4 script.py

with, in script.py,

    torch.distributed.init_process_group("gloo")
    picks = fs.distributed.bait(X_shard, P_shard, labeled=rows_of_the_shard, batch_size=100)

The picks are those of one process with all rows, whatever the number of ranks and however the
rows are spread. The pool is numbered through: rank 0's rows, then rank 1's, and so on. A pick
exchanges each rank's best (score, row) and the winner's x and p. Beside the rows picked, what
leaves a rank is sums over its rows for information, and its labelled rows for k-centre.
"""

from __future__ import annotations

import os
from typing import Any

from fisher_select.arrays import Array
from fisher_select.backends import trace_arguments
from fisher_select.determinant import check_gradient, log_det_arguments, log_det_selection
from fisher_select.distributed_distance import badge, k_center
from fisher_select.errors import RankError
from fisher_select.factors import Totals, trace_problem
from fisher_select.options import as_seed
from fisher_select.placement import place
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection
from fisher_select.together import Work, together

__all__ = ["RankError", "badge", "bait", "k_center", "max_det"]


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
    timeout: float = 300.0,
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
    lam, oversample, normalization, likelihood, fisher, rank, use_pool_fisher : as there
        As for `fisher_select.bait`.
    factors : array [n_k, D, r]
        This rank's.
    top_classes : int or None
        As for `fisher_select.bait`: the classes that lead in the whole pool, by traces summed
        over the ranks.
    threads, chunk_rows, progress, seed : as there
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
        As `fisher_select.bait`; ImportError with a torch before 2.9 as well.

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

    def finish(found: dict[str, Any], _: int) -> Selection:
        return Selection(backend="cpu", **found)

    return together(Work("trace_select", prepare, finish), group, timeout, state)


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
    timeout: float = 300.0,
    state: str | os.PathLike[str] | None = None,
) -> Selection:
    """`fisher_select.max_det` on a pool held by the ranks of a process group; same picks.

    The engine takes the matrix form, for gradient="rank_one" as well.

    Parameters
    ----------
    X, P, labeled, batch_size
        As for `bait`.
    lam, gradient, rank, top_classes, likelihood, factors : as there
        As for `fisher_select.max_det`; `factors` are this rank's.
    threads, chunk_rows, progress, seed, group, timeout, state : as there
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
            rank=rank,
            top_classes=top_classes,
            likelihood=likelihood,
            threads=threads,
            chunk_rows=chunk_rows,
            progress=progress,
            totals=totals,
        )

    def finish(found: dict[str, Any], _: int) -> Selection:
        return log_det_selection(found, "cpu")

    return together(Work("log_det_select", prepare, finish), group, timeout, state)
