# SPDX-License-Identifier: Apache-2.0
"""The hosts' table: both sides answer the same question, and whoever stops early is said to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

# Last: the checkout must not hide the installed package.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks import hosts
from benchmarks.hosts_child import HOSTS, Pool, Task, attempt, make_pool

# small-text tells each time that a default of its GreedyCoreset has changed.
pytestmark = pytest.mark.filterwarnings("ignore:Default distance metric:UserWarning")

LIMIT = 8 * 10**9
RUN = {"seconds": 0.5, "inputs_bytes": 10**6, "peak_bytes": 3 * 10**6, "picks": [1, 2, 3]}


TASK = Task("", "", 300, d=8, classes=3, batch_size=12, labeled=20, seed=0, memory_limit=0)


def pool() -> Pool:
    return make_pool(TASK, n=TASK.n, batch_size=TASK.batch_size)


@pytest.mark.parametrize("host", ["skactiveml", "small_text"])
def test_k_centre_is_the_hosts_core_set(host: str) -> None:
    pytest.importorskip(host)
    given = pool()
    found = HOSTS[host]("ours", "k_center", given)
    theirs = HOSTS[host]("theirs", "k_center", given)
    assert set(np.asarray(found).tolist()) == set(np.asarray(theirs).tolist())


def test_badge_takes_the_same_arrays() -> None:
    pytest.importorskip("skactiveml")
    given = pool()
    for side in ("ours", "theirs"):
        found = HOSTS["skactiveml"](side, "badge", given)
        assert len(set(np.asarray(found).tolist()) - set(given.labeled.tolist())) == 12


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 74.5 GiB"), RuntimeError("not enough memory")]
)
def test_a_side_that_runs_out_of_memory(error: Exception) -> None:
    def host(*_: Any) -> Any:
        raise error

    assert attempt(host, TASK) == {"out_of_memory": str(error)}


def row(rival: Any, **sides: Any) -> str:
    return hosts._row(rival, {"n": 100} | sides, LIMIT).measured


def test_rows_of_the_table() -> None:
    core_set, badge = hosts.RIVALS[:2]
    theirs = RUN | {"seconds": 2.0, "picks": [3, 4, 1]}
    assert row(core_set, ours=RUN, theirs=theirs) == (
        "4 x: ours 500 ms, 2 MB; CoreSet 2 s, 2 MB; 2 of 3 picks the same"
    )
    assert "picks" not in row(badge, ours=RUN, theirs=theirs)
    assert row(badge, ours=RUN, theirs={"over_seconds": 180}) == (
        "ours 500 ms, 2 MB; Badge over 180 s"
    )
