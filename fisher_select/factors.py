# SPDX-License-Identifier: Apache-2.0
"""The trace problem: a user's arguments, checked and resolved, as every backend takes them.

Words and shapes are those of DESIGN section 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from fisher_select.arrays import Array, IndexArray, as_labeled
from fisher_select.execution import resolve_execution
from fisher_select.options import as_count, as_real, check_batch, one_of
from fisher_select.pool_arrays import (
    PoolArray,
    as_pool_factors,
    as_pool_matrix,
    as_pool_probabilities,
)
from fisher_select.progress import ProgressCallback
from fisher_select.search import Search, search_of
from fisher_select.top_classes import (
    check_top_classes,
    class_traces,
    kept_outputs,
    largest,
    reduced_count,
)

# (likelihood, fisher) -> kind of factor. Sigmoid outputs are independent, so their full
# Fisher information is block-diagonal already.
_KINDS = {
    ("softmax", "full"): "softmax",
    ("softmax", "block_diagonal"): "block_diagonal",
    ("softmax", "binary"): "binary",
    ("sigmoid", "full"): "sigmoid",
    ("sigmoid", "block_diagonal"): "sigmoid",
    ("gaussian", "full"): "gaussian",
}
LIKELIHOODS = ("softmax", "sigmoid", "gaussian")
FISHERS = ("full", "block_diagonal", "binary")
NORMALIZATIONS = ("reference", "paper")


class Totals(Protocol):
    """What a shard's numbers make together with those of the other ranks."""

    def __call__(self, n: int, m: int) -> tuple[int, int]:
        """Rows and labelled rows of the whole pool, asked first."""

    def sum(self, values: list[float]) -> list[float]:
        """Sums over the ranks, the same on all of them to the last bit."""


@dataclass(frozen=True, eq=False)
class TraceProblem:
    """Minimise tr(M^-1 F) over `batch_size` rows; everything validated, nothing left open.

    M starts at `lam` I + `shrink` * mean over the labelled rows of V V^T (a mean over none is
    0), and picking row i adds `scale`^2 V_i V_i^T. F is the unscaled mean over all n rows, or
    the identity without `use_pool_fisher`.

    Attributes
    ----------
    kind : {"softmax", "sigmoid", "gaussian", "dense", "block_diagonal", "binary"}
        How V_i [D, r] comes about. softmax: D = C d, r = C. sigmoid: the same with diagonal
        L. gaussian: V_i = x_i, D = d, r = 1. dense: given. block_diagonal: sigmoid's
        mathematics with weights p (1 - p). binary: D = d, r = 1, weight q (1 - q) with
        q = max_c p_c.
    features : float array [n, d], None for dense
    probabilities : float array [n, C], None for gaussian and dense
    factors : float array [n, D, r], dense only
    labeled : int64 array [m], sorted
        Never picked.
    batch_size, forward_count : int
        Rows to keep, and to pick before the backward stage; forward_count >= batch_size.
    lam, shrink, scale : float
    use_pool_fisher : bool
    rank : int
        Leading columns of L that a candidate's softmax factor keeps; 0: all.
    classes : int64 array [c], sorted, or None
        Classes that F and M keep; a softmax's others are merged into one. None: all.
    candidates : int
        Unlabelled rows with the largest gains at the first M that the forward stage picks
        from; 0: all.
    search : Search or None
        None: the forward stage looks at every candidate at every pick.
    threads : int
    chunk_rows : int
        Rows a thread works on at a time; 0 leaves it to the backend.
    progress : callable or None
        Called as progress(stage, done, total): "forward" and "backward" count picks and
        removals; a backend may add stages of its own before them.
    """

    kind: str
    features: PoolArray | None
    probabilities: PoolArray | None
    factors: PoolArray | None
    labeled: IndexArray
    batch_size: int
    forward_count: int
    lam: float
    shrink: float
    scale: float
    use_pool_fisher: bool
    rank: int
    classes: IndexArray | None
    candidates: int
    search: Search | None
    threads: int
    chunk_rows: int
    progress: ProgressCallback | None

    def outputs(self) -> tuple[PoolArray | None, int]:
        """Outputs of the kept classes; how many classes the last column stands for."""
        return kept_outputs(self.kind, self.probabilities, self.classes)

    @property
    def n(self) -> int:
        """Rows of the pool, labelled ones included."""
        return _rows(self.features, self.factors)


