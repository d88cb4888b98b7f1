# SPDX-License-Identifier: Apache-2.0
"""One operation of the engine on all ranks of a process group."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fisher_select import backends
from fisher_select.extras import require
from fisher_select.factors import Totals
from fisher_select.ranks import Ranks, TorchRanks, agree
from fisher_select.selection import Selection
from fisher_select.shards import Shard, make_shard

__all__ = ["Work", "select_together", "together"]


@dataclass(frozen=True)
class Work:
    """A selection as each rank runs it.

    Parameters
    ----------
    operation : str
        Of the engine.
    prepare : callable(totals) -> dict
        Checks this rank's arguments and returns the operation's; see `shards.make_shard`.
    finish : callable(found, n) -> Selection
        Of what the operation found in the whole pool's n rows.
    begin : callable(shard, arguments) or None
        Completes the arguments, with the other ranks, once all are known to be good.
    """

    operation: str
    prepare: Callable[[Totals], dict[str, Any]]
    finish: Callable[[dict[str, Any], int], Selection]
    begin: Callable[[Shard, dict[str, Any]], None] | None = None


def together(
    work: Work, group: Any, timeout: float, state: str | os.PathLike[str] | None
) -> Selection:
    """Run on the ranks of a group, as `fisher_select.distributed.bait` says."""
    require("torch", extra="torch")
    ranks = TorchRanks(group, timeout)
    with ranks.together():
        return select_together(ranks, work, None if state is None else Path(state))


def select_together(ranks: Ranks, work: Work, state: Path | None = None) -> Selection:
    """Run on these ranks; what rank 0 found is what all return."""
    shard, arguments = make_shard(ranks, work.operation, work.prepare, state)
    picks_file = shard.picks_file
    try:
        if work.begin is not None:
            work.begin(shard, arguments)
        found = backends.get("cpu").call(work.operation, **arguments, shard=shard)
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
    return work.finish(plain, shard.rows)
