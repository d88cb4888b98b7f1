# SPDX-License-Identifier: Apache-2.0
"""Our methods beside scikit-activeml's on one pool: time and memory, a process a run.

Both sides get the same float32 features and outputs, and nothing is trained. A rival that runs
out of memory or time is tried again on a quarter of the rows, and ours is measured there too;
the table says where each stopped.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.child import run_child
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError
from benchmarks.peers_child import Task
from benchmarks.record import Figure, Record, seconds
from fisher_select.free_memory import free_memory

REQUIRES = "skactiveml"
INSTALL = "scikit-activeml is not installed; try: pip install scikit-activeml"
GB = 1e9


@dataclass(frozen=True)
class Size:
    """The pool, the batch, and when to give up."""

    n: int
    d: int
    classes: int
    batch_size: int
    labeled: int
    limit_seconds: int
    seed: int = 0

    def __str__(self) -> str:
        return f"n = {self.n:,}, C = {self.classes}, d = {self.d}, B = {self.batch_size}"


SIZE = Size(20_000, 768, 100, batch_size=100, labeled=100, limit_seconds=600)
SIZE_QUICK = Size(400, 16, 5, batch_size=10, labeled=10, limit_seconds=60)
SHRINK = 4  # rows, when the rival does not finish
LEAST_ROWS = 1000
MEMORY_SHARE = 0.8  # of what the machine has free: the rest of the machine must go on

# Name here and in the child, and whether the picks must agree but for ties and rounding.
METHODS = {
    "k_center": "k-centre (CoreSet)",
    "badge": "BADGE",
    "entropy": "entropy",
    "margin": "margin",
    "least_confidence": "least confidence",
    "bald": "BALD, 10 samples",
}
RANDOMISED = ("badge",)
OURS_ALONE = {"max_det": "log-det, rank one", "bait": "BAIT, block-diagonal"}


def peers(settings: Settings) -> Record:
    """Every method that both have, then those of ours that scikit-activeml lacks."""
    size = SIZE_QUICK if settings.quick else SIZE
    if settings.backend != "cpu":
        raise AnswerError(f"the peer table is of backend 'cpu', not {settings.backend!r}")
    memory_limit = int(MEMORY_SHARE * free_memory())
    rows: list[Figure] = []
    raw: dict[str, Any] = {}
    for method, words in METHODS.items():
        raw[method] = runs = list(_compare(method, size, memory_limit))
        rows += [_row(method, words, size, run, memory_limit) for run in runs]
    for method, words in OURS_ALONE.items():
        mine = _run("ours", method, size.n, size, memory_limit)
        raw[method] = [{"n": size.n, "ours": mine}]
        rows.append(_row(method, words, size, raw[method][0], memory_limit))
    notes = [
        f"against scikit-activeml {version('scikit-activeml')}; memory is the peak beyond the "
        "inputs; one call a side after a small one for the imports, or the median of five "
        "calls that take less than a second",
        f"a rival that needs more than {memory_limit / GB:.1f} GB (80 % of the free memory) or "
        f"{size.limit_seconds} s is stopped, and both sides are measured on a quarter of the "
        "rows",
    ]
    return Record("peers", asdict(size), rows, raw, notes)


def _compare(method: str, size: Size, memory_limit: int) -> Iterator[dict[str, Any]]:
    """Runs of both sides at n, n / 4, ... until the rival finishes."""
    n = size.n
    while True:
        run = {
            "n": n,
            "ours": _run("ours", method, n, size, memory_limit),
            "theirs": _run("theirs", method, n, size, memory_limit),
        }
        yield run
        if "seconds" in run["theirs"] or n // SHRINK < LEAST_ROWS:
            return
        n //= SHRINK


def _run(side: str, method: str, n: int, size: Size, memory_limit: int) -> dict[str, Any]:
    """One process; ``{"over_seconds": s}`` or ``{"out_of_memory": words}`` where stopped."""
    task = Task(
        side,
        method,
        n,
        size.d,
        size.classes,
        size.batch_size,
        size.labeled,
        size.seed,
        memory_limit,
    )
    try:
        return run_child(
            "peers_child",
            asdict(task),
            f"{side}, {method}, n = {n:,}",
            timeout=size.limit_seconds,
        )
    except subprocess.TimeoutExpired:
        return {"over_seconds": size.limit_seconds}


def _row(method: str, words: str, size: Size, run: dict[str, Any], memory_limit: int) -> Figure:
    mine, rival = run["ours"], run.get("theirs")
    at = str(size) if run["n"] == size.n else f"n = {run['n']:,} of the same"
    text = f"ours {shown(mine, memory_limit)}"
    value = float(mine.get("seconds", 0.0))
    if rival is None:
        text += "; scikit-activeml has none"
    else:
        text += f"; scikit-activeml {shown(rival, memory_limit)}"
    if rival and "seconds" in rival and "seconds" in mine:
        value = rival["seconds"] / mine["seconds"]
        text = f"{value:,.3g} x: {text}"
        if method not in RANDOMISED:
            same = len(set(mine["picks"]) & set(rival["picks"]))
            text += f"; {same} of {len(mine['picks'])} picks the same"
    return Figure(f"{words}, {at}", "", text, value)


def shown(run: dict[str, Any], memory_limit: int) -> str:
    """Time and memory of a run, or the limit that stopped it."""
    if "over_seconds" in run:
        return f"over {run['over_seconds']} s"
    if "out_of_memory" in run:
        return f"over {memory_limit / GB:.1f} GB"
    beyond = (run["peak_bytes"] - run["inputs_bytes"]) / 1e6
    return f"{seconds(run['seconds'])}, {beyond:,.0f} MB"
