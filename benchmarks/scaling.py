# SPDX-License-Identifier: Apache-2.0
"""Selection over many nodes, on paper: seconds, bytes and messages a pick (SCALING.md).

A node is this machine: its rates are measured, and the work of a pick is that of
`fisher_select.plan`. The exchanges are simulated (``collective``), and the simulation is held
against ranks on this machine.
"""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.child import run_child
from benchmarks.collective import (
    Gather,
    Link,
    doubling_gather,
    pick_seconds,
    ring_gather,
)
from benchmarks.engine import Settings
from benchmarks.machine import ROOT
from benchmarks.record import Figure, Record, informative, seconds
from fisher_select.cost import Work, work_of
from fisher_select.machine import rates
from fisher_select.options import resolve_threads
from fisher_select.timing import expected_seconds

FAST = Link(latency=5e-5, bandwidth=3e9)  # 25 Gbit/s, nothing lost in software: assumed
SPREAD = 0.1  # of the logarithm of a rank's seconds, assumed
NODES = (1, 4, 16, 64, 256, 1024, 4096)
LOCAL_RANKS = (1, 2, 3, 4)
SAMPLE = 138  # doubles: d = 128, C = 10
LARGE = 1 << 20  # doubles


@dataclass(frozen=True)
class Case:
    """A selection and the rows of its pool."""

    kind: str
    rows: int
    d: int
    classes: int

    def __str__(self) -> str:
        classes = f", C = {self.classes:,}" if self.classes else ""
        return f"{self.kind.replace('_', ' ')}, {self.rows:.0e} rows, d = {self.d}{classes}"


CASES = tuple(
    Case(kind, rows, d, classes)
    for rows in (10**8, 10**9)
    for kind, d, classes in (
        ("softmax", 128, 10),
        ("softmax", 256, 10),
        ("softmax", 512, 10),
        ("block_diagonal", 384, 1000),
        ("k_center", 512, 0),
    )
)


@dataclass(frozen=True)
class Share:
    """What a node does and holds.

    Attributes
    ----------
    pick, setup : float
        Seconds of computing.
    bytes : float
        Held: rows, and the engine's memory.
    reduced : float
        Bytes of F and M, added up over the nodes once.
    """

    pick: float
    setup: float
    bytes: float
    reduced: float = 0.0


def share_of(case: Case, rows: int, threads: int) -> Share:
    """Of a node with so many rows (float32); what it repeats with all others included."""
    rate = rates(threads)
    inputs = 4.0 * rows * (case.d + case.classes)
    if case.kind == "k_center":
        reading = inputs / rate.copy
        return Share(rows * _k_center_row_seconds(), reading, inputs + 100.0 * rows)
    one, two = (_work_of(case, rows, threads, picks) for picks in (1, 2))
    stages = expected_seconds(one, rate)
    matrices = 2 * 8.0 * one.groups * one.block**2
    return Share(
        expected_seconds(two, rate)["forward"] - stages["forward"],
        stages["fisher"] + stages["setup"],
        inputs + sum(one.memory().values()),
        matrices,
    )


def _work_of(case: Case, rows: int, threads: int, picks: int) -> Work:
    return work_of(
        case.kind,
        n=rows,
        m=0,
        length=case.d,
        outputs=case.classes,
        rank=0,
        forward=picks,
        batch=picks,
        use_pool_fisher=True,
        threads=threads,
        chunk_rows=0,
    )


def _k_center_row_seconds() -> float:
    """Seconds a row and pick of this machine's record: the search is lazy, so measured."""
    path = ROOT / "benchmarks" / "results" / "k_center.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    picking = min(stages["pick"] for stages in record["raw"]["stages_s"])
    sizes = record["sizes"]
    return float(picking / sizes["n"] / sizes["batch_size"])


Variants = dict[str, tuple[Gather, Link]]


