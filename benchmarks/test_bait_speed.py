# SPDX-License-Identifier: Apache-2.0
"""BAIT in pytest-benchmark: ``pytest benchmarks`` (``--benchmark-json FILE`` keeps the times).

For watching changes from commit to commit; the published figures come from ``benchmarks.run``.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.engine import run_bait
from benchmarks.pairing import require_same_picks
from benchmarks.problems import make_problem
from benchmarks.rivals.published_bait import PublishedBait, softmax_factors

# (n, d, C, B): the small shape of the published figures, a large one, and rank-one factors.
SHAPES = [
    pytest.param(2_000, 64, 10, 50, id="small"),
    pytest.param(10_000, 128, 10, 50, id="large"),
    pytest.param(20_000, 128, 2, 50, id="two_classes"),
    pytest.param(20_000, 128, 1, 50, id="regression"),
]


@pytest.mark.parametrize(("n", "d", "classes", "batch_size"), SHAPES)
@pytest.mark.benchmark(group="bait")
def test_bait_selects(benchmark: Any, n: int, d: int, classes: int, batch_size: int) -> None:
    """A whole selection; run_bait checks that its picks are possible ones."""
    problem = make_problem(n, d, classes, labeled=batch_size)
    run = benchmark.pedantic(
        run_bait, (problem,), {"batch_size": batch_size}, rounds=3, warmup_rounds=1
    )
    benchmark.extra_info["quality"] = run.raw()


@pytest.mark.parametrize("side", ["ours", "published"])
@pytest.mark.benchmark(group="bait against the published algorithm, n = 500, d = 24, C = 5")
def test_bait_against_published(benchmark: Any, side: str) -> None:
    """The same problem on either side, with the same picks."""
    problem = make_problem(500, 24, 5, labeled=20)
    factors = softmax_factors(problem.features, problem.outputs)

    def ours() -> list[int]:
        return [int(row) for row in run_bait(problem, batch_size=20).selection.indices]

    def published() -> list[int]:
        return PublishedBait(factors, labeled=problem.labeled, batch_size=20).run().kept

    timed, other = (ours, published) if side == "ours" else (published, ours)
    picks = benchmark.pedantic(timed, rounds=3, warmup_rounds=1)
    require_same_picks(side, picks, other())
