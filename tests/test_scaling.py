# SPDX-License-Identifier: Apache-2.0
"""The scaling model: what is exchanged takes the seconds it must, whoever is late."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package


from benchmarks.collective import (  # noqa: E402
    Link,
    doubling_gather,
    pick_seconds,
    ring_gather,
    tree_broadcast,
)
from benchmarks.scaling import CASES, NODES, share_of, table  # noqa: E402

LINK = Link(latency=2.0, bandwidth=8.0)
RANKS = [1, 2, 3, 4, 5, 7, 8, 64, 100]


@pytest.mark.parametrize("ranks", RANKS)
def test_steps_and_bytes_of_each_exchange(ranks):
    steps, ready = math.ceil(math.log2(ranks)), np.zeros(ranks)
    ring = ring_gather(ready, 16.0, LINK)
    assert ring.tolist() == [(ranks - 1) * 4.0] * ranks
    doubling = doubling_gather(ready, 16.0, LINK)
    assert doubling.tolist() == [steps * 2.0 + (ranks - 1) * 2.0] * ranks
    for root in (0, ranks - 1):
        told = tree_broadcast(ready, root, 80.0, LINK)
        assert told.max() == steps * 12.0
        assert told[root] == steps * 12.0  # it tells somebody at every step


@pytest.mark.parametrize("late", [0, 3, 6])
@pytest.mark.parametrize("gather", [ring_gather, doubling_gather])
def test_everybody_waits_for_the_last_one_to_speak(gather, late):
    ready = np.zeros(7)
    ready[late] = 1000.0
    heard = gather(ready, 16.0, LINK)
    assert heard.min() > 1000.0
    told = tree_broadcast(ready, (late + 1) % 7, 16.0, LINK)
    assert np.sort(told)[0] < 1000.0  # but nobody for one who only listens


def test_a_pick_is_work_and_exchanges_and_stragglers():
    def took(ranks, spread):
        return pick_seconds(ranks, 100.0, 80.0, LINK, doubling_gather, spread=spread, picks=200)

    assert took(1, 0.0) == pytest.approx(100.0)
    assert took(1, 0.1) == pytest.approx(100.0, rel=0.02)  # the mean is 1
    gather, broadcast = 6 * 2.0 + 63 * 2.0, 6 * 12.0
    assert took(64, 0.0) == pytest.approx(100.0 + gather + broadcast)
    # The slowest of 64 log-normals lies 2.35 deviations up on average.
    waiting = took(64, 0.1) - took(64, 0.0)
    assert waiting == pytest.approx(100.0 * (math.exp(0.235) - 1.0), rel=0.15)
    assert took(64, 0.1) == took(64, 0.1)


def test_a_table_adds_up():
    case = CASES[0]
    rows = table(case, {"one": (doubling_gather, LINK)}, threads=1)
    assert [row["nodes"] for row in rows] == list(NODES)
    assert rows[0]["compute_s"] == share_of(case, case.rows, 1).pick
    assert rows[0]["exchange_one_s"] == 0.0
    assert rows[0]["efficiency_one"] == pytest.approx(1.0, rel=0.1)
    for before, after in pairwise(rows):
        assert after["bytes_a_node"] < before["bytes_a_node"]
        assert after["exchange_one_s"] > before["exchange_one_s"]
        assert after["of_it_repeated_s"] < after["compute_s"] < before["compute_s"]
