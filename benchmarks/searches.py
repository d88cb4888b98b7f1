# SPDX-License-Identifier: Apache-2.0
"""BAIT on large pools: searches that do not look at every row beside the full one, by turns.

The pool of the searches is a network's embedding of augmented digits, its outputs those of a
linear model fitted to the few labelled rows. Beside it a million rows, whole, in one call.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

import fisher_select as fs
from benchmarks.embedding import digit_embedding
from benchmarks.engine import Settings, run_bait
from benchmarks.pairing import Pairs, alternate
from benchmarks.problems import Problem, make_problem
from benchmarks.record import Figure, Record, at_least, informative, seconds

SEARCHES = ("lazy", "stochastic")
EQUAL, LOSS, FASTER = 0.99, 1e-3, 8.0  # picks, share of the objective, times


@dataclass(frozen=True)
class Size:
    """Rows, width, labelled rows, rows to label, and selections of each search."""

    n: int
    d: int
    labeled: int
    batch_size: int
    rounds: int


FULL = Size(200_000, 128, labeled=100, batch_size=50, rounds=5)
QUICK = Size(2_000, 32, labeled=50, batch_size=5, rounds=1)
MILLION = (1_000_000, 128, 10, 100)  # n, d, C, B


def searches(settings: Settings) -> Record:
    """Seconds of a forward pick, picks in common and objective of each search."""
    size = QUICK if settings.quick else FULL
    problem = digits_pool(size)
    figures: list[Figure] = []
    raw = {}
    for search in SEARCHES:
        pairs, full, found = measure(problem, size, search)
        figures += search_figures(size, search, pairs, full, found)
        raw[search] = pairs.raw() | {"share": found.diagnostics["search_share"]}
    return Record(
        "searches",
        asdict(size) | {"C": 10},
        figures,
        raw,
        ["objective: tr(M^-1 F) of the batch kept, against the full search's"],
    )


def digits_pool(size: Size) -> Problem:
    """Features of unit size about their mean, and a linear model's outputs."""
    made = digit_embedding(size.n, size.d)
    X = made.features - made.features.mean(axis=0)
    X /= np.sqrt(np.mean(X**2))
    labels = made.probabilities.argmax(axis=1)
    rows = np.sort(np.random.default_rng(0).permutation(size.n)[: size.labeled])
    model = LogisticRegression(max_iter=300).fit(X[rows], labels[rows])
    return Problem(X, model.predict_proba(X).astype(np.float32), rows)


def measure(
    problem: Problem, size: Size, search: str
) -> tuple[Pairs, fs.Selection, fs.Selection]:
    """Seconds of a forward pick of both, and what each found."""
    found: dict[str, fs.Selection] = {}

    def pick(name: str) -> float:
        run = fs.bait(
            problem.features,
            problem.outputs,
            labeled=problem.labeled,
            batch_size=size.batch_size,
            search=name,
        )
        found[name] = run
        return run.seconds["forward"] / (2 * size.batch_size)

    pairs = alternate(lambda: pick("full"), lambda: pick(search), rounds=size.rounds)
    return pairs, found["full"], found[search]


def search_figures(
    size: Size, search: str, pairs: Pairs, full: fs.Selection, found: fs.Selection
) -> list[Figure]:
    """The figures of a search, those of the lazy one against their targets."""
    what = f"{search} search, embedding of digits, n = {size.n:,}, d = {size.d}, C = 10, "
    what += f"B = {size.batch_size}"
    share = found.diagnostics["search_share"]
    detail = f"{seconds(pairs.median_rival)} to {seconds(pairs.median_ours)}, {share:.0%} of "
    detail += "the work over rows, with the set-up"
    equal = float(np.mean(forward(found) == forward(full)))
    loss = objective(found) / objective(full) - 1.0
    speed = f"{what}: a forward pick against the full search's"
    lazy = search == "lazy"
    return [
        at_least(speed, pairs.speedup, FASTER, detail=detail)
        if lazy
        else informative(speed, pairs.speedup, detail=detail),
        Figure(
            f"{what}: forward picks equal",
            f">= {EQUAL:.0%}" if lazy else "",
            f"{equal:.0%}",
            equal,
            equal >= EQUAL if lazy else None,
        ),
        Figure(
            f"{what}: objective lost",
            f"<= {LOSS:.1%}" if lazy else "",
            f"{loss:.2%}",
            loss,
            loss <= LOSS if lazy else None,
        ),
    ]


def forward(picks: fs.Selection) -> Any:
    """Forward picks, in order."""
    return np.asarray(picks.forward_indices)


def objective(picks: fs.Selection) -> float:
    """tr(M^-1 F) of the batch kept."""
    return float(np.asarray(picks.objective)[-1])


def million(settings: Settings) -> Record:
    """A million rows in one exact call, with its minutes."""
    n, d, classes, batch = (2_000, 16, 4, 5) if settings.quick else MILLION
    problem = make_problem(n, d, classes, labeled=1000 if n > 10_000 else 20)
    run = run_bait(problem, batch_size=batch, backend=settings.backend)
    stages = ", ".join(f"{name} {s:.3g} s" for name, s in run.selection.seconds.items())
    minutes = run.wall / 60
    figure = Figure(
        f"BAIT, exact, n = {n:,}, d = {d}, C = {classes}, B = {batch}, a whole call",
        "",
        f"{minutes:.1f} minutes ({stages}; {seconds(run.pick_seconds)} a forward pick)",
        minutes,
    )
    return Record("million", {"n": n, "d": d, "C": classes, "B": batch}, [figure], run.raw())
