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
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fisher_select import backends
from fisher_select.arrays import Array
from fisher_select.backends import trace_arguments
from fisher_select.errors import RankError
from fisher_select.extras import require
from fisher_select.factors import TraceProblem, trace_problem
from fisher_select.placement import place
from fisher_select.progress import ProgressCallback
from fisher_select.ranks import Ranks, TorchRanks, agree
from fisher_select.selection import Selection
from fisher_select.shards import Shard, make_shard

__all__ = ["RankError", "bait"]

_TIMEOUT = 8.0  # seconds, and one more for finding out who is missing


def bait(
    X: Array | None = None,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    group: Any = None,
    timeout: float = _TIMEOUT,
    state: str | os.PathLike[str] | None = None,
    **options: Any,
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
    group : torch.distributed.ProcessGroup or None
        Over gloo or NCCL (whose messages pass through each rank's current device); None is the
        default group.
    timeout : float, default 8
        Seconds that a rank waits for the others, before a pick or while setting up, until it
        takes one for dead. Raise it where shards or machines are so unequal that a sweep over
        one takes that much longer than over another.
    state : path or None
        A JSON file that rank 0 keeps of the picks so far. The same call resumes from it, on any
        number of ranks; a complete selection removes it.
    **options
        As `fisher_select.bait`, but for `backend`: the engine is the CPU's. `factors` are this
        rank's.

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
        A rank died, was more than `timeout` behind, or stopped with an error of its own, which
        that rank raises.
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
    require("torch", extra="torch")
    ranks = TorchRanks(group, timeout)
    with ranks.telling():
        return _bait(ranks, X, P, labeled, batch_size, state, options)


def _bait(
    ranks: Ranks,
    X: Array | None,
    P: Array | None,
    labeled: Array | None,
    batch_size: int,
    state: str | os.PathLike[str] | None,
    options: dict[str, Any],
) -> Selection:
    def prepare(totals: Callable[[int, int], tuple[int, int]]) -> TraceProblem:
        factors = options.pop("factors", None)
        _, (x, p, v) = place("cpu", features=X, probabilities=P, factors=factors)
        return trace_problem(
            x, p, factors=v, labeled=labeled, batch_size=batch_size, totals=totals, **options
        )

    shard = make_shard(ranks, prepare, _description, None if state is None else Path(state))
    return _select(shard, "trace_select", trace_arguments(shard.problem))


def _description(problem: TraceProblem) -> dict[str, Any]:
    """Every number and word of the problem, and the shapes of a row."""
    arrays = ("features", "probabilities", "factors")
    own = {"labeled", "threads", "chunk_rows", "progress"}
    words = {
        f.name: getattr(problem, f.name)
        for f in fields(problem)
        if f.name not in own and f.name not in arrays
    }
    held = {name: getattr(problem, name) for name in arrays}
    return words | {
        f"shape of a row of {name}": list(array.shape[1:])
        for name, array in held.items()
        if array is not None
    }


def _select(shard: Shard[Any], operation: str, arguments: dict[str, Any]) -> Selection:
    """Run the engine; what rank 0 found is what all return, should last bits differ."""
    try:
        found = backends.get("cpu").call(operation, **arguments, shard=shard)
    except BaseException:
        if shard.picks_file is not None:
            shard.picks_file.write()
        raise
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in found.items()}
    plain = agree(shard.others, plain if shard.rank == 0 else None)[0]
    if shard.picks_file is not None:
        shard.picks_file.remove()
    for key, value in found.items():
        if isinstance(value, np.ndarray):
            plain[key] = np.array(plain[key], dtype=value.dtype)
    return Selection(backend="cpu", **plain)
