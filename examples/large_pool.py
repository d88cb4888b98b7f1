# SPDX-License-Identifier: Apache-2.0
"""A pool in a file, read where it is used: memory does not grow with it.

Run it with ``python examples/large_pool.py [FOLDER]``; it takes seconds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import fisher_select as fs

SHIFTS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


def write_pool(path: Path) -> None:
    """Write features a piece at a time: each digit, shifted by up to a pixel."""
    images = load_digits().images / 16
    n = len(images)
    shape = (n * len(SHIFTS), 65)
    pool = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for k, shift in enumerate(SHIFTS):
        pool[k * n : (k + 1) * n, :64] = np.roll(images, shift, axis=(1, 2)).reshape(n, 64)
    pool[:, 64] = 1.0  # the bias
    pool.flush()


def main(folder: Path) -> fs.Selection:
    """Pick 20 of 16,173 rows of a file, with 64 MB at the most."""
    path = folder / "features.npy"
    write_pool(path)
    X = fs.open_pool(path)  # mapped; .parquet and .zarr do as well
    labeled, y = np.arange(50), load_digits().target
    model = LogisticRegression(max_iter=500).fit(X[labeled, :64], y[labeled])
    # Probabilities are a column a class, and fit into memory where features do not.
    P = np.concatenate(
        [model.predict_proba(X[k : k + 4096, :64]) for k in range(0, len(X), 4096)]
    )
    task = {"labeled": labeled, "batch_size": 20, "memory_limit": "64MB"}
    print(f"file of {path.stat().st_size / 1e6:.1f} MB, plan: {fs.plan(X, P, **task)}")
    picks = fs.bait(X, P, **task)
    print(f"picked {picks.indices.tolist()} in {sum(picks.seconds.values()):.1f} s")
    return picks


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
