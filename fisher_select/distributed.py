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

from typing import Any, Unpack

from fisher_select.arrays import Array
from fisher_select.backends import trace_arguments
from fisher_select.determinant import check_gradient, log_det_arguments, log_det_selection
from fisher_select.distance import (
    badge_arguments,
    distance_selection,
    embedded,
    k_center_arguments,
)
from fisher_select.errors import RankError
from fisher_select.factors import Totals, trace_problem
from fisher_select.first_center import first_center
from fisher_select.options import as_seed
from fisher_select.placement import place
from fisher_select.rank_options import (
    BaitOptions,
    KCenterOptions,
    MaxDetOptions,
    RankOptions,
    own_options,
)
from fisher_select.selection import Selection
from fisher_select.shards import Shard
from fisher_select.together import Work, together

__all__ = ["RankError", "badge", "bait", "k_center", "max_det"]


def bait(
    X: Array | None = None,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    **options: Unpack[BaitOptions],
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

    Other Parameters
    ----------------
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
    own = own_options(options, BaitOptions, "bait")

    def prepare(totals: Totals) -> dict[str, Any]:
        as_seed(own.pop("seed", None))
        _, (x, p, v) = place(
            "cpu", features=X, probabilities=P, factors=own.pop("factors", None)
        )
        problem = trace_problem(
            x, p, factors=v, labeled=labeled, batch_size=batch_size, totals=totals, **own
        )
        return trace_arguments(problem)

    def finish(found: dict[str, Any], _: int) -> Selection:
        return Selection(backend="cpu", **found)

    return together(Work("trace_select", prepare, finish), own)


def max_det(
    X: Array | None = None,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    **options: Unpack[MaxDetOptions],
) -> Selection:
    """`fisher_select.max_det` on a pool held by the ranks of a process group; same picks.

    The engine takes the matrix form, for gradient="rank_one" as well.

    Parameters
    ----------
    X, P, labeled, batch_size
        As for `bait`.

    Other Parameters
    ----------------
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
    own = {"gradient": "rank_one"} | own_options(options, MaxDetOptions, "max_det")

    def prepare(totals: Totals) -> dict[str, Any]:
        as_seed(own.pop("seed", None))
        factors = own.pop("factors", None)
        check_gradient(
            own["gradient"],
            own.get("likelihood", "softmax"),
            own.get("rank"),
            own.get("top_classes"),
            dense=factors is not None,
        )
        _, (x, p, v) = place("cpu", features=X, probabilities=P, factors=factors)
        return log_det_arguments(
            x, p, factors=v, labeled=labeled, batch_size=batch_size, totals=totals, **own
        )

    def finish(found: dict[str, Any], _: int) -> Selection:
        return log_det_selection(found, "cpu")

    return together(Work("log_det_select", prepare, finish), own)


def k_center(
    X: Array,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    **options: Unpack[KCenterOptions],
) -> Selection:
    """`fisher_select.k_center` on a pool held by the ranks of a process group; same picks.

    Parameters
    ----------
    X : array [n_k, d]
        Features of this rank's rows, of one dtype on all ranks.
    P : array [n_k, C] or None
        Their probabilities, for embedding="gradient" alone.
    labeled, batch_size
        As for `bait`.

    Other Parameters
    ----------------
    first : int or None
        Row of the whole pool to begin with where nothing is labelled on any rank; else and by
        default as for `fisher_select.k_center`.
    embedding : {"features", "gradient"}
        As for `fisher_select.k_center`.
    threads, chunk_rows, progress, seed, group, timeout, state : as there
        As for `bait`.

    Returns
    -------
    Selection
        The same on all ranks; `indices` number the whole pool, `diagnostics` are of all ranks.
        They count more distances than those of one process: each rank settles which of its own
        rows is the farthest.

    Raises
    ------
    TypeError, ValueError, OSError, RankError, NumericalError, ImportError, MemoryError
        As `bait`.

    Notes
    -----
    All labelled rows are centres for all: each rank holds a copy of the others', m (d + C)
    values. They are sent once, 8 MB at a time; then d + C + 1 doubles a pick and two for each
    rank.
    """
    own = {"first": None} | own_options(options, KCenterOptions, "k_center")

    def prepare(totals: Totals) -> dict[str, Any]:
        as_seed(own.pop("seed", None))
        taken = embedded(own.pop("embedding", "features"), P)
        _, (x, p) = place("cpu", features=X, probabilities=taken)
        return k_center_arguments(
            x, p, labeled=labeled, batch_size=batch_size, totals=totals, **own
        )

    def begin(shard: Shard, arguments: dict[str, Any]) -> None:
        if arguments["first"] is None:
            arguments["first"] = (shard.replay or [_first(shard, arguments)])[0]

    return together(Work("k_center", prepare, _of_distances, begin), own)


def badge(
    X: Array,
    P: Array,
    *,
    labeled: Array | None = None,
    batch_size: int,
    **options: Unpack[RankOptions],
) -> Selection:
    """`fisher_select.badge` on a pool held by the ranks of a process group; same picks.

    Parameters
    ----------
    X, P, labeled, batch_size
        As for `k_center`.

    Other Parameters
    ----------------
    seed : int, default 0
        Below 2^64, the same on all ranks.
    threads, chunk_rows, progress, group, timeout, state : as there
        As for `bait`.

    Returns
    -------
    Selection
        As `k_center`.

    Raises
    ------
    TypeError, ValueError, OSError, RankError, NumericalError, ImportError, MemoryError
        As `bait`.
    """
    own = {"seed": 0} | own_options(options, RankOptions, "badge")

    def prepare(totals: Totals) -> dict[str, Any]:
        if own["seed"] is None:
            raise ValueError("seed must be an integer that all ranks pass, got None")
        _, (x, p) = place("cpu", features=X, probabilities=P)
        return badge_arguments(
            x, p, labeled=labeled, batch_size=batch_size, totals=totals, **own
        )

    return together(Work("badge", prepare, _of_distances), own)


def _first(shard: Shard, arguments: dict[str, Any]) -> int:
    features, probabilities = arguments["features"], arguments["probabilities"]
    return first_center(features, probabilities, shard.others, shard.first)


def _of_distances(found: dict[str, Any], n: int) -> Selection:
    return distance_selection(found, "cpu", n)
