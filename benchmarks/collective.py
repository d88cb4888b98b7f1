# SPDX-License-Identifier: Apache-2.0
"""The exchanges of a pick among many ranks, simulated message by message.

A rank is the second at which it is ready for its next step; a message takes the link's latency
and its bytes over the link's bandwidth, at both of its ends. Ranks wait for each other only
where a message makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """Between any two ranks: seconds a message and bytes a second."""

    latency: float
    bandwidth: float

    def message(self, size: float) -> float:
        """Seconds of a message of so many bytes."""
        return self.latency + size / self.bandwidth

    def all_reduce(self, ranks: int, size: float) -> float:
        """Seconds to add up so many bytes around a ring: each rank sends its parts twice."""
        return 2 * (ranks - 1) * self.message(size / ranks)


Gather = Callable[[Times, float, Link], Times]


def ring_gather(ready: Times, size: float, link: Link) -> Times:
    """All-gather of `size` bytes a rank, handed on from neighbour to neighbour (gloo's)."""
    for _ in range(len(ready) - 1):
        ready = np.maximum(ready, np.roll(ready, 1)) + link.message(size)
    return ready


def doubling_gather(ready: Times, size: float, link: Link) -> Times:
    """All-gather in ceil(log2 ranks) steps, of 1, 2, 4, ... ranks' bytes (dissemination)."""
    known = 1
    while known < len(ready):
        sent = min(known, len(ready) - known)
        ready = np.maximum(ready, np.roll(ready, known)) + link.message(sent * size)
        known += sent
    return ready


def tree_broadcast(ready: Times, root: int, size: float, link: Link) -> Times:
    """Broadcast by a binomial tree: at each step all who know it tell one who does not."""
    ready = np.roll(ready, -root)
    known = 1
    while known < len(ready):
        told = min(known, len(ready) - known)
        tellers, listeners = slice(0, told), slice(known, known + told)
        ready[listeners] = np.maximum(ready[listeners], ready[tellers])
        ready[listeners] += link.message(size)
        ready[tellers] += link.message(size)
        known += told
    return np.roll(ready, root)


def pick_seconds(
    ranks: int,
    work: float,
    sample_bytes: float,
    link: Link,
    gather: Gather,
    *,
    spread: float = 0.0,
    picks: int = 10,
    seed: int = 0,
) -> float:
    """Mean seconds of a pick.

    Parameters
    ----------
    ranks : int
    work : float
        Mean seconds that a rank computes in a pick.
    sample_bytes : float
        The winner's x and p.
    link : Link
    gather : ring_gather or doubling_gather
        Of each rank's best score and row, 16 bytes.
    spread : float
        Standard deviation of the logarithm of a rank's seconds, drawn anew at each pick.
    picks, seed : int
    """
    rng = np.random.default_rng(seed)
    ready = np.zeros(ranks)
    for _ in range(picks):
        # A log-normal of mean 1.
        ready += work * rng.lognormal(-0.5 * spread**2, spread, ranks)
        ready = gather(ready, 16.0, link)
        ready = tree_broadcast(ready, int(rng.integers(ranks)), sample_bytes, link)
    return float(ready.max()) / picks
