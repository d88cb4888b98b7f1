# SPDX-License-Identifier: Apache-2.0
"""Expected seconds of a selection by tr(M^-1 F) on the cpu engine, stage by stage.

Matrix products go by rates measured at their shapes (machine.py), what streams by the rate of
a copy, and what is written for the first time by that of fresh pages. The engine's own loops
have a fixed price each, in multiplications of the fastest matrix product: found with a sampling
profiler on one core with AVX-512, and paid at the rate of such a loop here (`Rates.loops`).
"""

from __future__ import annotations

from dataclasses import replace

from fisher_select.cost import Work
from fisher_select.machine import Rates
from fisher_select.sizes import PANEL, triangle

__all__ = ["expected_seconds"]

_LOADED = 70  # a feature converted to float64
_WEIGHTED = 50  # an element of x times its row's weight for a block
_INVERTED = 200  # an entry of M, for what products copy and mirror
_ENTRY = 150  # an entry of Q or P fetched from both sides of the diagonal, to float32
_DOT, _DOT_ELEMENT = 380, 14  # x^T y, and each of its elements; half where four rows share y
_LINKED = 55  # an entry of x^T A x taken through the links
_UPDATED = 2.0  # a multiplication of the r x r update
_SCORED = 5.5  # one of a Cholesky factor, its inverse and the trace
_GROUP = 45  # the rest of a candidate's group
_GATHERED = 200  # a product of a class that differs by row
_COMPARED = 60  # a probability, where the leading classes are sought
_SEEN = 150  # a score, by the one thread that looks for the best
_FEW = 8  # columns up to which a sweep is no matrix product, but one reading of the pool
_READ = 0.75  # of a copy's rate, which such a sweep reaches
_EXPOSED = 0.5  # of the shorter of reading and its arithmetic, which the other does not hide
_LEADERS = 2  # candidates scored exactly a pick
_LOOPS, _WAKING = (
    8,
    4e-6,
)  # of a pick in parallel; seconds to wake the threads and wait for them


def expected_seconds(work: Work, rates: Rates) -> dict[str, float]:
    """Seconds by stage, of a machine of these rates."""
    alone = rates.fresh / work.threads
    sums = work.matrices - 2  # M, and F where it is not the identity
    inverse = _inverse(work, rates)
    # Q and P, the first by one thread where there is one group.
    copied = work.matrix_bytes / (alone if work.groups == 1 else rates.fresh)
    start = inverse + copied + work.matrix_bytes / rates.fresh
    state = _state(work, rates) + (work.state_bytes + work.reset_bytes) / rates.fresh
    before = {"setup": start + state}
    if work.scored_rows:
        scored = replace(work, n=work.scored_rows)
        # Gains of twice the width, in memory that is used again and again.
        before = {"prefilter": start + 2.0 * _state(scored, rates), "setup": state}
    return {
        "fisher": _accumulation(work, work.accumulated_rows, rates)
        + sums * work.matrix_bytes / alone,
        **before,
        "forward": (work.forward - 1) * _sweep(work, rates)
        + work.forward * _commit(work, rates)
        + _accumulation(work, work.forward, rates)
        + work.sweep_bytes / rates.fresh
        + (work.update_bytes + work.leader_bytes) / alone,
        "backward": inverse + work.backward * _commit(work, rates) if work.backward else 0.0,
    }


def _inverse(work: Work, rates: Rates) -> float:
    """M^-1 and M^-1 F M^-1 by way of the root, which is made anew each time."""
    products = work.inverse_of_a_thread * work.threads / rates.product("float64", 256, 256, 256)
    copies = work.groups * float(work.block) ** 2 * _INVERTED / rates.loops
    return products + copies + work.root_bytes / rates.fresh


def _accumulation(work: Work, rows: int, rates: Rates) -> float:
    """F or M of so many rows: a weighted copy of a panel of x, and its product with x."""
    d, width = work.length, min(PANEL, work.length)
    depth = work.accumulated_chunk * work.slots
    columns = min(d, -(-(d + width) // (2 * PANEL)) * PANEL)  # of a panel in the middle
    rate = rates.product("float64", width, depth, columns, outer=True)
    vectors = float(rows) * work.slots
    panels = vectors * work.pairs * work.symmetric_block / rate
    panels += vectors * work.pairs * d * _WEIGHTED / rates.loops
    # One panel of one block is a task: a single block has few for the threads.
    panels *= max(1.0, work.threads / (work.pairs * -(-d // PANEL)))
    mirrored = work.pairs * d * d * _ENTRY / rates.loops
    at_once = min(float(vectors), float(depth))  # in float64, and weighted
    buffers = 8.0 * at_once * (d + width) / rates.fresh
    return panels + vectors * d * _LOADED / rates.loops + mirrored + buffers


def _state(work: Work, rates: Rates) -> float:
    """G, H and the scores of all rows from Q and P, and their links."""
    n, d, width = float(work.n), work.length, min(PANEL, work.length)
    rate = rates.product("float32", work.reset_rows, (d + width) // 2, width)
    entries = -(-work.n // work.reset_rows) * work.pairs * work.symmetric_block
    dots = n * work.groups * triangle(work.inner)
    own = 2.0 * (entries * _ENTRY + dots * (_DOT + d * _DOT_ELEMENT + _LINKED))
    own += n * (work.score * _SCORED + work.groups * _GROUP)
    if work.chosen:
        own += n * work.classes * work.rank * _COMPARED
    return 2.0 * n * work.quadratic / rate + own / rates.loops


def _sweep(work: Work, rates: Rates) -> float:
    """One update of the pool: its products with U | R, and the r x r work of every row."""
    n, vectors = float(work.n), work.length * work.slots
    own = n * (work.update * _UPDATED + work.score * _SCORED + work.groups * _GROUP)
    if work.chosen:
        own += n * 2 * work.rank**2 * _GATHERED
    values = work.links + 4 * work.groups * triangle(work.rank)
    if work.columns <= _FEW:
        dots = n * work.columns * (_DOT * work.slots + vectors * _DOT_ELEMENT / 2)
        parts = 4.0 * n * vectors / (_READ * rates.copy), dots / rates.loops
        products = max(parts) + _EXPOSED * min(parts)
    else:
        values += vectors
        products = (
            n * work.sweep / rates.product("float32", work.columns, work.length, work.chunk)
        )
    # The next rows come from memory while these are worked on.
    rows = max(own / rates.loops, 4.0 * n * values / rates.copy)
    return products + rows + n * _SEEN * work.threads / rates.loops


def _commit(work: Work, rates: Rates) -> float:
    """Exact scores of the leaders, and the update of Q and P that waits for others."""
    rate = rates.product("float64", 256, work.pending, 256)
    waiting = _LEADERS * 1.5 * work.parameters * work.classes * work.pending
    read = 4.0 * work.reading / rates.copy  # half of Q and of P: 8 bytes an entry
    scored = _LEADERS * work.reading * _SCORED / rates.loops
    woken = _LOOPS * _WAKING if work.threads > 1 else 0.0
    return max(read, scored) + (work.consolidation + waiting) / rate + woken
