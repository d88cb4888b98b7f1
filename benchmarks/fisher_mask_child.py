# SPDX-License-Identifier: Apache-2.0
"""The process of one FisherMask selection: task as JSON in, times and peak memory as JSON out.

A process of its own, so that its peak is that of the selection, model and libraries included.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import fisher_select as fs
from benchmarks.digit_images import digit_images, train
from benchmarks.memory_child import highest
from fisher_select import features
from fisher_select.resnet import seeded


def main(task: str) -> None:
    """Train a network on some digits, then select from the others by FisherMask."""
    size = json.loads(task)
    images, labels = digit_images(size["n"])
    model = seeded(10, width=size["width"], stem=size["stem"])
    labeled = np.arange(size["labeled"])
    train(model, images[labeled], labels[labeled], epochs=size["epochs"])
    _, outputs, _ = features.extract(model, images)
    accuracy = float(np.mean(outputs.argmax(1) == labels))
    before = highest()
    start = time.perf_counter()
    picks = fs.fisher_mask(
        model,
        images,
        labeled=labeled,
        batch_size=size["batch_size"],
        num_samples=size["num_samples"],
    )
    wall = time.perf_counter() - start
    profile = picks.profile
    print(
        json.dumps(
            {
                "accuracy": accuracy,
                "wall_s": wall,
                "stages_s": picks.seconds,
                "before_bytes": before,
                "peak_bytes": highest(),
                "predicted_bytes": picks.diagnostics["memory_bytes"],
                "parameters": sum(profile.sizes),
                "mask": len(picks.mask),
                "form": picks.backend,
                "picks": picks.indices.tolist(),
                "classes_picked": np.bincount(labels[picks.indices], minlength=10).tolist(),
                "profile": dict(zip(profile.layers, profile.shares.tolist(), strict=True)),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
