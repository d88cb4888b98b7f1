# SPDX-License-Identifier: Apache-2.0
"""Information gain: how far one training step on a row lowers the entropy elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import (
    Array,
    FloatArray,
    IndexArray,
    as_class_labels,
    as_labeled,
    as_matrix,
    as_vector,
)
from fisher_select.backends import Backend
from fisher_select.device_arrays import to_host
from fisher_select.errors import NumericalError
from fisher_select.execution import resolve_execution
from fisher_select.options import (
    as_count,
    as_real,
    as_seed,
    check_batch,
    one_of,
)
from fisher_select.placement import place
from fisher_select.pool_arrays import PoolArray, as_pool_matrix, as_pool_probabilities
from fisher_select.progress import ProgressCallback
from fisher_select.ranking import top
from fisher_select.selection import Selection

KINDS = ("eig", "aeig", "uig", "cfig")
_BY_PROBABILITY = ("eig", "aeig")
_BY_FREQUENCY = ("aeig", "cfig")


def information_gain(
    X: Array,
    P: Array | None = None,
    *,
    eval_features: Array,
    eval_labels: Array | None = None,
    weight: Array,
    bias: Array | None = None,
    learning_rate: float = 5e-4,
    kind: str = "aeig",
    normalize: bool = False,
    labeled: Array | None = None,
    batch_size: int,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
    seed: int | None = None,
) -> Selection:
    """Pick the rows with the largest information gain, ties to the lowest index.

    All arguments but these, and what is raised, are those of
    `fisher_select.information_gain_scores`.

    Parameters
    ----------
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.
    seed : int or None
        Has no effect: the selection is deterministic.

    Returns
    -------
    Selection
        `scores` are the information gains of the picks, falling.
    """
    as_seed(seed)
    as_count("batch_size", batch_size)
    engine, (X, P, eval_features) = place(
        backend, features=X, probabilities=P, eval_features=eval_features
    )
    problem = _problem(
        X, P, eval_features, eval_labels, weight, bias, learning_rate, kind, normalize
    )
    rows = as_labeled(labeled, len(problem.features))
    batch = check_batch(batch_size, len(problem.features), len(rows))
    start = time.perf_counter()
    scores = _scores(problem, engine, threads, chunk_rows, progress)
    picks = top(scores, rows, batch)
    return Selection(
        indices=picks,
        scores=scores[picks],
        backend=engine.name,
        seconds={"score": time.perf_counter() - start},
    )


def information_gain_scores(
    X: Array,
    P: Array | None = None,
    *,
    eval_features: Array,
    eval_labels: Array | None = None,
    weight: Array,
    bias: Array | None = None,
    learning_rate: float = 5e-4,
    kind: str = "aeig",
    normalize: bool = False,
    backend: str = "auto",
    threads: int | None = None,
    chunk_rows: int | None = None,
    progress: bool | ProgressCallback = False,
) -> npt.NDArray[np.float64]:
    """Information gain of every row: H1 - sum_c w_c H2_c, in nats.

    H1 is the mean entropy of the predictions on an evaluation set; H2_c is the same after one
    SGD step of the last layer on the row with label c. The result equals taking every step and
    running the evaluation set through the changed layer, at the cost of classes + 1
    exponentials a pair of rows (DESIGN section 3).

    Parameters
    ----------
    X : array [n, d]
        Features: inputs of the last layer for the pool; on the host or a CUDA device, as for
        `fisher_select.bait`, and P and eval_features with them.
    P : array [n, C] or None
        The model's softmax outputs for the pool; None: computed from X, weight and bias.
    eval_features : array [m, d]
        The same layer's inputs for the evaluation set. Where X and eval_features are both
        float32, pairs are computed in float32 and summed in float64; else all is float64.
    eval_labels : int array [m] or None
        Classes of the evaluation set, 0 to C - 1: their frequencies f weigh the labels of
        "aeig" and "cfig", which need them.
    weight : array [d, C]
        Of the last layer: logits are X @ weight + bias (torch's Linear.weight, transposed).
        Weight, bias and eval_labels may lie on either side.
    bias : array [C] or None
        None: the layer has no bias, and none is trained.
    learning_rate : float, default 5e-4
        Of the step, above 0.
    kind : {"eig", "aeig", "uig", "cfig"}
        Weight w_c of a label: the predicted probability p_c (expected); p_c f_c (adapted, not
        renormalised, as in equation 2 of the paper); 1/C (uniform); f_c (class frequency).
    normalize : bool, default False
        Scale the weights to add up to 1 in each row: the renormalised form of "aeig". The
        other kinds' weights do already.
    backend : {"auto", "cpu", "reference", "cuda"}
        "auto" is the compiled "cpu", and "cuda" for arrays on a CUDA device. See
        `fisher_select.backends.explain`.
    threads : int or None
        None: OMP_NUM_THREADS where set, else the usable cores.
    chunk_rows : int or None
        Rows a thread takes at a time, in whole blocks of 64. The scores do not depend on it.
    progress : bool or callable
        True counts on stderr when that is a terminal; a callable gets (stage, done, total).

    Returns
    -------
    float64 array [n]

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; the message names the argument.
    NumericalError
        A step is so long that a logit overflows.
    MemoryError
        Says what was needed and what lowers it.

    References
    ----------
    Mehta, Shui, Nichyporuk, Arbel: Information Gain Sampling for Active Learning in Medical
    Image Classification, UNSURE at MICCAI 2022.
    """
    engine, (X, P, eval_features) = place(
        backend, features=X, probabilities=P, eval_features=eval_features
    )
    problem = _problem(
        X, P, eval_features, eval_labels, weight, bias, learning_rate, kind, normalize
    )
    return _scores(problem, engine, threads, chunk_rows, progress)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The checked arrays, in the words of the backends' operation."""

    features: PoolArray  # [n, d]
    probabilities: PoolArray | None  # [n, C]
    eval_features: PoolArray  # [m, d]
    weight: FloatArray  # [d, C]
    bias: FloatArray | None  # [C]
    class_weights: FloatArray  # [C]: w_c, or w_c / p_c where by_probability
    by_probability: bool
    normalize: bool
    learning_rate: float


def _problem(
    X: Array,
    P: Array | None,
    eval_features: Array,
    eval_labels: Array | None,
    weight: Array,
    bias: Array | None,
    learning_rate: float,
    kind: str,
    normalize: bool,
) -> _Problem:
    one_of("kind", kind, KINDS)
    learning_rate = as_real("learning_rate", learning_rate, above=0.0)
    if kind in _BY_FREQUENCY and eval_labels is None:
        raise ValueError(
            f"eval_labels [m] must be given for kind={kind!r}, whose weights are the class "
            "frequencies of the evaluation set; got None"
        )
    W = as_matrix("weight", to_host("weight", weight))
    d, C = W.shape
    if C < 2:
        raise ValueError(f"weight must have at least 2 columns, one a class, got {C}")
    b = None if bias is None else as_vector("bias", to_host("bias", bias))
    if b is not None and len(b) != C:
        raise ValueError(f"bias must have {C} entries, one a column of weight, got {len(b)}")
    if b is not None and not np.isfinite(b).all():
        at = int(np.flatnonzero(~np.isfinite(b))[0])
        raise ValueError(f"bias must be finite: bias[{at}] is {b[at]}")
    E = _rows_of_width("eval_features", eval_features, d)
    labels = None if eval_labels is None else as_class_labels("eval_labels", eval_labels, C)
    if labels is not None and len(labels) != len(E):
        raise ValueError(
            f"eval_labels must have one entry for each row of eval_features: {len(E)} wanted, "
            f"got {len(labels)}"
        )
    features = _rows_of_width("features", X, d)
    probabilities = None
    if P is not None:
        probabilities = as_pool_probabilities("probabilities", P, len(features), "softmax")
        if probabilities.shape[1] != C:
            raise ValueError(
                f"probabilities must have {C} columns, as weight has, got "
                f"{probabilities.shape[1]}"
            )
    return _Problem(
        features=features,
        probabilities=probabilities,
        eval_features=E,
        weight=W,
        bias=None if b is None else b.astype(np.float64),
        class_weights=_class_weights(kind, labels, C),
        by_probability=kind in _BY_PROBABILITY,
        normalize=bool(normalize),
        learning_rate=learning_rate,
    )


def _rows_of_width(name: str, value: Array, d: int) -> PoolArray:
    matrix = as_pool_matrix(name, value)
    if matrix.shape[1] != d:
        raise ValueError(
            f"{name} must have {d} columns, as many as weight has rows, got {matrix.shape[1]}"
        )
    return matrix


def _class_weights(kind: str, labels: IndexArray | None, C: int) -> npt.NDArray[np.float64]:
    if kind in _BY_FREQUENCY and labels is not None:
        return np.bincount(labels, minlength=C) / len(labels)
    return np.full(C, 1.0 if kind == "eig" else 1.0 / C)


def _scores(
    problem: _Problem,
    engine: Backend,
    threads: int | None,
    chunk_rows: int | None,
    progress: bool | ProgressCallback,
) -> npt.NDArray[np.float64]:
    scores: npt.NDArray[np.float64] = engine.call(
        "information_gain",
        **vars(problem),
        **resolve_execution(threads, chunk_rows, progress),
    )
    overflowed = np.flatnonzero(~np.isfinite(scores))
    if overflowed.size:
        raise NumericalError(
            f"the information gain of row {overflowed[0]} overflows: lower learning_rate, or "
            "scale the features down"
        )
    return scores