def table(case: Case, variants: Variants, threads: int) -> list[dict[str, Any]]:
    """A row for each number of nodes, with the exchanges done in each of these ways."""
    found = []
    sample = 8.0 * (case.d + case.classes)
    repeated = share_of(case, 16, threads).pick
    alone = share_of(case, case.rows, threads).pick
    for nodes in NODES:
        share = share_of(case, -(-case.rows // nodes), threads)
        row = {
            "nodes": nodes,
            "bytes_a_node": share.bytes,
            "setup_s": share.setup + FAST.all_reduce(nodes, share.reduced),
            "compute_s": share.pick,
            "of_it_repeated_s": repeated,
            "network_bytes": 16.0 * nodes + sample,
        }
        for name, (gather, link) in variants.items():
            exchange = pick_seconds(nodes, 0.0, sample, link, gather, picks=1)
            took = pick_seconds(nodes, share.pick, sample, link, gather, spread=SPREAD)
            row[f"exchange_{name}_s"] = exchange
            row[f"pick_{name}_s"] = took
            row[f"efficiency_{name}"] = alone / (nodes * took)
        found.append(row)
    return found


def local_exchanges(ranks: int) -> dict[str, float]:
    """Measured between so many processes of this machine."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(ranks) as pool:
        common = {"ranks": ranks, "meeting": str(Path(folder) / "meeting")}
        common |= {"values": SAMPLE, "large": LARGE}
        children = [
            pool.submit(run_child, "collective_child", {"rank": rank} | common, f"rank {rank}")
            for rank in range(ranks)
        ]
        return children[0].result()


def scaling(settings: Settings) -> Record:
    """The tables, and the simulation of a pick's exchanges against the measured one."""
    threads = resolve_threads(None)
    cases = CASES[:1] if settings.quick else CASES
    measured = {ranks: local_exchanges(ranks) for ranks in LOCAL_RANKS}
    two = measured[2]  # a message for the gather, one for the broadcast; the sum both ways
    local = Link((two["gather"] + two["broadcast"]) / 2, 8.0 * LARGE / two["sum"])
    variants: Variants = {
        "ring": (ring_gather, local),
        "doubling": (doubling_gather, local),
        "fast": (doubling_gather, FAST),
    }
    tables = {str(case): table(case, variants, threads) for case in cases}
    figures = [_checked(ranks, local, measured[ranks]) for ranks in LOCAL_RANKS if ranks > 1]
    figures += [_efficient(name, rows) for name, rows in tables.items()]
    raw = {
        "links": {"local": asdict(local), "fast": asdict(FAST)},
        "spread": SPREAD,
        "copy_rate": rates(threads).copy,
        "k_center_row_s": _k_center_row_seconds(),
        "measured": {str(ranks): found for ranks, found in measured.items()},
        "tables": tables,
    }
    notes = [
        "a node is this machine, and so is the link (two processes over gloo) but where `fast` "
        "assumes one; the model and what follows from it: SCALING.md"
    ]
    return Record("scaling", {"nodes": NODES, "cases": list(tables)}, figures, raw, notes)


def _checked(ranks: int, link: Link, found: dict[str, float]) -> Figure:
    simulated = pick_seconds(ranks, 0.0, 8.0 * SAMPLE, link, ring_gather)
    measured = found["gather"] + found["broadcast"]
    return informative(
        f"exchanges of a pick, {ranks} gloo processes, simulated over measured",
        simulated / measured,
        detail=f"{seconds(simulated)} simulated, {seconds(measured)} measured",
    )


def _efficient(name: str, rows: list[dict[str, Any]]) -> Figure:
    """The speed-up with as many nodes as are busy half of the time."""
    best = [row for row in rows if row["efficiency_ring"] >= 0.5][-1]
    return informative(
        f"scaling model, {name}, speed-up on {best['nodes']:,} nodes",
        best["nodes"] * best["efficiency_ring"],
        detail=f"{seconds(best['pick_ring_s'])} a pick; the last with half its seconds used",
    )
