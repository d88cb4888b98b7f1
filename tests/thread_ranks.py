# SPDX-License-Identifier: Apache-2.0
"""Ranks of the tests without processes: threads that meet at a barrier."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fisher_select as fs
from fisher_select import distributed, distributed_distance
from fisher_select.together import select_together

ARRAYS = ("X", "P", "factors")


class Stop(Exception):
    """Ends a selection under way."""


class ThreadRanks:
    """`fisher_select.ranks.Ranks` among the threads of a process."""

    picks_left = -1  # until the run breaks: none, it never does

    def __init__(self, rank: int, barrier: threading.Barrier, slots: list[Any]) -> None:
        self.rank, self.ranks = rank, len(slots)
        self._barrier, self._slots = barrier, slots

    def sum(self, values: Any) -> None:
        values[:] = np.sum(self._all(values), axis=0)

    def gather(self, own: Any, out: Any) -> None:
        out[:] = np.concatenate(self._all(own))

    def broadcast(self, values: Any, root: int) -> None:
        if self.picks_left == 0:
            raise Stop
        self.picks_left -= 1
        values[:] = self._all(values)[root]

    def _all(self, own: Any) -> list[Any]:
        self._slots[self.rank] = own.copy()
        self._barrier.wait(60)
        everybodys = list(self._slots)
        self._barrier.wait(60)
        return everybodys


def on_threads(count: int, work: Any) -> list[Any]:
    """What work(ranks) returns on each of `count` ranks; the first real failure is raised."""
    barrier, slots = threading.Barrier(count), [None] * count
    found: list[Any] = [None] * count

    def run(rank: int) -> None:
        try:
            found[rank] = work(ThreadRanks(rank, barrier, slots))
        except Exception as error:  # noqa: BLE001 - raised below
            found[rank] = error
            barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures = [f for f in found if isinstance(f, Exception)]
    for failure in failures:
        if not isinstance(failure, threading.BrokenBarrierError):
            raise failure
    assert not failures
    return found


def sharded(
    monkeypatch: pytest.MonkeyPatch,
    sizes: Sequence[int],
    call: dict[str, Any],
    function: str = "bait",
    state: Path | None = None,
    stop_after: int = -1,
) -> list[fs.Selection]:
    """The selection of each rank, with shards of these sizes."""
    edges = np.cumsum([0, *sizes])
    mine = threading.local()
    for module in (distributed, distributed_distance):
        monkeypatch.setattr(
            module,
            "together",
            lambda work, _group, _timeout, state: select_together(mine.ranks, work, state),
        )

    def work(ranks: ThreadRanks) -> fs.Selection:
        ranks.picks_left = stop_after
        mine.ranks = ranks
        a, b = edges[ranks.rank], edges[ranks.rank + 1]
        own = call | {name: call[name][a:b] for name in ARRAYS if name in call}
        known = np.asarray(call.get("labeled", ()), dtype=np.int64)
        own["labeled"] = known[(known >= a) & (known < b)] - a
        picks: fs.Selection = getattr(distributed, function)(**own, threads=1, state=state)
        return picks

    return on_threads(len(sizes), work)
