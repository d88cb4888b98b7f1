# SPDX-License-Identifier: Apache-2.0
"""Information gain against the algorithm as printed, and its cost as the classes double.

Both sides get the same float32 arrays and must agree to 1e-6, or nothing is reported.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import fisher_select as fs
from benchmarks.bait_scaling import fit_exponent
from benchmarks.engine import Settings
from benchmarks.pairing import SETTLE_SECONDS, AnswerError, Pairs, alternate, median_seconds
from benchmarks.record import Figure, Record, at_least, informative, seconds
from benchmarks.rivals.printed_information_gain import PrintedInformationGain, Step

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Size:
    """Pool rows n, evaluation rows m, features d, classes C; the rival scores a few rows."""

    n: int
    m: int
    d: int
    classes: int
    rival_rows: int
    rounds: int
    seed: int = 0

    def __str__(self) -> str:
        return f"n = {self.n:,}, m = {self.m:,}, d = {self.d}, C = {self.classes}"


SIZE = Size(20_000, 1_000, 128, 5, rival_rows=100, rounds=5)
SIZE_QUICK = Size(100, 50, 16, 5, rival_rows=3, rounds=1)

# Few features, so that what grows with C is not hidden behind the product that does not.
CLASSES = (5, 10, 20, 40, 80)
SCALING = Size(10_000, 1_000, 16, 0, rival_rows=0, rounds=3)
SCALING_QUICK = Size(100, 100, 8, 0, rival_rows=0, rounds=1)

# Learning rates of the two ways a pair may go: the default, and one whose steps are long.
SHORT, LONG = 5e-4, 0.5


@dataclass(frozen=True)
class Problem:
    """Features of the pool and the evaluation set, and a last layer of middling certainty."""

    features: npt.NDArray[np.float32]
    eval_features: npt.NDArray[np.float32]
    eval_labels: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    @property
    def frequencies(self) -> npt.NDArray[np.float64]:
        """Of the classes in the evaluation set."""
        counts = np.bincount(self.eval_labels, minlength=self.weight.shape[1])
        return counts / len(self.eval_labels)


def make_gain_problem(size: Size) -> Problem:
    """Features as after a ReLU; labels drawn from the layer's own outputs."""
    rng = np.random.default_rng(size.seed)
    features = np.maximum(
        rng.standard_normal((size.n + size.m, size.d), dtype=np.float32), np.float32(0)
    )
    weight = rng.standard_normal((size.d, size.classes)) * (2.0 / np.sqrt(size.d))
    bias = 0.1 * rng.standard_normal(size.classes)
    noise = rng.gumbel(size=(size.m, size.classes))
    labels = (features[size.n :] @ weight + bias + noise).argmax(axis=1)
    return Problem(
        features[: size.n],
        features[size.n :],
        labels.astype(np.int64),
        weight.astype(np.float32),
        bias.astype(np.float32),
    )


def against_printed(settings: Settings) -> Record:
    """EIG and AEIG of the whole pool against the rival's on its first rows, a row each."""
    size = SIZE_QUICK if settings.quick else SIZE
    problem = make_gain_problem(size)
    figures, raw = [], {}
    for kind in ("eig", "aeig"):
        printed = _pairs(problem, size, kind, "printed", settings)
        figures.append(
            at_least(
                f"{kind.upper()}, {size}, against the algorithm as printed",
                printed.speedup,
                500,
                detail=f"{_a_row(printed)}, scores equal to {TOLERANCE:g}",
            )
        )
        raw[kind] = printed.raw()
    kinder: dict[Step, str] = {
        "closed_form": "with the step's gradient in closed form",
        "together": "so, and with a row's C passes in one product",
    }
    for step, what in kinder.items():
        pairs = _pairs(problem, size, "aeig", step, settings)
        figures.append(
            informative(f"AEIG, {size}, against it {what}", pairs.speedup, detail=_a_row(pairs))
        )
        raw[step] = pairs.raw()
    note = (
        f"seconds a pool row: ours out of whole calls with {size.n:,} rows, the rival's out of "
        f"{size.rival_rows}, on one thread or on all, whichever is faster"
    )
    return Record("information_gain", asdict(size), figures, raw, [note])


