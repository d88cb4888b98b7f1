# SPDX-License-Identifier: Apache-2.0
"""What a selection by tr(M^-1 F) takes on the cpu engine: bytes, multiplications, seconds.

A mirror of csrc/cpu (information, pool_state, information_objective): who changes a buffer or a
loop there changes its line here; the tests compare both with a measured peak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fisher_select.machine import Rates

__all__ = ["Work", "work_of"]

_LANES = 16  # candidates of a vector
_PANEL = 64  # columns of a matrix taken at once
_LANE_SHARE = 0.35  # of the product's rate that the small r x r work reaches
_SLICE = 1 << 26, 1 << 17  # bytes of state, and rows, that a prefilter scores together
_GATHER = 4e-9  # seconds of a core to fetch one product of a class that differs by row


def _triangle(k: int) -> int:
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
    def _inner(self) -> int:
        return max(self.slots, self.classes)

    @property
    def _columns(self) -> int:
        """Columns of the panel U | R."""
        return 2 * self.groups * self.classes * self.rank

    @property
    def _pairs(self) -> int:
        """Blocks of the lower triangle of all matrices of one kind."""
        return self.groups * _triangle(self.classes)

    @property
    def _chunk(self) -> int:
        wanted = self.chunk_rows
        if wanted == 0:
            values = 1 << 17
            fits = min(values // (self.length * self.slots), 2 * values // self._columns)
            wanted = min(max(fits // 16 * 16, 16), 512)
        return -(-min(wanted, self.n) // _LANES) * _LANES

    @property
    def _reset_rows(self) -> int:
        rows = 4 * self._chunk
        if self.chunk_rows == 0:
            at_once = min(512, (1 << 22) // (self.groups * _triangle(self._inner)))
            rows = max(rows, at_once // _LANES * _LANES)
        return rows

    # ----------------------------------------------------------------------------- memory
    def memory(self) -> dict[str, int]:
        """Bytes at the peak by what they are for; pages that nobody touches do not count."""
        matrix = 8 * self.groups * self.block**2
        root = 8 * self.block**2 * (min(self.threads, self.groups) if self.groups > 1 else 1)
        state = self._state(self.n, 4) + self._workspace(4)
        vectors = max(8, self.slots)
        pending = max(16, min(192, self.block // 8)) // self.rank * self.rank
        pending = max(self.rank, min(pending, self.forward * self.rank))
        updates = 16 * pending * self.parameters
        updates += 16 * vectors * self.groups * pending * self.classes
        leaders = 16 * vectors * self.parameters * self.classes + 8 * vectors * self.length
        leaders += 16 * vectors * self.groups * _triangle(self._inner)
        step = 24 * self.rank * self.parameters + 4 * self._columns * self.length
        state += self.gathered
        picks = {"state": state, "updates": updates, "leaders": leaders + step}
        rebuilding = {"updates": updates if self.backward else 0, "root": root}
        scoring = {"prefilter": self._prefilter()}
        stage = max((picks, rebuilding, scoring), key=lambda parts: sum(parts.values()))
        outputs = {"outputs": self.copied} if self.copied else {}
        return {"matrices": self.matrices * matrix, **outputs, **stage}

    def _state(self, rows: int, item: int) -> int:
        padded = -(-rows // _LANES) * _LANES
        values = self.links + 2 * self.groups * _triangle(self.rank) + 1
        return padded * values * item

    def _prefilter(self) -> int:
        """A slice's state in float64, and the best rows so far."""
        if self.pool == self.n:
            return 0
        most = max(_SLICE[0] // self._state(_LANES, 8) * _LANES, 1)
        rows = min(most, _SLICE[1], self.pool)
        part = replace(self, n=rows)
        converted = 8 * self.threads * part._reset_rows * self.length
        return part._state(rows, 8) + part._workspace(8) + converted + 32 * self.n

    def _workspace(self, item: int) -> int:
        """Of all threads: rows, products, and the small matrices of sixteen candidates."""
        small = _LANES * (
            2 * self.rank**2 + _triangle(self.rank) + self._inner + _triangle(self._inner)
        )
        reset = self.groups * _triangle(self._inner) * (self._reset_rows + _LANES)
        reset += _PANEL * self.length + self._reset_rows * (self.length + 1)
        update = self._columns * self.slots * (self._chunk + _LANES)
        workers = min(self.threads, -(-self.n // self._reset_rows))
        return item * workers * (max(reset, update) + small)

    # ------------------------------------------------------------------- multiplications
    def multiplications(self) -> dict[str, float]:
        """Multiplications with an addition, by stage."""
        n, d = float(self.n), float(self.length)
        square = self._pairs * d * (d + _PANEL) / 2
        cube = 2.5 * self.groups * float(self.block) ** 3
        pool = float(self.pool)
        rows = (pool if self.matrices == 4 else 0.0) + self.m
        scored = pool if self.pool > self.n else 0.0
        per_pick = n * d * self._columns * self.slots + self._small() * n
        reading = 2.0 * self.groups * float(self.block) ** 2
        quadratic = n * self._products()
        return {
            "fisher": rows * self.slots * square,
            "setup": cube
            + 2.0 * (quadratic + scored * self._products())
            + self._small() * (n + scored),
            "forward": self.forward * (per_pick + reading),
            "backward": (cube + self.backward * reading) if self.backward else 0.0,
        }

    def _products(self) -> float:
        """Multiplications a row of x^T A x for all blocks of one matrix."""
        d = float(self.length)
        return self._pairs * d * (d + _PANEL) / 2 if self.slots == 1 else self.slots * d * d

    def _small(self) -> float:
        """The r x r work of a candidate: update, Cholesky and score."""
        return self.groups * (2.3 * float(self.rank) ** 3 + 10.0)

    # ---------------------------------------------------------------------------- seconds
    def seconds(self, rates: Rates) -> dict[str, float]:
        """Expected seconds by stage, of a machine of these rates."""
        n, d, work = float(self.n), float(self.length), self.multiplications()
        pool64 = rates.product("float64", _PANEL, min(682, self.pool), self.length)
        pool32 = rates.product("float32", self._reset_rows, self.length, _PANEL)
        sweep = rates.product("float32", self._chunk, self.length, self._columns)
        cube = 2.5 * self.groups * float(self.block) ** 3
        cubes = cube / rates.product("float64", 256, 256, 256)
        lanes = _LANE_SHARE * sweep
        # A panel of x is read and its weighted copy written; images are read once more.
        weighing = work["fisher"] * 2 / (d + _PANEL) * 16 / rates.copy
        dots = 2.0 * n * self._pairs * self._inner / self.classes * d * 8 / rates.copy
        setup = 2.0 * n * self._products() / pool32 + dots + n * self._small() / lanes
        if self.pool > self.n:  # the prefilter's gains, at twice the width
            pool = float(self.pool)
            setup += 2.0 * pool * self._products() / pool64 + 2.0 * pool / n * dots
            setup += 2.0 * pool * self._small() / lanes
        # A pick reads half of Q and P, reads the pool and its links, and updates G and H.
        matrices = 8.0 * self.groups * float(self.block) ** 2 / rates.copy
        values = self.links + 4 * self.groups * _triangle(self.rank) + d * self.slots
        pick = n * d * self._columns * self.slots / sweep + matrices
        pick += n * self._small() / lanes + 4.0 * n * values / rates.copy
        if self.classes > self.rank > 0 and self.slots == 1:
            pick += n * 2 * self.rank**2 * _GATHER / self.threads
        return {
            "fisher": work["fisher"] / pool64 + weighing,
            "setup": cubes + setup,
            "forward": self.forward * pick,
            "backward": (cubes + self.backward * matrices) if self.backward else 0.0,
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
        threads=threads,
        chunk_rows=chunk_rows,
    )
