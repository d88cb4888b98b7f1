# SPDX-License-Identifier: Apache-2.0
"""Selection by distance: k-centre greedy (CoreSet) and BADGE."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from fisher_select.arrays import Array, FloatArray, as_labeled
from fisher_select.backends import Backend
from fisher_select.device_arrays import DeviceArray
from fisher_select.execution import resolve_execution
from fisher_select.options import as_count, as_seed, check_batch, one_of
from fisher_select.placement import place
from fisher_select.pool_arrays import PoolArray, as_pool_matrix, as_pool_probabilities
from fisher_select.progress import ProgressCallback
from fisher_select.selection import Selection

EMBEDDINGS = ("features", "gradient")

_CHUNK_ROWS = 4096  # rows converted to float64 at a time
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
    one_of("embedding", embedding, EMBEDDINGS)
    if embedding == "features":
        P = None
    elif P is None:
        raise ValueError(
            "probabilities [n, C] must be given for embedding='gradient', got None"
        )
    engine, (X, P) = place(backend, features=X, probabilities=P)
    as_count("batch_size", batch_size)
    options = resolve_execution(threads, chunk_rows, progress)
    features = as_pool_matrix("features", X)
    n = len(features)
    probabilities = (
        None if P is None else as_pool_probabilities("probabilities", P, n, "softmax")
    )
    rows = as_labeled(labeled, n)
    batch = check_batch(batch_size, n, len(rows))
    start = _as_row("first", first, n)
    if start is None:
        start = 0 if len(rows) else _first_row(engine, features, probabilities)
    found = engine.call(
        "k_center",
        features=features,
        probabilities=probabilities,
        labeled=rows,
        batch_size=batch,
        first=start,
        **options,
    )
    return _selection(found, engine.name, n)


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
    key = as_seed(seed)
    if key is None:
        key = secrets.randbits(64)
    if key >= _SEED_LIMIT:
        raise ValueError(f"seed must be below 2**64, got {key}")
    if P is None:
        raise ValueError("probabilities [n, C] must be given, got None")
    engine, (X, P) = place(backend, features=X, probabilities=P)
    as_count("batch_size", batch_size)
    options = resolve_execution(threads, chunk_rows, progress)
    features = as_pool_matrix("features", X)
    n = len(features)
    probabilities = as_pool_probabilities("probabilities", P, n, "softmax")
    rows = as_labeled(labeled, n)
    found = engine.call(
        "badge",
        features=features,
        probabilities=probabilities,
        labeled=rows,
        batch_size=check_batch(batch_size, n, len(rows)),
        seed=key,
        **options,
    )
    return _selection(found, engine.name, n)


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
    return _first_host_row(X, P)


def _first_host_row(X: FloatArray, P: FloatArray | None) -> int:
    n = len(X)
    values = np.empty(n)
    mean = np.zeros(X.shape[1])
    for begin in range(0, n, _CHUNK_ROWS):
        mean += X[begin : begin + _CHUNK_ROWS].sum(axis=0, dtype=np.float64) / n
    for begin in range(0, n, _CHUNK_ROWS):
        rows = slice(begin, begin + _CHUNK_ROWS)
        x = X[rows].astype(np.float64)
        if P is None:
            x -= mean
            values[rows] = -np.sum(x * x, axis=1)
        else:
            r = -P[rows].astype(np.float64)
            r[np.arange(len(r)), r.argmin(axis=1)] += 1.0
            values[rows] = np.sum(x * x, axis=1) * np.sum(r * r, axis=1)
    return int(np.argmax(values))


def _selection(found: dict[str, Any], backend: str, n: int) -> Selection:
    full, centers = int(found.pop("full_distances")), int(found.pop("centers"))
    diagnostics = {
        "full_distances": float(full),
        "full_share": full / (n * centers),
        "screened_distances": float(found.pop("screened_distances")),
    }
    return Selection(backend=backend, diagnostics=diagnostics, **found)
