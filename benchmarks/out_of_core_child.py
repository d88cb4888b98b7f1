# SPDX-License-Identifier: Apache-2.0
"""The process of ``out_of_core``: a task as JSON in, seconds and peak bytes as JSON out."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import fisher_select as fs
from benchmarks.memory_child import highest


def main(task: str) -> None:
    """Select from the file; print ``{"wall_s", "peak_bytes", "seconds", "indices"}``."""
    size = json.loads(task)
    features = np.load(size["path"], mmap_mode="r")
    likely = np.random.default_rng(size["seed"]).random(size["n"], dtype=np.float32)
    probabilities = np.stack([likely, 1 - likely], axis=1)
    start = time.perf_counter()
    picks = fs.bait(
        features,
        probabilities,
        batch_size=size["batch_size"],
        prefilter=size["prefilter"],
        backend=size["backend"],
    )
    found = {
        "wall_s": time.perf_counter() - start,
        "peak_bytes": highest(),
        "seconds": picks.seconds,
        "indices": picks.indices.tolist(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
