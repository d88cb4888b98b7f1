# SPDX-License-Identifier: Apache-2.0
"""A small run in a process of its own, to be killed: python loop_child.py FOLDER SECONDS.

It prints "ready" when the imports are done, and sleeps so long in each round's training.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from toys import Centroids, blobs

from fisher_select.loop import ActiveLearner
from fisher_select.strategies import Bait


class Slow(Centroids):
    """Draws from NumPy's global generator too, whose state the run directory keeps."""

    def train(self, *arguments: Any, **keywords: Any) -> Any:
        time.sleep(float(sys.argv[2]))
        means = super().train(*arguments, **keywords)
        return means + 1e-3 * np.random.standard_normal(means.shape)  # noqa: NPY002


def run(folder: Path) -> ActiveLearner:
    return ActiveLearner(
        lambda: np.zeros((3, 2)),
        blobs(80),
        strategy=Bait(backend="reference", oversample=1.5),
        batch_size=3,
        rounds=15,
        initial=5,
        trainer=Slow(),
        run_dir=folder,
    )


if __name__ == "__main__":
    np.random.seed(0)  # noqa: NPY002
    learner = run(Path(sys.argv[1]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in learner:
        pass
