# SPDX-License-Identifier: Apache-2.0
"""The process of one case: a task as JSON in, rows and raw times as JSON out.

Each case has a process of its own: a device that is lost, a leak or a hang costs one case.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.gpu import bait, distance, floors, last_layer, same_picks
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.row import Measured
from benchmarks.gpu.work import Floors

CASES: dict[str, Callable[[Bench], Measured]] = {
    "floors": floors.floors,
    "same_picks": same_picks.same_picks,
    "bait": bait.whole,
    "bait_published": bait.against_published,
    "k_center": distance.k_center,
    "bait_million": bait.million,
    "badge": distance.badge,
    "max_det": last_layer.max_det,
    "information_gain": last_layer.information_gain,
    "mask": last_layer.mask,
    "bait_block_diagonal": bait.block_diagonal,
}


def measure(task: Mapping[str, Any]) -> dict[str, Any]:
    """Run the case ``task["case"]``; the other entries are those of `Bench`."""
    options = dict(task)
    case = options.pop("case")
    known = options.pop("floors", None)
    bench = Bench(**options, floors=None if known is None else Floors(**known))
    found = CASES[case](bench)
    if bench.quick:
        found = found.unjudged()
    return found.as_json() | {"clock": bench.clock}


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
