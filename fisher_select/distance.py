# SPDX-License-Identifier: Apache-2.0
"""Selection by distance: k-centre greedy (CoreSet) and BADGE."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np

from fisher_select.arrays import Array, as_labeled
from fisher_select.backends import Backend
from fisher_select.device_arrays import DeviceArray
from fisher_select.execution import resolve_execution
from fisher_select.first_center import first_center
from fisher_select.options import as_count, as_seed, check_batch, one_of
from fisher_select.placement import place
from fisher_select.pool_arrays import PoolArray, as_pool_matrix, as_pool_probabilities
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection

EMBEDDINGS = ("features", "gradient")

_SEED_LIMIT = 1 << 64  # the counter generator's key


def k_center(
    X: Array,
    P: Array | None = None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    first: int | None = None,
    embedding: str = "features",
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = None,
) -> Selection:
    """k-centre greedy (CoreSet): batch_size times the row farthest from its nearest centre.

    Centres are the labelled rows and the picks so far. Exact: distances that decide a pick are
    computed in full in float64, from differences, so equal rows are at distance 0. Ties go to
    the lowest index, and the picks do not depend on backend, threads or chunk_rows.

    Parameters
    ----------
    X : array [n, d]
        Features of the whole data set, labelled rows included. NumPy, memory-mapped, torch,
        or on a CUDA device, as for `fisher_select.bait`, any strides; float32 and float64 are
        not copied where rows are contiguous. Fortran order costs one copy, memory-mapped
        arrays too.
    P : array [n, C] or None
        Softmax outputs, for embedding="gradient" alone; ignored with "features".
    labeled : int array [m], bool array [n] or None
        Rows labelled already: the first centres, never picked.
    batch_size : int
        Rows to label now.
    first : int or None
        The first pick where nothing is labelled; without meaning where something is. None
        takes the row nearest to the mean of X, with "gradient" the largest gradient.
    embedding : {"features", "gradient"}
        Euclidean distances between features, or between the gradients x (x) (e_yhat - p) of
        the last layer, which are never formed.
    backend : {"auto", "cpu", "reference", "cuda"}
        "auto" is the compiled "cpu", and "cuda" for arrays on a CUDA device. See
        `fisher_select.backends.explain`.
    threads : int or None
        None: OMP_NUM_THREADS where set, else the usable cores.
    chunk_rows : int or None
        Rows a thread summarises at a time; smaller needs less memory.
    progress : bool or callable
        True counts on stderr when that is a terminal; a callable gets (stage, done, total).
    seed : int or None
        Has no effect: the selection is deterministic. Accepted so that code which tries
        several strategies can pass one seed to all.

    Returns
    -------
    Selection
        `scores` are the radii: each pick's distance to its nearest centre when it was picked,
        never rising; infinite for the first pick where nothing was labelled.
        `diagnostics["full_distances"]` counts the distances that were computed in full,
        `["full_share"]` their share of all between rows and centres, and
        `["screened_distances"]` those to labelled rows that a product of matrices bounded
        first: 0 where labelled rows are few or shorter bounds rule most of them out.

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; the message names the argument.
    NumericalError
        Squared distances overflow float64.
    ImportError
        The compiled backend is missing.
    MemoryError
        Says what was needed and which option lowers it.

    References
    ----------
    Sener, Savarese: Active Learning for Convolutional Neural Networks: A Core-Set Approach,
    ICLR 2018. Gonzalez: Clustering to Minimize the Maximum Intercluster Distance, 1985.
    """
    as_seed(seed)
    engine, (X, P) = place(backend, features=X, probabilities=embedded(embedding, P))
    arguments = k_center_arguments(
        X,
        P,
        first=first,
        labeled=labeled,
        batch_size=batch_size,
        threads=threads,
        chunk_rows=chunk_rows,
        progress=progress,
    )
    features = arguments["features"]
    if arguments["first"] is None:
        arguments["first"] = _first_row(engine, features, arguments["probabilities"])
    found = engine.call("k_center", **arguments)
    return distance_selection(found, engine.name, len(features))


def badge(
    X: Array,
    P: Array,
    *,
    labeled: Array | None = None,
    batch_size: int,
    seed: int | None = 0,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
) -> Selection:
    """BADGE: k-means++ on the gradients x (x) (e_yhat - p), diverse and uncertain at once.

    The first pick is the largest gradient. Each further one is drawn among the unlabelled rows
    in proportion to D^2, the squared distance of its gradient to the nearest one picked.
    Labelled rows are left out altogether, as in the authors' code. No row is picked twice;
    when all rows left lie on picked ones, the lowest index is picked. Gradients are never
    formed.

    A draw depends on `seed` and the row alone: each row gets one exponential waiting time,
    which runs down at the rate D^2, and the next to reach its end is the next pick. So the
    picks do not depend on backend, threads or chunk_rows, and a larger batch extends a smaller
    one.

    Parameters
    ----------
    X : array [n, d]
        Features of the whole data set; arrays and conversions as in `k_center`.
    P : array [n, C]
        Softmax outputs.
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.
    seed : int or None, default 0
        Below 2^64; None draws a fresh one from the operating system.
    backend, threads, chunk_rows, progress
        As in `k_center`.

    Returns
    -------
    Selection
        `scores` are distances: D of each pick when it was picked, infinite for the first.
        `diagnostics` as in `k_center`.

    Raises
    ------
    TypeError, ValueError, NumericalError, ImportError, MemoryError
        As `k_center`.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford, Agarwal: Deep Batch Active Learning by Diverse,
    Uncertain Gradient Lower Bounds, ICLR 2020.
    """
    engine, (X, P) = place(backend, features=X, probabilities=P)
    arguments = badge_arguments(
        X,
        P,
        seed=secrets.randbits(64) if seed is None else seed,
        labeled=labeled,
        batch_size=batch_size,
        threads=threads,
        chunk_rows=chunk_rows,
        progress=progress,
    )
    found = engine.call("badge", **arguments)
    return distance_selection(found, engine.name, len(arguments["features"]))


def embedded(embedding: str, P: Array | None) -> Array | None:
    """Check `k_center`'s embedding; the probabilities it takes, None for features alone."""
    if one_of("embedding", embedding, EMBEDDINGS) == "features":
        return None
    if P is None:
        raise ValueError(
            "probabilities [n, C] must be given for embedding='gradient', got None"
        )
    return P


