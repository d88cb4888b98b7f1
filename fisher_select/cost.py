# SPDX-License-Identifier: Apache-2.0
"""What a selection by tr(M^-1 F) takes on the cpu engine: bytes and multiplications.

A mirror of csrc/cpu (information, pool_state, information_objective): who changes a buffer or a
loop there changes its line here; the tests compare both with a measured peak. timing.py makes
seconds of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fisher_select.sizes import LANES, PANEL, Sizes, triangle, useful_threads
from fisher_select.tiles import inversion

__all__ = ["Work", "work_of"]

_SLICE = 1 << 26, 1 << 17  # bytes of state, and rows, that a prefilter scores together
_DIRECTIONS, _SAMPLE, _VISIT = 56, 1024, 272  # of a lazy search, rows of a visit padded
_OWN = 200_000  # bytes that a thread touches of its stack and of what malloc keeps for it


@dataclass(frozen=True)
class Work(Sizes):
    """One selection's bytes and multiplications; attributes are those of `Sizes`."""

    # ----------------------------------------------------------------------------- memory
    def memory(self) -> dict[str, int]:
        """Bytes at the peak by what they are for; pages that nobody touches do not count."""
        state = self.state_bytes + max(self.reset_bytes, self.sweep_bytes)
        state += self.gathered + self._waiting() + _OWN * self.threads
        updates = self.update_bytes
        picks = {"state": state, "updates": updates, "leaders": self.leader_bytes}
        rebuilding = {"updates": updates if self.backward else 0, "root": self.root_bytes}
        scoring = {"prefilter": self._prefilter()}
        stage = max((picks, rebuilding, scoring), key=lambda parts: sum(parts.values()))
        outputs = {"outputs": self.copied} if self.copied else {}
        own = {"matrices": self.matrices * self.matrix_bytes, "chunk": self._float64_chunk}
        return own | outputs | stage

    @property
    def matrix_bytes(self) -> int:
        """One of M, F, Q and P, of all groups."""
        return 8 * self.groups * self.block**2

    @property
    def root_bytes(self) -> int:
        """K^-1 of M = K K^T, while there is one; of many groups each thread has its own."""
        return 8 * self.block**2 * (min(self.threads, self.groups) if self.groups > 1 else 1)

    @property
    def update_bytes(self) -> int:
        """U and R that wait for Q and P to take them in, and their products."""
        products = 16 * self._vectors * self.groups * self.pending * self.classes
        return 16 * self.pending * self.parameters + products

    @property
    def leader_bytes(self) -> int:
        """Candidates that are scored exactly, and the commit of one."""
        vectors = self._vectors
        leaders = 16 * vectors * self.parameters * self.classes + 8 * vectors * self.length
        leaders += 16 * vectors * self.groups * triangle(self.inner)
        return leaders + 24 * self.rank * self.parameters + 4 * self.columns * self.length

    @property
    def state_bytes(self) -> int:
        """What the candidates keep, and a byte each that says who is taken."""
        return self._state(4) + self.n

    @property
    def reset_bytes(self) -> int:
        """Workspaces of all threads while the state is made anew."""
        return self._reset(4)

    @property
    def sweep_bytes(self) -> int:
        """And while it is updated."""
        return self._sweep(4)

    @property
    def _vectors(self) -> int:
        """Vectors that are multiplied by Q and P at once."""
        return max(8, self.slots)

    @property
    def _float64_chunk(self) -> int:
        """Rows that F is made of, freed by then: allocators keep so little for what follows."""
        rows = min(self.accumulated_chunk, max(self.accumulated_rows, 1))
        return 8 * rows * self.slots * self.length

    def _state(self, item: int) -> int:
        return -(-self.n // LANES) * LANES * self.state_values * item

    def _prefilter(self) -> int:
        """A slice's state in float64, and the best rows so far."""
        if self.pool == self.n:
            return 0
        most = max(_SLICE[0] // (8 * self.state_values), 1)
        part = replace(self, n=min(most, _SLICE[1], self.pool))
        converted = 8 * self.threads * part.reset_rows * self.length
        return part._state(8) + part._reset(8) + converted + 32 * self.n

    def _waiting(self) -> int:
        """What a lazy or a stochastic search keeps.

        The commits that candidates owe and what the sample gained after each; Q and P in
        float32, half of each pair of classes; the pool in a few directions, with what was seen
        of each candidate; and workspaces for visits.
        """
        if not self.lazy:
            return 0
        directions = min(_DIRECTIONS, self.length)
        picks = 4 * self.forward * (self.columns * self.length + 2 * _SAMPLE)
        packed = 8 * self.pairs * self.length**2
        candidates = self.n * (14 + 4 * directions * self.slots)
        products = 3 * self.groups * triangle(self.inner) + self.columns * self.slots
        visit = self.slots * (directions + 2 * self.length) + products
        return picks + packed + candidates + 4 * self.threads * _VISIT * visit

    def _reset(self, item: int) -> int:
        values = self.groups * triangle(self.inner) * (self.reset_rows + LANES)
        values += PANEL * self.length + self.reset_rows * (self.length + 1)
        return item * self._workers(self.reset_rows) * (values + self._small)

    def _sweep(self, item: int) -> int:
        values = self.columns * self.slots * (self.chunk + LANES)
        return item * self._workers(self.chunk) * (values + self._small)

    def _workers(self, rows: int) -> int:
        """Threads that find so many rows to work on."""
        return min(self.threads, -(-self.n // rows))

    @property
    def _small(self) -> int:
        """The small matrices of sixteen candidates."""
        return LANES * (
            2 * self.rank**2 + triangle(self.rank) + self.inner + triangle(self.inner)
        )

    # ------------------------------------------------------------------- multiplications
    @property
    def accumulated_rows(self) -> int:
        """Rows that F and M are made of."""
        return (self.pool if self.matrices == 4 else 0) + self.m

    @property
    def scored_rows(self) -> int:
        """Rows that a prefilter scores beside those of the forward stage."""
        return self.pool if self.pool > self.n else 0

    @property
    def symmetric_block(self) -> float:
        """Multiplications of a symmetric d x d block by panels of columns, a row."""
        panels, rest = divmod(self.length, PANEL)
        return (self.length**2 + panels * PANEL**2 + rest**2) / 2

    @property
    def quadratic(self) -> float:
        """Multiplications a row of x^T A x for all blocks of one matrix."""
        if self.slots > 1:
            return float(self.slots * self.length**2)
        return self.pairs * self.symmetric_block

    @property
    def inverse(self) -> float:
        """Of M^-1 and M^-1 F M^-1 for all groups."""
        return self.groups * inversion(self.block, 1, pool_fisher=self.matrices == 4)

    @property
    def inverse_of_a_thread(self) -> float:
        """Of that, those of the thread with most to do."""
        if self.groups > 1:
            return self.inverse / self.groups * -(-self.groups // self.threads)
        return inversion(self.block, self.threads, pool_fisher=self.matrices == 4)

    @property
    def sweep(self) -> float:
        """Of the pool's products with U | R, a row."""
        return float(self.length * self.columns * self.slots)

    @property
    def update(self) -> float:
        """Of G and H, and of the links before them, a row."""
        return float(self.groups * (1.5 * self.rank**3 + 2.0 * self._links_applied))

    @property
    def score(self) -> float:
        """Of a Cholesky factor, its inverse and the trace, a row: r^3 / 6 each."""
        return float(self.groups * (0.5 * self.rank**3 + self.rank))

    @property
    def reading(self) -> float:
        """Of the exact score of one candidate: a product with Q and one with P."""
        return 2.0 * self.groups * float(self.block) ** 2

    @property
    def consolidation(self) -> float:
        """Of the lower halves of U U^T, U R^T and R U^T, a pick."""
        return 1.5 * self.groups * float(self.block) ** 2 * self.rank

    @property
    def _links_applied(self) -> int:
        """Of one of T and Y: a weighted sum of all classes, and r columns of their own."""
        return self.rank * (self.classes + self.rank)

    def multiplications(self) -> dict[str, float]:
        """Multiplications with an addition, by stage. The last pick updates no pool."""
        n = float(self.n)
        pick = n * (self.sweep + self.update + self.score)
        own = self.reading + self.consolidation
        return {
            "fisher": self.accumulated_rows * self.slots * self.pairs * self.symmetric_block,
            "setup": self.inverse
            + (n + self.scored_rows) * (2.0 * self.quadratic + self.score),
            "forward": (self.forward - 1) * pick + self.forward * own,
            "backward": (self.inverse + self.backward * own) if self.backward else 0.0,
        }


def work_of(
    kind: str,
    *,
    n: int,
    m: int,
    length: int,
    outputs: int,
    rank: int,
    forward: int,
    batch: int,
    use_pool_fisher: bool,
    threads: int,
    chunk_rows: int,
    top: int = 0,
    candidates: int = 0,
    lazy: bool = False,
    item: int = 4,
    width: int = 4,
) -> Work:
    """The work of a TraceProblem: `outputs` is C, or r of dense factors; `rank` as there.

    `top` classes are kept, in a copy of so many columns, and the forward stage picks from a
    copy of `candidates` rows; 0 for all. `item`, `width`: bytes of a probability, a feature.
    """
    copied = 0
    if top:
        outputs = top + 1 if kind == "softmax" else top
        copied = item * n * outputs
    groups, classes, columns, links, slots = 1, 1, 1, 1, 1
    if kind == "softmax" and rank:
        classes, columns, links = outputs, rank, outputs + 2 * rank
    elif kind == "softmax":
        classes = columns = outputs - 1
        links = 2 * columns if outputs > 2 else 1
    elif kind in {"sigmoid", "block_diagonal"}:
        groups = links = outputs
    elif kind == "dense":
        slots = columns = outputs
        links = 0
    elif kind == "gaussian":
        links = 0
    gathered = candidates * (width * slots * length + (8 * outputs if slots == 1 else 0))
    work = Work(
        pool=n,
        n=candidates or n,
        m=m,
        forward=forward,
        backward=forward - batch,
        length=length,
        slots=slots,
        groups=groups,
        classes=classes,
        rank=columns,
        links=links,
        matrices=4 if use_pool_fisher else 3,
        copied=copied,
        gathered=gathered,
        lazy=lazy,
        threads=threads,
        chunk_rows=chunk_rows,
    )
    waking = n * length * work.columns * slots + groups * work.block**2
    return replace(work, threads=useful_threads(threads, float(waking)))
