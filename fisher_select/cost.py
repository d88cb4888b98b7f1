# SPDX-License-Identifier: Apache-2.0
"""What a selection by tr(M^-1 F) takes on the cpu engine: bytes and multiplications.

A mirror of csrc/cpu (information, pool_state, information_objective): who changes a buffer or a
loop there changes its line here; the tests compare both with a measured peak. timing.py makes
seconds of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["PANEL", "Work", "triangle", "work_of"]

_LANES = 16  # candidates of a vector
PANEL = 64  # columns of a matrix taken at once
_SLICE = 1 << 26, 1 << 17  # bytes of state, and rows, that a prefilter scores together


def triangle(k: int) -> int:
    """Entries of a symmetric k x k matrix."""
    return k * (k + 1) // 2


@dataclass(frozen=True)
class Work:
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
        return -(-min(wanted, self.n) // _LANES) * _LANES

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
            rows = max(rows, at_once // _LANES * _LANES)
        return rows

    # ----------------------------------------------------------------------------- memory
    def memory(self) -> dict[str, int]:
        """Bytes at the peak by what they are for; pages that nobody touches do not count."""
        matrix = 8 * self.groups * self.block**2
        root = 8 * self.block**2 * (min(self.threads, self.groups) if self.groups > 1 else 1)
        state = self._state(self.n, 4) + self._workspace(4)
        vectors = max(8, self.slots)
        pending = self.pending
        updates = 16 * pending * self.parameters
        updates += 16 * vectors * self.groups * pending * self.classes
        leaders = 16 * vectors * self.parameters * self.classes + 8 * vectors * self.length
        leaders += 16 * vectors * self.groups * triangle(self.inner)
        step = 24 * self.rank * self.parameters + 4 * self.columns * self.length
        state += self.gathered + self._waiting()
        picks = {"state": state, "updates": updates, "leaders": leaders + step}
        rebuilding = {"updates": updates if self.backward else 0, "root": root}
        scoring = {"prefilter": self._prefilter()}
        stage = max((picks, rebuilding, scoring), key=lambda parts: sum(parts.values()))
        outputs = {"outputs": self.copied} if self.copied else {}
        own = {"matrices": self.matrices * matrix, "chunk": self._float64_chunk}
        return own | outputs | stage

    @property
    def _float64_chunk(self) -> int:
        """Rows that F is made of, freed by then: allocators keep so little for what follows."""
        rows = min(self.accumulated_chunk, max(self.accumulated_rows, 1))
        return 8 * rows * self.slots * self.length

    def _state(self, rows: int, item: int) -> int:
        padded = -(-rows // _LANES) * _LANES
        values = self.links + 2 * self.groups * triangle(self.rank) + 1
        return padded * values * item

    def _prefilter(self) -> int:
        """A slice's state in float64, and the best rows so far."""
        if self.pool == self.n:
            return 0
        most = max(_SLICE[0] // self._state(_LANES, 8) * _LANES, 1)
        rows = min(most, _SLICE[1], self.pool)
        part = replace(self, n=rows)
        converted = 8 * self.threads * part.reset_rows * self.length
        return part._state(rows, 8) + part._workspace(8) + converted + 32 * self.n

    def _waiting(self) -> int:
        """The commits that candidates of a lazy search owe, and who owes how many."""
        if not self.lazy:
            return 0
        return 4 * self.forward * (self.columns * self.length + self.n // 64) + 10 * self.n

    def _workspace(self, item: int) -> int:
        """Of all threads: rows, products, and the small matrices of sixteen candidates."""
        small = _LANES * (
            2 * self.rank**2 + triangle(self.rank) + self.inner + triangle(self.inner)
        )
        reset = self.groups * triangle(self.inner) * (self.reset_rows + _LANES)
        reset += PANEL * self.length + self.reset_rows * (self.length + 1)
        update = self.columns * self.slots * (self.chunk + _LANES)
        workers = min(self.threads, -(-self.n // self.reset_rows))
        return item * workers * (max(reset, update) + small)

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
        """Of M^-1 and M^-1 F M^-1 for all groups, by tiles: about 2 and, in full tiles, 2.5."""
        return 2.5 * self.groups * float(self.block) ** 3

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
    return Work(
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
