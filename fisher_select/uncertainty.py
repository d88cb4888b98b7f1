# SPDX-License-Identifier: Apache-2.0
"""Uncertainty sampling: rows scored one by one from the model's outputs alone, the best taken.

NumPy in chunks of rows, in float64; larger scores are always more uncertain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fisher_select import mapped
from fisher_select.arrays import (
    Array,
    FloatArray,
    as_labeled,
    as_matrix,
    as_probabilities,
    as_samples,
)
from fisher_select.options import as_count, check_batch, one_of
from fisher_select.ranking import top
from fisher_select.selection import Selection

Float64 = npt.NDArray[np.float64]

_CHUNK_VALUES = 1 << 17  # float64 values of a chunk, all samples together: 1 MB


def uncertainty(
    P: Array,
    *,
    kind: str = "entropy",
    labeled: Array | None = None,
    batch_size: int,
) -> Selection:
    """Pick the rows whose outputs are least certain, ties to the lowest index.

    Parameters
    ----------
    P : array [n, C] or [T, n, C]
        Softmax probabilities; for "average_confidence" sigmoid outputs, one a label; for
        "mc_dropout_entropy" and "bald" T samples of the softmax probabilities, from forward
        passes with dropout switched on or from the members of an ensemble.
    kind : str
        One of those in `uncertainty_scores`.
    labeled : int array [m], bool array [n] or None
        Rows labelled already, never picked.
    batch_size : int
        Rows to label now.

    Returns
    -------
    Selection
        `scores` as `uncertainty_scores` has them, falling.

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; the message names the argument.
    """
    one_of("kind", kind, KINDS)
    as_count("batch_size", batch_size)
    start = time.perf_counter()
    samples = _as_outputs(P, kind)
    n = len(samples[0])
    rows = as_labeled(labeled, n)
    batch = check_batch(batch_size, n, len(rows))
    scores = _score(samples, kind)
    picks = top(scores, rows, batch)
    return Selection(
        indices=picks,
        scores=scores[picks],
        backend="numpy",
        seconds={"score": time.perf_counter() - start},
    )


def uncertainty_scores(P: Array, *, kind: str = "entropy") -> Float64:
    """How uncertain each row's outputs are; larger is more uncertain.

    Logarithms are natural, and 0 log 0 is 0.

    - "entropy": ``-sum_c p_c log p_c``. Shannon 1948.
    - "margin": ``1 - (p_first - p_second)``, of the two most likely classes. Scheffer,
      Decomain, Wrobel 2001; Roth, Small 2006.
    - "least_confidence": ``1 - max_c p_c``. Lewis, Gale 1994.
    - "average_confidence": ``1 - mean_c max(q_c, 1 - q_c)`` over the labels of a multi-label
      model. Esuli, Sebastiani 2009.
    - "mc_dropout_entropy": entropy of the mean over the samples, the predictive entropy. Gal,
      Islam, Ghahramani 2017.
    - "bald": that, less the mean of the samples' entropies: what an answer tells of the model.
      Houlsby, Huszar, Ghahramani, Lengyel 2011; Gal, Islam, Ghahramani 2017.

    Parameters
    ----------
    P : array [n, C] or [T, n, C]
        As in `uncertainty`.
    kind : str
        One of the above.

    Returns
    -------
    float64 array [n]

    Raises
    ------
    TypeError, ValueError
        Bad input; the message names the argument.
    """
    one_of("kind", kind, KINDS)
    return _score(_as_outputs(P, kind), kind)


# ---------------------------------------------------------- scores of rows [T, rows, C]
def _entropy(p: Float64) -> Float64:  # [..., C] -> [...]
    # log of the smallest normal number times 0 is 0.
    logs = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    total: Float64 = -(p * logs).sum(axis=-1)
    return np.maximum(total, 0.0)  # -0 for a certain row


def _one_entropy(p: Float64) -> Float64:
    return _entropy(p[0])


def _margin(p: Float64) -> Float64:
    # The chunk is ours to write to; a partition of each row is several times slower.
    best = p[0].argmax(axis=1, keepdims=True)
    first = np.take_along_axis(p[0], best, axis=1)[:, 0]
    np.put_along_axis(p[0], best, -1.0, axis=1)
    margin: Float64 = 1.0 - (first - p[0].max(axis=1))
    return margin


def _least_confidence(p: Float64) -> Float64:
    least: Float64 = 1.0 - p[0].max(axis=1)
    return least


def _average_confidence(q: Float64) -> Float64:
    average: Float64 = 1.0 - np.maximum(q[0], 1.0 - q[0]).mean(axis=1)
    return average


def _mc_dropout_entropy(p: Float64) -> Float64:
    return _entropy(p.mean(axis=0))


def _bald(p: Float64) -> Float64:
    # Never negative but for rounding: entropy is concave.
    gain: Float64 = _mc_dropout_entropy(p) - _entropy(p).mean(axis=0)
    return np.maximum(gain, 0.0)


_SCORES: dict[str, Callable[[Float64], Float64]] = {
    "entropy": _one_entropy,
    "margin": _margin,
    "least_confidence": _least_confidence,
    "average_confidence": _average_confidence,
    "mc_dropout_entropy": _mc_dropout_entropy,
    "bald": _bald,
}
KINDS = tuple(_SCORES)
SAMPLED = ("mc_dropout_entropy", "bald")
"""Kinds that take samples [T, n, C]."""


# ---------------------------------------------------------------------------- helpers
def _as_outputs(P: Array, kind: str) -> Sequence[FloatArray]:
    """T matrices [n, C]; T is 1 but for the sampled kinds."""
    if kind in SAMPLED:
        return as_samples("probabilities", P)
    likelihood = "sigmoid" if kind == "average_confidence" else "softmax"
    outputs = as_matrix("probabilities", P)
    return [as_probabilities("probabilities", outputs, len(outputs), likelihood)]


def _score(samples: Sequence[FloatArray], kind: str) -> Float64:
    scores = np.empty(len(samples[0]))
    for rows, chunk in _chunks(samples):
        scores[rows] = _SCORES[kind](chunk)
    return scores


def _chunks(samples: Sequence[FloatArray]) -> Iterator[tuple[slice, Float64]]:
    """Rows and their outputs [T, rows, C], packed float64.

    One layout whatever the caller's, so that equal rows get equal scores to the last bit.
    """
    n, C = samples[0].shape
    step = max(1, _CHUNK_VALUES // (len(samples) * C))
    buffer = np.empty((len(samples), step, C))
    files = [mapped.file_of(sample) for sample in samples]
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        chunk = buffer[:, : rows.stop - start]
        for t, sample in enumerate(samples):
            chunk[t] = sample[rows]
            mapped.let_go(files[t], sample[rows])
        yield rows, chunk
