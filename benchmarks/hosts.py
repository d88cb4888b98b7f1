# SPDX-License-Identifier: Apache-2.0
"""Our adapters beside the hosts' own strategies, inside the host: time and memory.

Each side runs in a process of its own on the same float32 features and outputs, and nothing is
trained. A rival that runs out of memory or time is tried again on a quarter of the rows, with
ours beside it; the table says where each stopped. Hosts that are not installed are left out and
named.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from benchmarks.child import run_child
from benchmarks.engine import Settings
from benchmarks.hosts_child import Task
from benchmarks.pairing import AnswerError
from benchmarks.peers import GB, MEMORY_SHARE, SHRINK, shown
from benchmarks.record import Figure, Record
from fisher_select.free_memory import free_memory

LEAST_ROWS = 1000


@dataclass(frozen=True)
class Rival:
    """A strategy of a host and what stands for it."""

    host: str  # the module
    package: str
    theirs: str
    ours: str
    batch_size: int = 100
    same: bool = False  # both compute one thing, so that the picks agree but for ties


RIVALS = (
    Rival("skactiveml", "scikit-activeml", "CoreSet", "k_center", same=True),
    Rival("skactiveml", "scikit-activeml", "Badge", "badge"),
    Rival("small_text", "small-text", "GreedyCoreset", "k_center", same=True),
    Rival("baal", "baal", "BatchBALD", "bait", batch_size=10),  # the paper's batch
    Rival("anomalib", "anomalib", "KCenterGreedy", "k_center"),
)
ROWS = (20_000, 200_000)
ROWS_QUICK = (500,)
TASK = Task("", "", 0, d=128, classes=10, batch_size=0, labeled=100, seed=0, memory_limit=0)
LIMIT_SECONDS = 180


def hosts(settings: Settings) -> Record:
    """Every rival at every size."""
    if settings.backend != "cpu":
        raise AnswerError(f"the hosts' table is of backend 'cpu', not {settings.backend!r}")
    limit = int(MEMORY_SHARE * free_memory())
    rows: list[Figure] = []
    raw: dict[str, Any] = {}
    for rival in RIVALS:
        if find_spec(rival.host) is None:
            continue
        for n in ROWS_QUICK if settings.quick else ROWS:
            runs = list(_compare(rival, n, limit))
            raw[f"{rival.package} {rival.theirs} {n}"] = runs
            rows += [_row(rival, run, limit) for run in runs]
    present = sorted({rival.package for rival in RIVALS if find_spec(rival.host)})
    absent = sorted({rival.package for rival in RIVALS} - set(present))
    notes = [
        f"inside {', '.join(f'{name} {version(name)}' for name in present)}"
        + (f"; not installed: {', '.join(absent)}" if absent else ""),
        "through the adapter, with what it copies; memory is the peak beyond the inputs; one "
        "call a side after a small one for the imports, or the median of five calls that take "
        "less than a second",
        f"a rival that needs more than {limit / GB:.1f} GB (80 % of the free memory) or "
        f"{LIMIT_SECONDS} s is stopped, and both sides are measured on a quarter of the rows",
        "KCenterGreedy measures distances in a random projection, and BatchBALD scores sampled "
        "outputs alone",
    ]
    return Record("hosts", asdict(TASK) | {"rows": ROWS}, rows, raw, notes)


def _compare(rival: Rival, n: int, limit: int) -> Iterator[dict[str, Any]]:
    """Runs of both sides at n, n / 4, ... until the rival finishes."""
    while True:
        run = {"n": n, **{side: _run(side, rival, n, limit) for side in ("ours", "theirs")}}
        yield run
        if "seconds" in run["theirs"] or n // SHRINK < LEAST_ROWS:
            return
        n //= SHRINK


def _run(side: str, rival: Rival, n: int, limit: int) -> dict[str, Any]:
    """One process; ``{"over_seconds": s}`` or ``{"out_of_memory": words}`` where stopped."""
    task = replace(
        TASK,
        side=side,
        strategy=rival.ours,
        n=n,
        batch_size=rival.batch_size,
        memory_limit=limit,
    )
    try:
        return run_child(
            "hosts_child",
            asdict(task) | {"host": rival.host},
            f"{side}, {rival.theirs} of {rival.package}, n = {n:,}",
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"over_seconds": LIMIT_SECONDS}


def _row(rival: Rival, run: dict[str, Any], limit: int) -> Figure:
    mine, theirs = run["ours"], run["theirs"]
    text = f"ours {shown(mine, limit)}; {rival.theirs} {shown(theirs, limit)}"
    value = float(mine.get("seconds", 0.0))
    if "seconds" in theirs and "seconds" in mine:
        value = theirs["seconds"] / mine["seconds"]
        text = f"{value:,.3g} x: {text}"
        if rival.same:
            agree = len(set(mine["picks"]) & set(theirs["picks"]))
            text += f"; {agree} of {len(mine['picks'])} picks the same"
    return Figure(
        f"{rival.ours} inside {rival.package}, n = {run['n']:,}, d = {TASK.d}, "
        f"C = {TASK.classes}, B = {rival.batch_size}",
        "",
        text,
        value,
    )
