# SPDX-License-Identifier: Apache-2.0
"""BAIT as published (Ash et al., NeurIPS 2021), in plain torch: the rival of the trace engine.

At each pick the two sandwiches of every candidate are computed anew from the stored factors,
``8 n r D^2`` flops (``8 n C^3 d^2`` for a softmax last layer), and the inverse follows by
Woodbury.  Written from the mathematics, and as fast as that form allows: all cores, pool
resident, chunks that stay near the cache, a masked argmax instead of a sort.  It runs where its
factors lie, on a GPU too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Products = Literal["published", "hoisted"]

# Rows of a [rows, D] x [D, D] product: large enough for full GEMM speed on a few cores, small
# enough that one operand and the result stay near the last-level cache (20 MB at D = 1,280). A
# GPU wants larger ones: each takes 1.3 GB at D = 5,120.
GEMM_ROWS = 4096
GEMM_ROWS_CUDA = 65536


@dataclass(frozen=True)
class PublishedRun:
    """What one complete run chose, and what it cost."""

    forward: list[int]  # in the order picked
    kept: list[int]  # survivors of the backward stage, in forward order
    pick_seconds: list[float]  # one entry a forward pick
    seconds: dict[str, float]  # by stage: setup, forward, backward


def softmax_factors(
    features: npt.ArrayLike | Tensor,
    probabilities: npt.ArrayLike | Tensor,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Factors of a softmax last layer, one row a class: ``V^T`` as [n, C, C d].

    Row c of sample i is ``sqrt(p_c) (e_c - p) (x) x_i``, class-major, so that the sum over
    rows of the outer products is the sample's Fisher information.
    """
    x = torch.as_tensor(features).to(dtype)
    p = torch.as_tensor(probabilities).to(dtype)
    classes = p.shape[1]
    eye = torch.eye(classes, dtype=dtype, device=p.device)
    rows = p.sqrt()[:, :, None] * (eye - p[:, None, :])
    return (rows[:, :, :, None] * x[:, None, None, :]).reshape(len(x), classes, -1)