def scaling(settings: Settings) -> Record:
    """Exponent of the time in C, for short steps (the default) and for long ones."""
    base = SCALING_QUICK if settings.quick else SCALING
    figures, raw = [], {}
    for name, rate in (("short", SHORT), ("long", LONG)):
        times: dict[int, list[float]] = {classes: [] for classes in CLASSES}
        for _ in range(base.rounds):
            for classes in CLASSES:
                size = Size(**(asdict(base) | {"classes": classes}))
                problem = make_gain_problem(size)
                time.sleep(SETTLE_SECONDS)
                times[classes].append(_ours(problem, "aeig", settings, rate)[0])
        exponent = fit_exponent(CLASSES, [statistics.median(t) for t in times.values()])
        figures.append(
            Figure(
                f"exponent in C of AEIG's time, {name} steps, {CLASSES[0]} to {CLASSES[-1]}",
                "1 within 0.2",
                f"{exponent:.2f}",
                exponent,
                abs(exponent - 1.0) <= 0.2,
            )
        )
        raw[name] = {"learning_rate": rate, "classes": CLASSES, "seconds": list(times.values())}
    return Record("information_gain_scaling", asdict(base), figures, raw)


def _pairs(problem: Problem, size: Size, kind: str, step: Step, settings: Settings) -> Pairs:
    """Seconds a pool row of both sides, whose scores must agree."""
    solver = PrintedInformationGain(
        problem.eval_features,
        problem.frequencies if kind == "aeig" else np.ones(size.classes),
        problem.weight,
        problem.bias,
        learning_rate=SHORT,
        step=step,
    )
    rows = problem.features[: size.rival_rows]
    threads = _faster_threads(solver, rows[:10])
    _ours(problem, kind, settings, SHORT)
    found: dict[str, Any] = {}

    def rival() -> float:
        with _torch_threads(threads):
            start = time.perf_counter()
            found["rival"] = solver.scores(rows)
            return (time.perf_counter() - start) / len(rows)

    def ours() -> float:
        elapsed, found["ours"] = _ours(problem, kind, settings, SHORT)
        return elapsed / len(problem.features)

    pairs = alternate(rival, ours, rounds=size.rounds)
    apart = float(np.abs(found["ours"][: len(rows)] - np.array(found["rival"])).max())
    if not apart <= TOLERANCE:
        raise AnswerError(f"{kind}: scores differ by {apart:.3g}, more than {TOLERANCE:g}")
    return pairs


def _faster_threads(solver: PrintedInformationGain, rows: npt.NDArray[np.float32]) -> int:
    """One thread or all: the rival's operations are small, and many are faster on one."""
    times = {}
    for threads in (torch.get_num_threads(), 1):
        with _torch_threads(threads):
            times[threads] = median_seconds(lambda: solver.scores(rows), repeats=3)
    return min(times, key=lambda threads: times[threads])


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _ours(
    problem: Problem, kind: str, settings: Settings, learning_rate: float
) -> tuple[float, npt.NDArray[np.float64]]:
    """Seconds of one call from outside, and its scores."""
    start = time.perf_counter()
    scores = fs.information_gain_scores(
        problem.features,
        eval_features=problem.eval_features,
        eval_labels=problem.eval_labels,
        weight=problem.weight,
        bias=problem.bias,
        learning_rate=learning_rate,
        kind=kind,
        backend=settings.backend,
    )
    return time.perf_counter() - start, scores


def _a_row(pairs: Pairs) -> str:
    return f"{seconds(pairs.median_rival)} to {seconds(pairs.median_ours)} a row"
