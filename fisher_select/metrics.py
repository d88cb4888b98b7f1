# SPDX-License-Identifier: Apache-2.0
"""How good a model's outputs are: what a round's record says of the test set.

NumPy and SciPy alone, so that a loop needs no further package; scikit-learn judges the values
in the tests. One definition serves classes and labels that do not exclude each other: the truth
is a matrix of booleans [n, C], one column a class (or label).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.datasets import TASKS
from fisher_select.options import one_of

__all__ = ["LOWER_IS_BETTER", "NAMES", "Metrics"]

_SHARES = ("accuracy", "balanced_accuracy", "macro_auc", "macro_f1", "nll", "ece")

NAMES = {"multi_class": _SHARES, "multi_label": _SHARES, "regression": ("rmse",)}
"""Metrics of each task."""

LOWER_IS_BETTER = ("nll", "ece", "rmse")

_AVERAGED = ("balanced_accuracy", "macro_auc", "macro_f1")  # over classes, each counting alike
_BINS = 15

Float64 = npt.NDArray[np.float64]
Truth = npt.NDArray[np.bool_]


class Metrics:
    """Measure outputs against the labels of one test set.

    - "accuracy": share of rows whose most likely class is theirs. Labels: share of labels on
      the right side of 1/2, over rows and labels.
    - "balanced_accuracy": mean over the classes of the share found (recall). Labels: mean of
      the shares of present and of absent ones found.
    - "macro_auc": mean over the classes of the area under the ROC curve of that class against
      the rest: the probability that a row of it scores higher than another, ties counting one
      half (Mann, Whitney 1947).
    - "macro_f1": mean over the classes of ``2 TP / (2 TP + FP + FN)``.
    - "nll": mean of ``-log p`` of the true class, in nats; labels: of the true outcome of each.
      p is kept above the resolution of its float type.
    - "ece": expected calibration error over 15 bins of equal width: mean distance of confidence
      and accuracy (Guo et al. 2017). Labels: of the label's probability and its frequency.
    - "rmse": root mean squared error of a regression.

    Parameters
    ----------
    labels : int array [n], int array [n, C] of 0 and 1, or float array [n] or [n, k]
        Of the test set, for the tasks in this order.
    task : {"multi_class", "multi_label", "regression"}
    classes : int
        Classes, or labels, C; unused by a regression.
    names : sequence of str or None
        Which metrics; None is all of the task.

    Raises
    ------
    ValueError
        An unknown or repeated name, or means over the classes where no class has rows both in
        it and outside.

    Warns
    -----
    UserWarning
        Names the classes that the test set lacks (or that all of its rows have): the means
        over classes leave them out.
    """

    def __init__(
        self,
        labels: npt.NDArray[Any],
        *,
        task: str,
        classes: int,
        names: Sequence[str] | None = None,
    ) -> None:
        self.task = one_of("task", task, TASKS)
        self.names = NAMES[task] if names is None else tuple(names)
        for name in self.names:
            one_of("each of metrics", name, NAMES[task])
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"metrics must be different names, got {list(self.names)}")
        if task == "regression":
            self._values = np.asarray(labels, np.float64).reshape(len(labels), -1)
            return
        truth = np.asarray(labels)
        if task == "multi_class":
            truth = truth[:, None] == np.arange(classes)
        self._truth: Truth = truth.astype(bool)
        self._counted = np.logical_and(self._truth.any(axis=0), ~self._truth.all(axis=0))
        averaged = [name for name in self.names if name in _AVERAGED]
        if averaged:
            self._say_what_is_left_out(" and ".join(averaged))

    def __call__(self, outputs: npt.NDArray[Any]) -> dict[str, float]:
        """Measure outputs [n, C]: probabilities, or the values [n, k] of a regression."""
        if self.task == "regression":
            difference = np.asarray(outputs, np.float64) - self._values
            return {"rmse": float(np.sqrt(np.mean(difference**2)))}
        table = _OF_CLASSES if self.task == "multi_class" else _OF_LABELS
        smallest = np.finfo(outputs.dtype).eps
        P = np.asarray(outputs, np.float64)
        values = {}
        for name in self.names:
            if name == "nll":
                values[name] = table[name](np.clip(P, smallest, 1 - smallest), self._truth)
            elif name in _AVERAGED:
                values[name] = float(table[name](P, self._truth)[self._counted].mean())
            else:
                values[name] = table[name](P, self._truth)
        return {name: float(value) for name, value in values.items()}

    def _say_what_is_left_out(self, names: str) -> None:
        if not self._counted.any():
            raise ValueError(
                f"{names} must have test rows in a class and outside of it, got a test set "
                "without; choose other metrics"
            )
        absent = ", ".join(map(str, np.flatnonzero(~self._counted)))
        if absent:
            warnings.warn(
                f"{names}: the test set has no rows in (or none outside of) these classes, "
                f"which are left out of the mean: {absent}",
                stacklevel=3,
            )


# ------------------------------------------- probabilities [n, C] and truth [n, C] to a value
def _accuracy(P: Float64, truth: Truth) -> Any:
    return truth[np.arange(len(P)), P.argmax(axis=1)].mean()


def _label_accuracy(Q: Float64, truth: Truth) -> Any:
    return (_on(Q) == truth).mean()


def _nll(P: Float64, truth: Truth) -> Any:
    return -np.log(P[truth]).mean()


def _label_nll(Q: Float64, truth: Truth) -> Any:
    return -np.log(np.where(truth, Q, 1 - Q)).mean()


def _ece(P: Float64, truth: Truth) -> Any:
    return _calibration(P.max(axis=1), truth[np.arange(len(P)), P.argmax(axis=1)])


def _label_ece(Q: Float64, truth: Truth) -> Any:
    return _calibration(Q.ravel(), truth.ravel())


def _calibration(confidence: Float64, correct: Truth) -> Any:
    """Sum over bins (a, b] of the share of values in it times |mean confidence - accuracy|."""
    bins = np.clip(np.ceil(confidence * _BINS).astype(np.int64) - 1, 0, _BINS - 1)
    gap = np.bincount(bins, weights=confidence - correct, minlength=_BINS)
    return np.abs(gap).sum() / len(confidence)


# ------------------------------------------------ to one value a class [C], averaged later on
def _recall(P: Float64, truth: Truth) -> Any:
    return _share(_chosen(P) & truth, truth)


def _label_recalls(Q: Float64, truth: Truth) -> Any:
    return (_share(_on(Q) & truth, truth) + _share(~_on(Q) & ~truth, ~truth)) / 2


def _f1(P: Float64, truth: Truth) -> Any:
    return _overlap(_chosen(P), truth)


def _label_f1(Q: Float64, truth: Truth) -> Any:
    return _overlap(_on(Q), truth)


def _auc(P: Float64, truth: Truth) -> Any:
    """U / (n_1 n_0), U from the ranks of the rows of each class, equal values sharing one."""
    from scipy.stats import rankdata  # takes a second to load, which few imports are for

    inside = truth.sum(axis=0)
    ranks = np.where(truth, rankdata(P, axis=0), 0.0).sum(axis=0)
    pairs = inside * (len(P) - inside)
    return (ranks - inside * (inside + 1) / 2) / np.maximum(pairs, 1)


def _on(Q: Float64) -> Truth:
    """Labels said to be present [n, C]."""
    return Q >= 0.5


def _chosen(P: Float64) -> Truth:
    """The most likely class of each row [n, C]; ties go to the lowest index."""
    chosen: Truth = P.argmax(axis=1)[:, None] == np.arange(P.shape[1])
    return chosen


def _share(hits: Truth, of: Truth) -> Any:
    return hits.sum(axis=0) / np.maximum(of.sum(axis=0), 1)


def _overlap(found: Truth, truth: Truth) -> Any:
    both = (found & truth).sum(axis=0)
    return 2 * both / np.maximum(found.sum(axis=0) + truth.sum(axis=0), 1)


_Metric = Callable[[Float64, Truth], Any]

_OF_CLASSES: dict[str, _Metric] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _recall,
    "macro_auc": _auc,
    "macro_f1": _f1,
    "nll": _nll,
    "ece": _ece,
}
_OF_LABELS: dict[str, _Metric] = {
    "accuracy": _label_accuracy,
    "balanced_accuracy": _label_recalls,
    "macro_auc": _auc,
    "macro_f1": _label_f1,
    "nll": _label_nll,
    "ece": _label_ece,
}