class PublishedBait:
    """Forward-backward greedy on stored factors; a pick costs ``8 n r D^2`` flops.

    Parameters
    ----------
    factors : Tensor [n, r, D]
        ``V_i^T`` of every sample, labelled ones too.  Its dtype is that of all the arithmetic:
        float32 as the authors run it, or float64.
    labeled : sequence of int
        Rows already labelled; they enter the start and are never picked.
    batch_size : int
        Labels to buy, B.
    lam : float
        Ridge of the start.
    normalization : {"reference", "paper"}
        The authors' code, or Algorithm 1 of the paper without its scale factors.
    products : {"published", "hoisted"}
        ``published`` multiplies the pool by ``M^-1``, ``F`` and ``M^-1`` in turn, as printed.
        ``hoisted`` forms ``M^-1 F M^-1`` once a pick, which halves the flops: kinder than
        what is published, reported beside it.
    """

    def __init__(
        self,
        factors: Tensor,
        *,
        labeled: Sequence[int] | npt.NDArray[np.int64] = (),
        batch_size: int,
        lam: float = 1.0,
        normalization: Literal["reference", "paper"] = "reference",
        products: Products = "published",
    ) -> None:
        start = time.perf_counter()
        n, rank, width = factors.shape
        device = factors.device
        rows = torch.as_tensor(np.asarray(labeled, dtype=np.int64), device=device)
        m = len(rows)
        reference = normalization == "reference"
        shrink = m / (m + batch_size) if reference else 1.0
        scale = (batch_size / (m + batch_size)) ** 0.5 if reference else 1.0
        self.fisher = _second_moment(factors)
        collected = lam * torch.eye(width, dtype=factors.dtype, device=device)
        if m:
            collected += shrink * _second_moment(factors[rows])
        self.inverse = torch.cholesky_inverse(torch.linalg.cholesky(collected))
        self.factors = factors if scale == 1.0 else factors * scale
        self.batch_size = batch_size
        self.products = products
        gemm_rows = GEMM_ROWS_CUDA if device.type == "cuda" else GEMM_ROWS
        self.chunk = max(1, gemm_rows // rank)
        self.eye = torch.eye(rank, dtype=factors.dtype, device=device)
        self.taken = torch.zeros(n, dtype=torch.bool, device=device)
        self.taken[rows] = True
        self.setup_seconds = time.perf_counter() - start

    def gains(self) -> Tensor:
        """``tr(H (I + G)^-1)`` of every candidate [n]; rows already taken hold -inf."""
        middle = self._middle()
        out = torch.empty_like(self.taken, dtype=self.factors.dtype)
        for first in range(0, len(out), self.chunk):
            last = first + self.chunk
            inner, outer = self._sandwiches(self.factors[first:last], middle)
            out[first:last] = _trace(outer, torch.linalg.inv(self.eye + inner))
        return out.masked_fill_(self.taken, -torch.inf)

    def pick(self) -> int:
        """One forward pick: the largest gain, the lowest row among equals."""
        best = int(self.gains().argmax())
        self._update(best, +1.0)
        self.taken[best] = True
        return best

    def drop(self, picks: list[int]) -> int:
        """One backward step: removes from ``picks`` the row whose loss is smallest."""
        inner, outer = self._sandwiches(self.factors[picks], self._middle())
        worst = int(_trace(outer, torch.linalg.inv(self.eye - inner)).argmin())
        self._update(picks[worst], -1.0)
        return picks.pop(worst)

    def run(self, oversample: float = 2.0) -> PublishedRun:
        """Forward to ``ceil(oversample B)`` picks, then backward to B."""
        free = int((~self.taken).sum())
        count = min(int(np.ceil(oversample * self.batch_size)), free)
        forward, pick_seconds = [], []
        for _ in range(count):
            start = time.perf_counter()
            forward.append(self.pick())
            pick_seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        kept = list(forward)
        while len(kept) > self.batch_size:
            self.drop(kept)
        seconds = {
            "setup": self.setup_seconds,
            "forward": sum(pick_seconds),
            "backward": time.perf_counter() - start,
        }
        return PublishedRun(forward, kept, pick_seconds, seconds)

    def _middle(self) -> Tensor | None:
        if self.products == "published":
            return None
        return self.inverse @ self.fisher @ self.inverse

    def _sandwiches(self, factors: Tensor, middle: Tensor | None) -> tuple[Tensor, Tensor]:
        """G = V^T M^-1 V and H = V^T M^-1 F M^-1 V, [n, r, r] each, of factors [n, r, D]."""
        flat = factors.reshape(-1, factors.shape[2])  # one GEMM for the chunk, not n small ones
        inner = flat @ self.inverse
        if middle is None:  # left to right, as printed: three more products with the pool
            outer = flat @ self.inverse @ self.fisher @ self.inverse
        else:
            outer = flat @ middle
        columns = factors.mT
        return inner.view_as(factors) @ columns, outer.view_as(factors) @ columns

    def _update(self, row: int, sign: float) -> None:
        """Woodbury: the inverse after adding (+1) or removing (-1) one sample's factor."""
        factor = self.factors[row]  # [r, D]
        product = factor @ self.inverse
        core = torch.linalg.inv(self.eye + sign * (product @ factor.mT))
        self.inverse -= sign * (product.mT @ core @ product)


def _second_moment(factors: Tensor) -> Tensor:
    """Mean over samples of ``V V^T`` [D, D], of factors [n, r, D]."""
    flat = factors.reshape(-1, factors.shape[2])
    return flat.mT @ flat / len(factors)


def _trace(left: Tensor, right: Tensor) -> Tensor:
    """``tr(left right)`` of each pair of [n, r, r], without forming the products."""
    return (left * right.mT).sum(dim=(1, 2))
