# SPDX-License-Identifier: Apache-2.0
"""Mean distances over an episode of labels, against LAL-RL's ways of taking them.

An episode starts with two labelled rows; each step labels one more and wants the mean distances
of all others. Rows are labelled in one fixed order on both sides, and the means must agree at
every step, or nothing is reported.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

import fisher_select as fs
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError, alternate
from benchmarks.problems import make_problem
from benchmarks.record import Figure, Record, informative, seconds
from benchmarks.rivals.lal_rl_distances import Float64, Form, LalRlDistances

TOLERANCE = 1e-10  # of a mean, relative

Means = tuple[Float64, Float64]


@dataclass(frozen=True)
class Size:
    """Rows n, features d, labels of an episode, steps the slower rival takes, and pairs."""

    n: int
    d: int
    labels: int
    few_steps: int
    rounds: int
    start: int = 2
    seed: int = 0

    def __str__(self) -> str:
        return f"n = {self.n:,}, d = {self.d}, {self.labels} labels"


SIZES = (
    Size(5_000, 64, labels=20, few_steps=3, rounds=3),
    Size(5_000, 512, labels=20, few_steps=2, rounds=3),
)
QUICK = (Size(300, 16, labels=5, few_steps=2, rounds=1),)


@dataclass(frozen=True)
class Episode:
    """What one side took: to get ready, and for each step."""

    ready: float
    steps: tuple[float, ...]
    means: list[Means]

    def seconds(self, labels: int) -> float:
        """Of an episode of so many steps, all of which cost the same."""
        return self.ready + labels * statistics.mean(self.steps)

    @property
    def step(self) -> float:
        """Median seconds of one step."""
        return statistics.median(self.steps)


def mean_distance(settings: Settings) -> Record:
    """Factors over the episode and over a step, for both forms of the rival."""
    sizes = QUICK if settings.quick else SIZES
    figures: list[Figure] = []
    raw = {}
    for size in sizes:
        features = make_problem(size.n, size.d, 10, seed=size.seed).features
        for form in ("kept", "anew"):
            row, times = _against(features, form, size, settings)
            figures += row
            raw[f"{form}, d = {size.d}"] = times
    note = (
        "matrix kept: as in the authors' code, one matrix of all distances an episode; "
        "computed anew: all distances at each step, measured over the first steps, the episode "
        "extrapolated"
    )
    return Record("mean_distance", {"sizes": [asdict(s) for s in sizes]}, figures, raw, [note])


def _against(
    features: npt.NDArray[np.float32], form: Form, size: Size, settings: Settings
) -> tuple[list[Figure], dict[str, list[float]]]:
    steps = size.labels if form == "kept" else size.few_steps
    order = np.random.default_rng(size.seed).permutation(size.n)
    theirs: list[Episode] = []
    our_own: list[Episode] = []

    def rival() -> float:
        theirs.append(_rival_episode(features, order, form, size.start, steps))
        return theirs[-1].seconds(size.labels)

    def ours() -> float:
        our_own.append(_our_episode(features, order, size.start, size.labels, settings))
        return our_own[-1].seconds(size.labels)

    ours()  # what a process does once is in neither side
    pairs = alternate(rival, ours, rounds=size.rounds if form == "kept" else 1)
    _require_same_means(our_own[-1], theirs[-1])
    named = {"kept": "with its matrix kept", "anew": "computed anew"}[form]
    slow, fast = (statistics.median(e.step for e in side) for side in (theirs, our_own[1:]))
    return [
        informative(
            f"mean distances, {size}, an episode against LAL-RL's, {named}",
            pairs.speedup,
            detail=f"{seconds(pairs.median_rival)} to {seconds(pairs.median_ours)}, means "
            f"equal to {TOLERANCE:g}",
        ),
        informative(
            f"mean distances, {size}, a label of it, {named}",
            slow / fast,
            detail=f"{seconds(slow)} to {seconds(fast)}",
        ),
    ], pairs.raw()


def _rival_episode(
    features: npt.NDArray[np.float32],
    order: npt.NDArray[np.int64],
    form: Form,
    start: int,
    steps: int,
) -> Episode:
    begin = time.perf_counter()
    side = LalRlDistances(features, form)
    ready = time.perf_counter() - begin
    times, means = [], []
    for labeled in range(start + 1, start + steps + 1):
        begin = time.perf_counter()
        found = side.means(order[:labeled], order[labeled:])
        times.append(time.perf_counter() - begin)
        means.append(found)
    return Episode(ready, tuple(times), means)


def _our_episode(
    features: npt.NDArray[np.float32],
    order: npt.NDArray[np.int64],
    start: int,
    steps: int,
    settings: Settings,
) -> Episode:
    begin = time.perf_counter()
    side = fs.MeanDistances(features, labeled=order[:start], backend=settings.backend)
    ready = time.perf_counter() - begin
    times, means = [], []
    for labeled in range(start + 1, start + steps + 1):
        begin = time.perf_counter()
        side.label(order[labeled - 1 : labeled])
        near, far = side.to_labeled, side.to_unlabeled
        times.append(time.perf_counter() - begin)
        unknown = order[labeled:]
        # LAL-RL counts a row among the unlabelled rows that it is compared with.
        means.append((near[unknown], far[unknown] * (1.0 - 1.0 / len(unknown))))
    return Episode(ready, tuple(times), means)


def _require_same_means(ours: Episode, rival: Episode) -> None:
    """At every step the rival took."""
    for step, (left, right) in enumerate(zip(ours.means, rival.means, strict=False)):
        for name, a, b in zip(("labelled", "unlabelled"), left, right, strict=True):
            if not np.allclose(a, b, rtol=TOLERANCE, atol=0.0):
                worst = float(np.abs(a / b - 1.0).max())
                raise AnswerError(
                    f"step {step}: mean distances to the {name} rows differ by {worst:.3g}, "
                    f"more than {TOLERANCE:g}"
                )
