# SPDX-License-Identifier: Apache-2.0
"""A pool in a file larger than the memory it may take: peak, and the rate it is read at.

The file is written for the measurement and removed behind it. The selection runs in a process
of its own (``out_of_core_child``); beside it one plain reading of the same file in the same
order, which is the floor of a pass. A second selection picks from the rows of largest first
gain alone, and leaves the file after that.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import run_child
from benchmarks.engine import Settings
from benchmarks.record import Figure, Record, informative

GB = 1e9
LIMIT = 2 * GB
CHUNK_ROWS = 1 << 14


@dataclass(frozen=True)
class Size:
    """Features [n, d] in float32 with two classes, and the rows to label."""

    n: int
    d: int
    batch_size: int
    prefilter: int
    seed: int = 0

    @property
    def bytes(self) -> int:
        return 4 * self.n * self.d


FULL = Size(10_000_000, 512, batch_size=2, prefilter=100_000)
QUICK = Size(100_000, 64, batch_size=2, prefilter=1_000)


def streamed(settings: Settings) -> Record:
    """Select from a 20 GB file with less than 2 GB of memory."""
    size = QUICK if settings.quick else FULL
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder) / "features.npy"
        write_pool(path, size)
        floor = read_plainly(path)
        task = {**asdict(size), "path": str(path), "backend": settings.backend}
        few = run_child("out_of_core_child", task, "the process out of core, prefiltered")
        found = run_child(
            "out_of_core_child", task | {"prefilter": None}, "the process out of core"
        )
    return Record(
        "out_of_core",
        asdict(size),
        figures(size, found, floor) + few_figures(size, few, floor),
        {**found, "read_s": floor, "prefilter": few},
    )


def figures(size: Size, found: Mapping[str, Any], floor: float) -> list[Figure]:
    """The peak against its limit, and a pick's pass against the plain reading."""
    what = f"a pool of {size.bytes / GB:,.3g} GB in a file, d = {size.d}, C = 2"
    peak, stages = found["peak_bytes"], found["seconds"]
    # The first pick needs no pass, its scores are those of the set-up.
    per_pass = stages["forward"] / (2 * size.batch_size - 1)
    return [
        Figure(
            f"peak memory of the process, {what}",
            f"< {LIMIT / GB:g} GB",
            f"{peak / GB:.2f} GB, probabilities and pages of the file included ({size.n:,} "
            f"rows); {found['wall_s']:.0f} s in all, of which F {stages['fisher']:.0f} s and "
            f"the first scores {stages['setup']:.0f} s",
            peak / GB,
            peak < LIMIT,
        ),
        informative(
            f"a pick in {what}, against reading the file",
            per_pass / floor,
            detail=f"{per_pass:.1f} s, read alone {floor:.1f} s",
        ),
    ]


def few_figures(size: Size, found: Mapping[str, Any], floor: float) -> list[Figure]:
    """The same where a pick reads no file."""
    what = f"a pool of {size.bytes / GB:,.3g} GB, prefilter = {size.prefilter:,}"
    peak, stages = found["peak_bytes"], found["seconds"]
    per_pick = stages["forward"] / (2 * size.batch_size)
    return [
        Figure(
            f"peak memory of the process, {what}",
            f"< {LIMIT / GB:g} GB",
            f"{peak / GB:.2f} GB; {found['wall_s']:.0f} s in all, of which F "
            f"{stages['fisher']:.0f} s and the first gains {stages['prefilter']:.0f} s",
            peak / GB,
            peak < LIMIT,
        ),
        informative(
            f"a pick in {what}, against reading the file",
            per_pick / floor,
            detail=f"{per_pick * 1e3:.1f} ms, read alone {floor:.1f} s",
        ),
    ]


def write_pool(path: Path, size: Size) -> None:
    """Features whose columns spread by decreasing amounts, a chunk at a time."""
    draw = np.random.default_rng(size.seed)
    spread = np.linspace(1.0, 0.05, size.d, dtype=np.float32)
    with path.open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (size.n, size.d)}
        np.lib.format.write_array_header_1_0(stream, header)
        for begin in range(0, size.n, CHUNK_ROWS):
            rows = min(CHUNK_ROWS, size.n - begin)
            chunk = draw.standard_normal((rows, size.d), dtype=np.float32)
            stream.write((chunk * spread).tobytes())


def read_plainly(path: Path) -> float:
    """Seconds of one reading of the file, from the disk or what the system kept of it."""
    start = time.perf_counter()
    block = bytearray(1 << 24)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(block):
            pass
    return time.perf_counter() - start