def trace_problem(
    features: Array | None,
    probabilities: Array | None,
    *,
    factors: Array | None = None,
    labeled: Array | None = None,
    batch_size: int,
    lam: float = 1.0,
    oversample: float = 2.0,
    normalization: str = "reference",
    likelihood: str = "softmax",
    fisher: str = "full",
    rank: int | None = None,
    top_classes: int | None = None,
    prefilter: int | None = None,
    search: str = "full",
    epsilon: float = 0.1,
    seed: int | None = None,
    use_pool_fisher: bool = True,
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    totals: Totals | None = None,
) -> TraceProblem:
    """Check `fisher_select.bait`'s arguments (see there) and resolve them.

    Scalars are checked before arrays are read, so a wrong word costs no pass over the pool.
    Where the arrays are a shard, `totals` makes the whole pool's numbers out of the shard's.
    """
    lam = as_real("lam", lam, above=0.0)
    oversample = as_real("oversample", oversample, at_least=1.0)
    one_of("normalization", normalization, NORMALIZATIONS)
    kind = kind_of(likelihood, fisher, dense=factors is not None)
    columns = check_rank(rank, kind)
    top = check_top_classes(top_classes, kind, columns)
    as_count("batch_size", batch_size)
    if prefilter is not None:
        as_count("prefilter", prefilter)
    search_of(search, epsilon, seed, picks=1)
    execution = resolve_execution(threads, chunk_rows, progress)

    X, P, V = _arrays(kind, features, probabilities, factors, likelihood)
    n = _rows(X, V)
    rows = as_labeled(labeled, n)
    m = len(rows)
    if totals is not None:
        n, m = totals(n, m)
    batch = check_batch(batch_size, n, m)
    forward = forward_count_of(oversample, batch, n - m)
    weight = m / (m + batch) if normalization == "reference" else 1.0
    return TraceProblem(
        kind=kind,
        features=X,
        probabilities=P,
        factors=V,
        labeled=rows,
        batch_size=batch,
        forward_count=forward,
        lam=lam,
        shrink=weight,
        scale=math.sqrt(batch / (m + batch)) if normalization == "reference" else 1.0,
        use_pool_fisher=bool(use_pool_fisher),
        rank=0 if P is None else kept_columns(columns, P.shape[1]),
        classes=_kept_classes(X, P, kind, top, totals),
        candidates=candidate_count(prefilter, forward, n - m),
        search=search_of(search, epsilon, seed, picks=forward),
        **execution,
    )


def kind_of(likelihood: str, fisher: str, *, dense: bool = False) -> str:
    """The kind of factors that these options of `fisher_select.bait` mean.

    Raises
    ------
    ValueError
        An unknown word, or a Fisher matrix that this likelihood has not.
    """
    one_of("likelihood", likelihood, LIKELIHOODS)
    one_of("fisher", fisher, FISHERS)
    if dense:
        if fisher != "full":
            raise ValueError(f"fisher must be 'full' with dense factors, got {fisher!r}")
        return "dense"
    if (likelihood, fisher) not in _KINDS:
        allowed = ", ".join(repr(f) for word, f in _KINDS if word == likelihood)
        raise ValueError(
            f"fisher must be one of {allowed} for likelihood={likelihood!r}, got {fisher!r}"
        )
    return _KINDS[likelihood, fisher]


def check_rank(rank: object, kind: str) -> int:
    """`rank` as a number of columns, 0 for None."""
    if rank is None:
        return 0
    columns = as_count("rank", rank)
    if kind != "softmax":
        raise ValueError(
            "rank must be None unless likelihood='softmax' and fisher='full': the factors of "
            f"kind {kind!r} have no columns to leave out; got {columns}"
        )
    return columns


def kept_columns(columns: int, classes: int) -> int:
    """Columns of L to keep, 0 for all: C - 1 of them are the whole information."""
    if columns > classes:
        raise ValueError(
            f"rank must be at most the number of classes, {classes} columns of "
            f"probabilities; got {columns}"
        )
    return columns if columns < classes - 1 else 0


def _kept_classes(
    X: PoolArray | None, P: PoolArray | None, kind: str, top: int, totals: Totals | None
) -> IndexArray | None:
    """The `top` classes with the most of F's trace over the whole pool; None for all."""
    count, traces = 0, []
    if X is not None and P is not None and (count := reduced_count(top, kind, P.shape[1])):
        traces = class_traces(X, P).tolist()
    if totals is not None:  # also of ranks that keep all, which are to be told apart
        traces = totals.sum(traces)
    return largest(traces, count) if count else None


def candidate_count(prefilter: int | None, forward: int, free: int) -> int:
    """Rows that the forward stage picks from, 0 for all `free` ones."""
    if prefilter is None:
        return 0
    if as_count("prefilter", prefilter) < forward:
        raise ValueError(
            f"prefilter must leave rows for all forward picks, {forward} (oversample times "
            f"batch_size), got {prefilter}"
        )
    return prefilter if prefilter < free else 0


def _arrays(
    kind: str,
    features: Array | None,
    probabilities: Array | None,
    factors: Array | None,
    likelihood: str,
) -> tuple[PoolArray | None, PoolArray | None, PoolArray | None]:
    """Check that exactly the arrays of this kind were given, then the arrays themselves."""
    if kind == "dense":
        if features is not None or probabilities is not None:
            raise ValueError(
                "factors must come alone: they take the place of features and probabilities"
            )
        return None, None, as_pool_factors("factors", factors)
    if features is None:
        raise ValueError("features [n, d] (or factors [n, D, r]) must be given, got None")
    if kind == "gaussian":
        if probabilities is not None:
            raise ValueError("probabilities must be None for likelihood='gaussian'")
        return as_pool_matrix("features", features), None, None
    if probabilities is None:
        raise ValueError(
            f"probabilities [n, C] must be given for likelihood={likelihood!r}, got None; "
            "only likelihood='gaussian' takes features alone"
        )
    X = as_pool_matrix("features", features)
    return X, as_pool_probabilities("probabilities", probabilities, len(X), likelihood), None


def _rows(features: PoolArray | None, factors: PoolArray | None) -> int:
    pool = factors if features is None else features
    if pool is None:
        raise ValueError("a TraceProblem must hold features or factors, got neither")
    return len(pool)


def forward_count_of(oversample: float, batch: int, free: int) -> int:
    """ceil(oversample * batch) picks, as many as there are free rows at most."""
    # Rounded first: 1.1 * 10 is 11.000000000000002 in floating point, and means 11.
    return math.ceil(min(round(oversample * batch, 9), free))
