# SPDX-License-Identifier: Apache-2.0
"""Sizes of a selection by tr(M^-1 F), and of the pieces that the cpu engine works in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LANES", "PANEL", "Sizes", "triangle", "useful_threads"]

LANES = 16  # candidates of a vector
PANEL = 64  # columns of a matrix taken at once
_WORTH_A_THREAD = 3e5  # multiplications of a pick


def triangle(k: int) -> int:
    """Entries of a symmetric k x k matrix."""
    return k * (k + 1) // 2


@dataclass(frozen=True)
class Sizes:
    """One selection's sizes, in the words of csrc/factors.h.

    Attributes
    ----------
    pool, n, m, forward, backward : int
        Rows, those that the forward stage looks at, labelled ones, picks and removals.
    length, slots : int
        d, or D and r of dense factors.
    groups, classes, rank : int
        Independent blocks, classes of a block that M has, columns of a candidate's factor.
    links : int
        Numbers a candidate keeps beside G and H.
    matrices : int
        M, Q, P, and F where it is not the identity.
    copied, gathered : int
        Bytes of the outputs of `top_classes`, and of the rows that a prefilter keeps.
    lazy : bool
        A search of the forward stage that lets candidates wait.
    threads, chunk_rows : int
        0 rows: the engine's choice.
    """

    pool: int
    n: int
    m: int
    forward: int
    backward: int
    length: int
    slots: int
    groups: int
    classes: int
    rank: int
    links: int
    matrices: int
    copied: int
    gathered: int
    lazy: bool
    threads: int
    chunk_rows: int

    # ------------------------------------------------------------------------------ sizes
    @property
    def block(self) -> int:
        """Side of a group's matrices."""
        return self.classes * self.length

    @property
    def parameters(self) -> int:
        """D of all groups together."""
        return self.groups * self.block

    @property
    def inner(self) -> int:
        """Vectors that a sample brings to a group: classes, or the slots of a dense factor."""
        return max(self.slots, self.classes)

    @property
    def columns(self) -> int:
        """Columns of the panel U | R."""
        return 2 * self.groups * self.classes * self.rank

    @property
    def pairs(self) -> int:
        """Blocks of the lower triangle of all matrices of one kind."""
        return self.groups * triangle(self.classes)

    @property
    def pending(self) -> int:
        """Columns of U before Q and P take them in."""
        room = max(16, min(192, self.block // 8)) // self.rank * self.rank
        return max(self.rank, min(room, self.forward * self.rank))

    @property
    def chosen(self) -> bool:
        """Whether a candidate keeps columns of its own, fewer than there are classes."""
        return self.slots == 1 and self.classes > self.rank

    @property
    def chunk(self) -> int:
        """Rows of a sweep that a thread takes at once."""
        wanted = self.chunk_rows
        if wanted == 0:
            values = 1 << 17
            fits = min(values // (self.length * self.slots), 2 * values // self.columns)
            wanted = min(max(fits // 16 * 16, 16), 512)
        return -(-min(wanted, self.n) // LANES) * LANES

    @property
    def accumulated_chunk(self) -> int:
        """Rows in float64 that F takes in at once."""
        return max(-(-256 // self.slots), min((1 << 18) // (self.length * self.slots), 2048))

    @property
    def reset_rows(self) -> int:
        """Rows taken at once where the state is made anew."""
        rows = 4 * self.chunk
        if self.chunk_rows == 0:
            at_once = min(512, (1 << 22) // (self.groups * triangle(self.inner)))
            rows = max(rows, at_once // LANES * LANES)
        return rows

    @property
    def state_values(self) -> int:
        """Numbers a candidate keeps: its links, G, H and its score."""
        return self.links + 2 * self.groups * triangle(self.rank) + 1


def useful_threads(threads: int, multiplications: float) -> int:
    """Threads that the engine wakes for a pick of so many multiplications."""
    return max(1, min(threads, int(multiplications / _WORTH_A_THREAD)))
