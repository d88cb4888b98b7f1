# SPDX-License-Identifier: Apache-2.0
"""One rank of the tests of distributed selection, a process of its own: `main`."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist
from problems import features, softmax_rows

import fisher_select as fs
from fisher_select import files

BATCH = 12


def pool() -> tuple[Any, Any]:
    """300 rows; each of the last 100 is one of the first 200 again, so shards hold ties."""
    rng = np.random.default_rng(5)
    X, P = features(rng, 200, 6).astype(np.float32), softmax_rows(rng, 200, 3)
    return np.concatenate([X, X[::2]]), np.concatenate([P, P[::2]])


def shares(n: int, ranks: int) -> list[slice]:
    """Uneven: half of the rows to the first rank, half of the rest to the second, and so on."""
    edges = [n - n // 2**k for k in range(ranks)] + [n]
    return [slice(a, b) for a, b in pairwise(edges)]


def labeled() -> Any:
    """Rows on two ranks of the four: the second and the last hold none."""
    return np.concatenate([np.arange(0, 150, 10), np.arange(225, 262, 4)])


def select(group: Any, **options: Any) -> fs.Selection:
    X, P = pool()
    own = shares(len(X), dist.get_world_size(group))[dist.get_rank(group)]
    known = labeled()
    known = known[(known >= own.start) & (known < own.stop)] - own.start
    call = {"labeled": known, "batch_size": BATCH, "group": group} | options
    return fs.distributed.bait(X[own], P[own], **call)


def by_distance(method: str, group: Any) -> Any:
    X, P = pool()
    own = shares(len(X), dist.get_world_size(group))[dist.get_rank(group)]
    call: dict[str, Any] = {"embedding": "gradient"} if method == "k_center" else {"seed": 4}
    select = getattr(fs.distributed, method)
    return select(X[own], P[own], batch_size=BATCH, group=group, **call).indices.tolist()


def plain(picks: fs.Selection) -> dict[str, Any]:
    assert picks.forward_indices is not None
    assert picks.objective is not None
    return {
        "indices": picks.indices.tolist(),
        "forward": picks.forward_indices.tolist(),
        "objective": picks.objective.tolist(),
    }


def same_picks(_: Path, _how: str) -> Any:
    """The first 1, 2, 3 and 4 ranks select."""
    found = {}
    for ranks in range(1, dist.get_world_size() + 1):
        group = dist.new_group(list(range(ranks)))
        if dist.get_rank() < ranks:
            found[ranks] = plain(select(group))
            found[ranks] |= {name: by_distance(name, group) for name in ("k_center", "badge")}
    return found


def bad_input(_: Path, _how: str) -> Any:
    """Errors of one rank's own, of all ranks', and of ranks that want different things."""
    rank = dist.get_rank()
    X, P = pool()
    own = shares(len(X), dist.get_world_size())[rank]
    bad = X[own].copy()
    if rank == 1:
        bad[4, 2] = np.nan
    calls = [
        {"X": bad, "P": P[own], "batch_size": 2},
        {"X": X[own], "P": P[own], "batch_size": 301},
        {"X": X[own], "P": P[own], "batch_size": 2 + rank},
        {"X": X[own], "P": P[own], "batch_size": 2, "lam": -1.0 if rank == 2 else 1.0},
        {"X": X[own], "P": P[own], "batch_size": 2, "state": "/nowhere/at/all.json"},
        {"X": X[own][: 50 * (1 - rank)], "P": P[own][:50], "batch_size": 2},
    ]
    said = []
    for call in calls:
        try:
            fs.distributed.bait(**call)
        except (TypeError, ValueError, OSError) as error:
            said.append(f"{type(error).__name__}: {error}")
    return said


def broken(folder: Path, how: str) -> Any:
    """The last rank goes after a few picks: killed, stopped, or by an exception."""

    def leave(stage: str, done: int, _: int) -> None:
        if stage != "forward" or done < 5:
            return
        (folder / "broken").touch()
        if how == "exception":
            raise MemoryError("nothing left")
        os.kill(os.getpid(), getattr(signal, how))

    last = dist.get_rank() == dist.get_world_size() - 1
    # A stopped rank's exchange keeps the others from exiting until the timeout.
    timeout = 8.0 if how == "SIGSTOP" else 60.0
    told = leave if last else False
    try:
        select(None, state=folder / "picks.json", progress=told, timeout=timeout)
    except (fs.distributed.RankError, MemoryError, KeyboardInterrupt) as error:
        late = time.time() - (folder / "broken").stat().st_mtime
        return {"type": type(error).__name__, "words": str(error), "seconds": late}
    return None


def resumed(folder: Path, _: str) -> Any:
    """Whoever is here now ends what was begun."""
    return plain(select(None, state=folder / "picks.json"))


def main(folder: Path, rank: int, ranks: int, work: str, how: str) -> None:
    """Be one rank at `work`, a function of this module.

    Ranks meet in a file of the folder. What each finds is left there as `WORK-RANK.json`.
    """
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / work}-meeting", rank=rank, world_size=ranks
    )
    files.write_json(folder / f"{work}-{rank}.json", globals()[work](folder, how))
    if work != "broken":
        dist.destroy_process_group()