def k_center_arguments(
    X: Array, P: Array | None, *, first: int | None, **options: Any
) -> dict[str, Any]:
    """Check `k_center`'s arrays and options, and name them as the operation does.

    `first` is None where it must still be looked for.
    """
    arguments, n, m = _pool_arguments(X, P, **options)
    start = _as_row("first", first, n)
    return arguments | {"first": 0 if start is None and m > 0 else start}


def badge_arguments(X: Array, P: Array | None, *, seed: int, **options: Any) -> dict[str, Any]:
    """Check `badge`'s arrays and options, and name them as the operation does."""
    key = as_seed(seed)
    if key is None or key >= _SEED_LIMIT:
        raise ValueError(f"seed must be below 2**64, got {key}")
    if P is None:
        raise ValueError("probabilities [n, C] must be given, got None")
    return _pool_arguments(X, P, **options)[0] | {"seed": key}


def _pool_arguments(
    X: Array,
    P: Array | None,
    *,
    labeled: Array | None = None,
    batch_size: int,
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    totals: Callable[[int, int], tuple[int, int]] | None = None,
) -> tuple[dict[str, Any], int, int]:
    """What both operations take; rows and labelled rows, of the whole pool (`totals`)."""
    as_count("batch_size", batch_size)
    execution = resolve_execution(threads, chunk_rows, progress)
    features = as_pool_matrix("features", X)
    n = len(features)
    probabilities = (
        None if P is None else as_pool_probabilities("probabilities", P, n, "softmax")
    )
    rows = as_labeled(labeled, n)
    m = len(rows)
    if totals is not None:
        n, m = totals(n, m)
    arguments = {
        "features": features,
        "probabilities": probabilities,
        "labeled": rows,
        "batch_size": check_batch(batch_size, n, m),
    }
    return arguments | execution, n, m


def _as_row(name: str, value: object, n: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a row index or None, got {type(value).__name__}")
    if not 0 <= value < n:
        raise ValueError(f"{name} must be an index from 0 to {n - 1}, got {value}")
    return int(value)


def _first_row(engine: Backend, X: PoolArray, P: PoolArray | None) -> int:
    """The row nearest to the mean, or, with P, the largest gradient; ties to the lowest."""
    if isinstance(X, DeviceArray) or isinstance(P, DeviceArray):
        return int(engine.call("first_center", features=X, probabilities=P))
    return first_center(X, P)


def distance_selection(found: dict[str, Any], backend: str, n: int) -> Selection:
    """What the operations found among n rows."""
    full, centers = int(found.pop("full_distances")), int(found.pop("centers"))
    diagnostics = {
        "full_distances": float(full),
        "full_share": full / (n * centers),
        "screened_distances": float(found.pop("screened_distances")),
    }
    return Selection(backend=backend, diagnostics=diagnostics, **found)
