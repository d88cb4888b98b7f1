# SPDX-License-Identifier: Apache-2.0
"""The least that each operation has to move and to compute, and the floor that follows.

Bytes are those that cannot be spared: an input or a state that does not fit the cache, read
once, written once where it changes. Products between a GEMM and the kernel behind it, lists,
scores and launches count nothing, and neither does float64 arithmetic: the floors are low, so
shares of them are modest. Flops are counted as the GEMM rate is: two for a multiply-add.
"""

from __future__ import annotations

from dataclasses import dataclass

FLOAT, DOUBLE = 4, 8  # bytes


@dataclass(frozen=True)
class Floors:
    """What the card does at best, measured in the same run (floors.py)."""

    copy_bytes_per_s: float  # device to device; bytes read and bytes written
    gemm_flops_per_s: float  # float32, without TF32
    gemm64_flops_per_s: float  # float64; no share rests on it


@dataclass(frozen=True)
class Work:
    """Bytes and float32 flops."""

    bytes: float
    flops: float = 0.0

    def seconds(self, floors: Floors) -> float:
        """The larger of both floors: as if one could hide behind the other."""
        return max(self.bytes / floors.copy_bytes_per_s, self.flops / floors.gemm_flops_per_s)


def trace_pick(n: int, d: int, *, classes: int, rank: int, groups: int = 1) -> Work:
    """A forward pick of BAIT (DESIGN section 3).

    Bytes: X once; G and H of every candidate, r (r + 1) / 2 float32 each, read and written; one
    triangle of Q and P, float64, once. Flops: X [n, d] times [U | R], 2 c r columns a group.

    Parameters
    ----------
    n, d : int
        Rows and features of the pool.
    classes, rank, groups : int
        c, r of a group and the number of groups, as the engine has them: softmax of C classes
        is one group with c = r = C - 1, block-diagonal C groups with c = r = 1.
    """
    state = 2 * n * groups * rank * (rank + 1) // 2 * FLOAT
    matrices = 2 * groups * (classes * d) ** 2 // 2 * DOUBLE
    columns = groups * 2 * classes * rank
    return Work(n * d * FLOAT + 2 * state + matrices, 2.0 * n * d * columns)


def log_det_pick(n: int, d: int, *, classes: int) -> Work:
    """A pick of max_det on rank-one gradients, in matrix form.

    Bytes: X and the c link coefficients of every row once; G read and written; one triangle of
    Q, float64. Flops: X times U, c columns.
    """
    pool = n * (d + classes + 2) * FLOAT
    return Work(pool + (classes * d) ** 2 // 2 * DOUBLE, 2.0 * n * d * classes)


def distance_picks(n: int, d: int, *, picks: int, full: int, outputs: int = 0) -> Work:
    """k-centre or BADGE, the whole call.

    Bytes: the arrays once, for the summaries; 20 of each row a pick, which the cache may hold
    (csrc/cuda/nearest_center.h), so that shares above 1 are possible; a whole row for each
    distance computed in full. `outputs` is C where points are gradients.
    """
    row = (d + outputs) * FLOAT
    return Work(n * row + picks * n * 20 + full * row)


def information_gain(n: int, m: int, d: int, classes: int) -> Work:
    """Scores of n rows on m evaluation rows, for short steps.

    Bytes: both feature arrays once. Flops: one product for all pairs, and for each pair and
    class 35 (csrc/information_gain.h, small_step and multiply_in: 11 of an exponential, 10 of
    the shared part, 6 of the label's, 8 to multiply in), which are not all multiply-adds.
    """
    return Work((n + m) * d * FLOAT, 2.0 * n * m * d + 35.0 * n * m * classes)


def one_reading(values: int) -> Work:
    """A pass over float32 values, such as the diagonal that a mask is chosen from."""
    return Work(values * FLOAT)
