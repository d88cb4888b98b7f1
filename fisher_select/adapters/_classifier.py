# SPDX-License-Identifier: Apache-2.0
"""What can be read off a fitted classifier in scikit-learn's manner, each thing when asked for.

Nothing is fitted or written: the classifier stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.adapters._inputs import Provide
from fisher_select.conversion import to_numpy

__all__ = ["ClassifierInputs", "dense", "uniform"]

_PROBED = 64  # rows that tell whether coef_ and intercept_ are the last layer of a softmax
_AGREES = 1e-3


class ClassifierInputs:
    """The arrays of one query, by name, computed on first use.

    Parameters
    ----------
    model
        A fitted classifier; None where there is none.
    rows
        What its ``predict_proba`` takes, all rows [n, ...].
    labeled : int array [m]
        Positions of the labelled rows.
    labels : array [m]
        Their labels, for information gain.
    provide
        The user's functions of (model, rows); they go before all else.
    host
        The adapter's functions, by name; they go before what is read off the classifier.
    """

    def __init__(
        self,
        model: Any,
        rows: Any,
        *,
        labeled: NDArray[np.int64],
        labels: Any,
        provide: Provide | None,
        host: Mapping[str, Callable[[], Any]],
    ) -> None:
        self.model = model
        self.rows = rows
        self.labeled = labeled
        self.labels = labels
        self._provide = {} if provide is None else provide
        self._host = host
        self._found: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """The array of that name; None for a bias that there is not.

        Raises
        ------
        ValueError
            The classifier does not have it; the message says what would give it.
        """
        if name not in self._found:
            if name in self._provide:
                self._found[name] = self._provide[name](self.model, self.rows)
            elif name in self._host:
                self._found[name] = self._host[name]()
            else:
                self._found[name] = _OWN[name](self)
        return self._found[name]

    def _features(self) -> NDArray[Any]:
        return dense(self.rows)

    def _pool(self) -> NDArray[Any]:
        return _numbers(self.rows)

    def _probabilities(self) -> Any:
        return self._fitted("predict_proba", "probabilities").predict_proba(self.rows)

    def _samples(self) -> NDArray[np.float64]:
        """Outputs of an ensemble's members [T, n, C]; columns of absent classes are 0."""
        ensemble = self._fitted("estimators_", "samples")
        members = list(np.ravel(ensemble.estimators_))
        if not all(hasattr(member, "predict_proba") for member in members):
            raise self._lacks("estimators_ with predict_proba", "samples")
        rows = self.get("data")
        columns = getattr(ensemble, "estimators_features_", [slice(None)] * len(members))
        samples = np.zeros((len(members), len(rows), len(ensemble.classes_)))
        for sample, member, used in zip(samples, members, columns, strict=True):
            # The members of scikit-learn's ensembles know classes by number.
            sample[:, member.classes_.astype(int)] = member.predict_proba(rows[:, used])
        return samples

    def _weight(self) -> NDArray[Any]:
        return self._last_layer()[0]

    def _bias(self) -> NDArray[Any] | None:
        return None if "weight" in self._provide else self._last_layer()[1]

    def _last_layer(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """W [d, C] and b [C] with softmax(features W + b) = predict_proba, which is checked."""
        linear = self._fitted("coef_", "weight")
        weight, bias = np.atleast_2d(linear.coef_).T, np.ravel(linear.intercept_)
        if weight.shape[1] == 1:  # two classes share one column: its logit against 0
            weight, bias = np.hstack([np.zeros_like(weight), weight]), np.append(0.0, bias)
        bias = np.broadcast_to(bias, weight.shape[1]).copy()  # one 0 where there is none
        X = to_numpy("features", self.get("features"))[:_PROBED]
        wanted = to_numpy("probabilities", self.get("probabilities"))[:_PROBED]
        if X.shape[1] == len(weight) and wanted.shape[1] == weight.shape[1]:
            logits = X @ weight + bias
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            found = odds / odds.sum(axis=1, keepdims=True)
            if np.abs(found - wanted).max() <= _AGREES:
                return weight, bias
        raise ValueError(
            f"coef_ of {type(linear).__name__} is not the last layer of a softmax over these "
            "features: pass functions for 'weight', 'bias' and 'features' in provide"
        )

    def _eval_features(self) -> NDArray[Any]:
        """Information gain measures the entropy on the labelled rows."""
        if len(self.labeled) == 0:
            raise ValueError(
                "information gain measures the entropy on labelled rows, of which there are "
                "none: pass functions for 'eval_features' and 'eval_labels' in provide"
            )
        return to_numpy("features", self.get("features"))[self.labeled]

    def _eval_labels(self) -> NDArray[np.int64]:
        """Classes of the labelled rows by number, in the order of the outputs."""
        labels = np.asarray(self.labels)
        classes = getattr(self.model, "classes_", None)
        if classes is None:
            return labels.astype(np.int64)
        numbers = {label: number for number, label in enumerate(classes)}
        return np.array([numbers[label] for label in labels], dtype=np.int64)

    def _module(self) -> Any:
        """The torch module: the classifier itself, or what skorch trained."""
        if hasattr(self.model, "named_modules"):
            return self.model
        return self._fitted("module_", "model").module_

    def _fitted(self, attribute: str, name: str) -> Any:
        """The classifier, or the one inside a wrapper, that has the attribute."""
        for holder in (self.model, *_inside(self.model)):
            if hasattr(holder, attribute):
                return holder
        raise self._lacks(attribute, name)

    def _lacks(self, attribute: str, name: str) -> ValueError:
        what = "there is no classifier" if self.model is None else type(self.model).__name__
        has = "" if self.model is None else f" has no {attribute}"
        return ValueError(
            f"{name} must be given: {what}{has}; pass a function for {name!r} in provide"
        )


# Not methods of one object: it would hold itself, and its arrays would outlive the query.
_OWN: Mapping[str, Callable[[ClassifierInputs], Any]] = {
    "features": ClassifierInputs._features,
    "data": ClassifierInputs._features,
    "pool": ClassifierInputs._pool,
    "probabilities": ClassifierInputs._probabilities,
    "samples": ClassifierInputs._samples,
    "weight": ClassifierInputs._weight,
    "bias": ClassifierInputs._bias,
    "eval_features": ClassifierInputs._eval_features,
    "eval_labels": ClassifierInputs._eval_labels,
    "model": ClassifierInputs._module,
}


def _inside(model: Any) -> list[Any]:
    """What scikit-activeml and small-text wrap: the fitted estimator, a network, a model."""
    names = ("estimator_", "neural_net_", "model")
    return [getattr(model, name) for name in names if hasattr(model, name)]


def dense(rows: Any) -> NDArray[Any]:
    """Rows as a matrix [n, d]: sparse ones are filled in, further axes laid side by side.

    Raises
    ------
    TypeError
        They are no numbers, so that no distance or product of them exists.
    """
    array = _numbers(rows)
    return np.reshape(array, (len(array), -1))


def _numbers(rows: Any) -> NDArray[Any]:
    array = rows.toarray() if hasattr(rows, "toarray") else to_numpy("X", rows)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"X must hold numbers to serve as features, got dtype {array.dtype}; pass a "
            "function for 'features' in provide"
        )
    return np.asarray(array)


def uniform(n: int, classes: int) -> NDArray[np.float64]:
    """Probabilities [n, C] of a model that knows nothing yet."""
    return np.full((n, classes), 1.0 / classes)
