# SPDX-License-Identifier: Apache-2.0
"""A pool that several processes hold, each some rows; the picks are those of one process.

    torchrun --standalone --nproc-per-node 2 examples/torchrun_shards.py

Over several machines it is the same script, started by torchrun on each of them with
`--nnodes` and `--rdzv-endpoint` in place of `--standalone`.
"""

from __future__ import annotations

import numpy as np
import torch.distributed as dist
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import fisher_select as fs


def main() -> None:
    """Select from this rank's share of the digits together with the other ranks."""
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    X, y = load_digits(return_X_y=True)
    X = np.column_stack([X / 16, np.ones(len(X))]).astype(np.float32)
    known = np.arange(20)  # rows that have a label, counted over the whole pool
    P = LogisticRegression(max_iter=500).fit(X[known], y[known]).predict_proba(X)

    # Rank 0 has the first rows of the pool, rank 1 the next ones, and so on.
    edges = np.linspace(0, len(X), ranks + 1).astype(int)
    own = slice(edges[rank], edges[rank + 1])
    mine = known[(known >= own.start) & (known < own.stop)] - own.start
    picks = fs.distributed.bait(X[own], P[own], labeled=mine, batch_size=10)

    if rank == 0:
        print(f"{ranks} ranks picked {picks.indices.tolist()}")
        alone = fs.bait(X, P, labeled=known, batch_size=10)
        same = alone.indices.tolist() == picks.indices.tolist()
        print(f"one process picks {'the same' if same else alone.indices.tolist()}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
