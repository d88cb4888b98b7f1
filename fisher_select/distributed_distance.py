# SPDX-License-Identifier: Apache-2.0
"""k-centre and BADGE on a pool that several processes hold; public in distributed.py."""

from __future__ import annotations

import os
from typing import Any

from fisher_select.arrays import Array
from fisher_select.distance import (
    badge_arguments,
    distance_selection,
    embedded,
    k_center_arguments,
)
from fisher_select.factors import Totals
from fisher_select.first_center import first_center
from fisher_select.options import as_seed
from fisher_select.placement import place
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection
from fisher_select.shards import Shard
from fisher_select.together import Work, together

__all__ = ["badge", "k_center"]


def k_center(
    X: Array,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    first: int | None = None,
    embedding: str = "features",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = None,
    group: Any = None,
    timeout: float = 300.0,
    state: str | os.PathLike[str] | None = None,
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

    def prepare(totals: Totals) -> dict[str, Any]:
        as_seed(seed)
        _, (x, p) = place("cpu", features=X, probabilities=embedded(embedding, P))
        return k_center_arguments(
            x,
            p,
            first=first,
            labeled=labeled,
            batch_size=batch_size,
            threads=threads,
            chunk_rows=chunk_rows,
            progress=progress,
            totals=totals,
        )

    def begin(shard: Shard, arguments: dict[str, Any]) -> None:
        if arguments["first"] is None:
            arguments["first"] = (shard.replay or [_first(shard, arguments)])[0]

    return together(Work("k_center", prepare, _of_distances, begin), group, timeout, state)


def badge(
    X: Array,
    P: Array,
    *,
    labeled: Array | None = None,
    batch_size: int,
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = 0,
    group: Any = None,
    timeout: float = 300.0,
    state: str | os.PathLike[str] | None = None,
) -> Selection:
    """`fisher_select.badge` on a pool held by the ranks of a process group; same picks.

    Parameters
    ----------
    X, P, labeled, batch_size
        As for `k_center`.
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

    def prepare(totals: Totals) -> dict[str, Any]:
        if seed is None:
            raise ValueError("seed must be an integer that all ranks pass, got None")
        _, (x, p) = place("cpu", features=X, probabilities=P)
        return badge_arguments(
            x,
            p,
            seed=seed,
            labeled=labeled,
            batch_size=batch_size,
            threads=threads,
            chunk_rows=chunk_rows,
            progress=progress,
            totals=totals,
        )

    return together(Work("badge", prepare, _of_distances), group, timeout, state)


def _first(shard: Shard, arguments: dict[str, Any]) -> int:
    features, probabilities = arguments["features"], arguments["probabilities"]
    return first_center(features, probabilities, shard.others, shard.first)


def _of_distances(found: dict[str, Any], n: int) -> Selection:
    return distance_selection(found, "cpu", n)
