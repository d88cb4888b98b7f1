# SPDX-License-Identifier: Apache-2.0
"""Log-determinant (D-optimal) greedy selection: the determinantal ablations of BAIT."""

from __future__ import annotations

from typing import Any

from fisher_select.arrays import Array
from fisher_select.factors import trace_problem
from fisher_select.options import as_seed, one_of
from fisher_select.placement import place
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection

GRADIENTS = ("rank_one", "full")


def max_det(
    X: Array | None = None,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    lam: float = 1.0,
    gradient: str = "rank_one",
    rank: int | None = None,
    top_classes: int | None = None,
    likelihood: str = "softmax",
    factors: Array | None = None,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = None,
) -> Selection:
    """Greedy D-optimal design: maximise log det(lam I + sum V V^T), exactly.

    The sum runs over labelled rows and picks. Each pick is the row with the largest
    log det(I + V_i^T M^-1 V_i). Ties go to the lowest index.

    The engine has two forms of the same picks. The matrix form keeps M^-1, 3 D^2 doubles with
    D = (C - 1) d, and pays one GEMM a pick. The kernel form, for gradient="rank_one", keeps a
    pivoted Cholesky factor of the inner products <x_i, x_j> <g_i, g_j> instead: n (m + B)
    doubles for m labelled rows, d + C + m + B multiplications for each row and pick that an
    upper bound cannot rule out. "rank_one" takes the form with fewer multiplications, unless
    that would hold more than 1 GiB and the other one less.

    Parameters
    ----------
    X : array [n, d]
        Features, labelled rows included; see `fisher_select.bait`.
    P : array [n, C] or None
        Probabilities; None for likelihood="gaussian".
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.
    lam : float, default 1.0
        Regularisation, above 0.
    gradient : {"rank_one", "full"}
        V_i is BADGE's gradient (e_yhat - p) (x) x at the most likely class, or the full factor
        of the Fisher information (softmax: r = C). "rank_one" is for softmax alone; the other
        likelihoods and dense factors take "full".
    rank : int or None
        With gradient="full", keep the `rank` leading columns of each candidate's softmax factor
        as `fisher_select.bait` does: n r^2 floats of state instead of n C^2.
    top_classes : int or None
        With gradient="full", keep so many classes apart as `fisher_select.bait` does.
    likelihood, factors, backend, threads, chunk_rows, progress, seed
        As for `fisher_select.bait`.

    Returns
    -------
    Selection
        `scores` are the gains of log det M, `objective` its value after each pick. On the cpu
        backend `diagnostics["kernel_form"]` is 1 or 0, and `diagnostics["entries"]` counts the
        entries of the kernel form's factor that picking computed, of (n - m) B at the most.

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; the message names the argument.
    NumericalError
        M is not positive definite in floating point, or a gain is lost in rounding; names the
        step.
    MemoryError
        Says what was needed and which option lowers it.

    References
    ----------
    Ash, Goel, Krishnamurthy, Kakade: Gone Fishing: Neural Active Learning with Fisher
    Embeddings, NeurIPS 2021 (the determinantal ablations). Ash, Zhang, Krishnamurthy,
    Langford, Agarwal: Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds,
    ICLR 2020 (the gradient).
    """
    as_seed(seed)
    check_gradient(gradient, likelihood, rank, top_classes, dense=factors is not None)
    engine, (X, P, factors) = place(backend, features=X, probabilities=P, factors=factors)
    found = engine.call(
        "log_det_select",
        **log_det_arguments(
            X,
            P,
            gradient=gradient,
            factors=factors,
            labeled=labeled,
            batch_size=batch_size,
            lam=lam,
            likelihood=likelihood,
            rank=rank,
            top_classes=top_classes,
            threads=threads,
            chunk_rows=chunk_rows,
            progress=progress,
        ),
    )
    return log_det_selection(found, engine.name)


def check_gradient(
    gradient: str,
    likelihood: str,
    rank: int | None = None,
    top_classes: int | None = None,
    *,
    dense: bool = False,
) -> None:
    """Check that the gradient goes with the other options; ValueError otherwise.

    Parameters
    ----------
    gradient, likelihood, rank, top_classes
        As in `max_det`.
    dense : bool
        Whether dense factors are given.
    """
    one_of("gradient", gradient, GRADIENTS)
    if gradient == "rank_one" and (likelihood != "softmax" or dense):
        raise ValueError(
            "gradient='rank_one' is the gradient of softmax outputs; pass gradient='full' with "
            f"likelihood={likelihood!r}" + (" and factors" if dense else "")
        )
    if gradient == "rank_one" and rank is not None:
        raise ValueError(
            f"rank must be None with gradient='rank_one', which has one column; got {rank!r}"
        )
    if gradient == "rank_one" and top_classes is not None:
        raise ValueError(
            "top_classes must be None with gradient='rank_one', whose form without a matrix of "
            f"all parameters does not need it; got {top_classes!r}"
        )


def log_det_arguments(
    X: Array | None, P: Array | None, *, gradient: str, **options: Any
) -> dict[str, Any]:
    """Check `max_det`'s arrays and options, and name them as the operation does."""
    problem = trace_problem(X, P, oversample=1.0, **options)
    probabilities, merged = problem.outputs()
    return {
        "kind": "gradient" if gradient == "rank_one" else problem.kind,
        "features": problem.features,
        "probabilities": probabilities,
        "factors": problem.factors,
        "labeled": problem.labeled,
        "batch_size": problem.batch_size,
        "lam": problem.lam,
        "rank": problem.rank,
        "merged": merged,
        "threads": problem.threads,
        "chunk_rows": problem.chunk_rows,
        "progress": problem.progress,
    }


def log_det_selection(found: dict[str, Any], backend: str) -> Selection:
    """What the operation found."""
    measured = {"kernel_form", "entries"} & found.keys()  # none of the reference
    diagnostics = {name: float(found.pop(name)) for name in sorted(measured)}
    return Selection(backend=backend, diagnostics=diagnostics, **found)
