# SPDX-License-Identifier: Apache-2.0
"""Plan before work: what a selection by `fisher_select.bait` will take, and what fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from fisher_select.arrays import Array
from fisher_select.cost import Work, work_of
from fisher_select.factors import (
    TraceProblem,
    candidate_count,
    check_rank,
    forward_count_of,
    kept_columns,
    kind_of,
)
from fisher_select.free_memory import free_memory
from fisher_select.machine import rates
from fisher_select.options import as_count, as_real, check_batch, one_of, resolve_threads
from fisher_select.quantities import as_bytes, duration, scaled
from fisher_select.search import SEARCHES
from fisher_select.shapes import labeled_count, pool_shape
from fisher_select.timing import expected_seconds
from fisher_select.top_classes import check_top_classes, reduced_count

__all__ = ["Plan", "check_memory", "plan", "plan_of"]

Sizes: TypeAlias = Callable[..., Work]  # work_of with all bound but kind, rank, top


@dataclass(frozen=True)
class Plan:
    """What one selection takes on the cpu backend beyond its inputs.

    Attributes
    ----------
    mode : str
        The options that shape the factors, as `bait` spells them.
    parameters : int
        D, the side of M (of all its blocks together).
    memory : mapping of str to int
        Bytes at the peak: "matrices" (M, F, Q, P), a "chunk" of the pool in float64, "outputs"
        of `top_classes`, "state" of the pool with its workspace, "updates" and "leaders" of a
        pick, or "root" while M is inverted, or "prefilter" while it looks at all rows.
    flops : float
        Floating-point operations of all stages: twice the multiplications.
    seconds : mapping of str to float
        Expected by stage; of this machine, whose rates are measured at these shapes the first
        time, in a second or so.
    memory_limit : int or None
    nearest : Plan or None
        Where this plan does not fit the limit, the mode nearest to it that does, if any: fewer
        columns of L (or top classes) by halves, then one block a class, then one in all.
    """

    mode: str
    parameters: int
    memory: Mapping[str, int]
    flops: float
    seconds: Mapping[str, float]
    memory_limit: int | None = None
    nearest: Plan | None = None

    @property
    def bytes(self) -> int:
        """Peak beyond the inputs."""
        return sum(self.memory.values())

    @property
    def total_seconds(self) -> float:
        """Of all stages."""
        return sum(self.seconds.values())

    @property
    def fits(self) -> bool:
        """Whether the peak is within the limit."""
        return self.memory_limit is None or self.bytes <= self.memory_limit

    def __str__(self) -> str:
        text = (
            f"{self.mode}: {scaled(self.bytes)}B, {scaled(self.flops)}flop, "
            f"about {duration(self.total_seconds)}"
        )
        if self.fits or self.memory_limit is None:
            return text
        text += f"; more than the {scaled(self.memory_limit)}B allowed"
        return text if self.nearest is None else f"{text}, within which is {self.nearest}"


def plan(
    X: Array | tuple[int, int] | None = None,
    P: Array | tuple[int, int] | None = None,
    *,
    labeled: Array | int | None = None,
    batch_size: int,
    oversample: float = 2.0,
    likelihood: str = "softmax",
    factors: Array | tuple[int, int, int] | None = None,
    fisher: str = "full",
    rank: int | None = None,
    top_classes: int | None = None,
    prefilter: int | None = None,
    search: str = "full",
    use_pool_fisher: bool = True,
    threads: int | None = None,
    chunk_rows: int | None = None,
    memory_limit: int | str | None = None,
) -> Plan:
    """Tell what `fisher_select.bait` will take on the cpu backend, before it takes it.

    Parameters
    ----------
    X, P, factors : array or tuple of int
        As for `bait`, or their shapes alone: no value is read.
    labeled : array, int or None
        Labelled rows, or how many there are.
    memory_limit : int, str or None
        Bytes that the selection may hold beyond its inputs, or a text such as "8GB" or
        "512MiB".
    batch_size, oversample, likelihood, fisher, rank, top_classes
        As for `bait`.
    prefilter, search, use_pool_fisher, threads, chunk_rows
        As for `bait`.

    Returns
    -------
    Plan
        Of float32 screening: a selection that has to go on in float64 (M ill-conditioned)
        needs twice the state. Seconds are those of search="full".

    Raises
    ------
    TypeError, ValueError
        What `bait` would refuse, or a limit that is no size.
    """
    limit = as_bytes("memory_limit", memory_limit)
    kind = kind_of(likelihood, fisher, dense=factors is not None)
    columns = check_rank(rank, kind)
    top = check_top_classes(top_classes, kind, columns)
    oversample = as_real("oversample", oversample, at_least=1.0)
    n, length, outputs = pool_shape(kind, X, P, factors)
    m = labeled_count(labeled, n)
    batch = check_batch(batch_size, n, m)
    forward = forward_count_of(oversample, batch, n - m)
    sizes = partial(
        work_of,
        n=n,
        m=m,
        length=length,
        outputs=outputs,
        forward=forward,
        batch=batch,
        use_pool_fisher=bool(use_pool_fisher),
        threads=resolve_threads(threads),
        chunk_rows=0 if chunk_rows is None else as_count("chunk_rows", chunk_rows),
        candidates=candidate_count(prefilter, forward, n - m),
        lazy=one_of("search", search, SEARCHES) != "full",
        item=_item(P),
        width=_item(X if factors is None else factors),
    )
    kept = kept_columns(columns, outputs) if kind == "softmax" else 0
    return _best(kind, kept, reduced_count(top, kind, outputs), outputs, sizes, limit)


def plan_of(problem: TraceProblem) -> Plan:
    """The plan of a problem that is checked already."""
    sizes, outputs = _sizes_of(problem)
    return _best(problem.kind, problem.rank, _top(problem), outputs, sizes, None)


def check_memory(problem: TraceProblem, limit: int | None) -> None:
    """Refuse a selection that would hold more than `limit` bytes beyond its inputs.

    Without a limit, more than the machine has free: the kernel would grant it, and end the
    process when it is used.

    Raises
    ------
    MemoryError
        What is needed and for what, what is allowed, and the option that lowers it.
    """
    sizes, outputs = _sizes_of(problem)
    own, *others = _modes(problem.kind, problem.rank, _top(problem), outputs, sizes)
    memory = own[1].memory()
    needed = sum(memory.values())
    allowed = free_memory() if limit is None else limit
    if needed <= allowed:
        return
    parts = ", ".join(f"{name} {scaled(size)}B" for name, size in memory.items())
    fitting = next(((mode, size) for mode, size in map(_need, others) if size <= allowed), None)
    remedy = "offer a smaller pool or narrower features"
    if fitting is not None:
        remedy = f"{fitting[0]} needs {scaled(fitting[1])}B"
    source = "free on this machine" if limit is None else "allowed by memory_limit"
    raise MemoryError(
        f"bait needs {scaled(needed)}B beyond its inputs ({parts}), more than the "
        f"{scaled(allowed)}B {source}; {remedy}"
    )


# -------------------------------------------------------------------------------- modes
def _modes(
    kind: str, rank: int, top: int, outputs: int, sizes: Sizes
) -> Iterator[tuple[str, Work]]:
    """The mode itself, then those that take less, nearest first."""
    yield _words(kind, rank, top), sizes(kind, rank=rank, top=top)
    fewer = top
    while (fewer := fewer // 2) > 0:
        yield _words(kind, 0, fewer), sizes(kind, rank=0, top=fewer)
    if kind == "softmax":
        while not top and (rank := (rank or outputs - 1) // 2) > 0:
            yield _words(kind, rank), sizes(kind, rank=rank)
        yield _words("block_diagonal", 0), sizes("block_diagonal", rank=0)
    if kind in {"softmax", "block_diagonal"}:
        yield _words("binary", 0), sizes("binary", rank=0)


def _words(kind: str, rank: int, top: int = 0) -> str:
    if top:
        own = f"top_classes={top}"
        return f"{_words(kind, 0)}, {own}" if kind == "block_diagonal" else own
    if rank:
        return f"rank={rank}"
    if kind in {"block_diagonal", "binary"}:
        return f"fisher={kind!r}"
    return "factors" if kind == "dense" else "fisher='full'"


def _need(mode: tuple[str, Work]) -> tuple[str, int]:
    return mode[0], sum(mode[1].memory().values())


def _best(
    kind: str, rank: int, top: int, outputs: int, sizes: Sizes, limit: int | None
) -> Plan:
    own, *others = _modes(kind, rank, top, outputs, sizes)
    found = replace(_plan(*own), memory_limit=limit)
    if limit is None or found.fits:
        return found
    fitting = (mode for mode in others if _need(mode)[1] <= limit)
    nearest = next((replace(_plan(*m), memory_limit=limit) for m in fitting), None)
    return replace(found, nearest=nearest)


def _plan(mode: str, work: Work) -> Plan:
    flops = 2.0 * sum(work.multiplications().values())
    seconds = expected_seconds(work, rates(work.threads))
    return Plan(mode, work.parameters, work.memory(), flops, seconds)


# ------------------------------------------------------------------------------- shapes
def _sizes_of(problem: TraceProblem) -> tuple[Sizes, int]:
    arrays = (problem.features, problem.probabilities, problem.factors)
    n, length, outputs = pool_shape(problem.kind, *arrays)
    sizes = partial(
        work_of,
        n=n,
        m=len(problem.labeled),
        length=length,
        outputs=outputs,
        forward=problem.forward_count,
        batch=problem.batch_size,
        use_pool_fisher=problem.use_pool_fisher,
        threads=problem.threads,
        chunk_rows=problem.chunk_rows,
        candidates=problem.candidates,
        lazy=problem.search is not None,
        item=_item(problem.probabilities),
        width=_item(problem.features if problem.factors is None else problem.factors),
    )
    return sizes, outputs


def _top(problem: TraceProblem) -> int:
    return 0 if problem.classes is None else len(problem.classes)


def _item(array: object) -> int:
    """Bytes of a number; of a mere shape a float's."""
    return int(getattr(getattr(array, "dtype", None), "itemsize", 4))
