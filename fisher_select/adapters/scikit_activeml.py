# SPDX-License-Identifier: Apache-2.0
"""scikit-activeml: any strategy as a query strategy for a single annotator.

    from fisher_select.adapters.scikit_activeml import FisherSelectStrategy
    query = FisherSelectStrategy("bait")
    indices = query.query(X, y, clf, batch_size=100)

X holds all samples, and y says which are labelled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skactiveml.base import SingleAnnotatorPoolQueryStrategy
from skactiveml.utils import MISSING_LABEL, is_labeled
from sklearn.base import clone

from fisher_select.adapters._classifier import ClassifierInputs
from fisher_select.adapters._inputs import ALL, Provide, gathered, ranked, resolved
from fisher_select.strategies import Strategy

__all__ = ["FisherSelectStrategy"]

_SEED_LIMIT = 2**31 - 1


class FisherSelectStrategy(SingleAnnotatorPoolQueryStrategy):
    """Query by a strategy of fisher_select.

    Parameters
    ----------
    strategy : str or Strategy
        A registered name, or ``fisher_select.strategies.get("bait", lam=0.01)``.
    provide : dict or None
        Functions of (clf, X) by the name of an array, for what cannot be read off `clf`, such
        as the learned features of a network: ``{"features": lambda clf, X: ...}``. Features
        are X itself otherwise, samples the members of an ensemble, weight and bias those of a
        logistic regression, and fisher_mask's model the module that skorch trained.
    missing_label
        What an unknown label is in y.
    random_state : int, RandomState or None
        Seeds the strategies that draw; None leaves the strategy's own seed.

    Raises
    ------
    ValueError, TypeError
        An unknown strategy, or one that needs something nobody gives.
    """

    def __init__(
        self,
        strategy: str | Strategy = "bait",
        provide: Provide | None = None,
        missing_label: Any = MISSING_LABEL,
        random_state: Any = None,
    ) -> None:
        super().__init__(missing_label=missing_label, random_state=random_state)
        self.strategy = strategy
        self.provide = provide
        resolved(strategy, host="scikit-activeml", gives=ALL, provide=provide)

    def query(
        self,
        X: Any,
        y: Any,
        clf: Any = None,
        fit_clf: bool = True,
        sample_weight: Any = None,
        candidates: Any = None,
        batch_size: int = 1,
        return_utilities: bool = False,
    ) -> NDArray[np.int64] | tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose candidates to label.

        The pool is the labelled samples and the candidates; other samples of X are left out.

        Parameters
        ----------
        X : array [n, ...]
            All samples.
        y : array [n]
            Their labels, `missing_label` where unknown; all may be.
        clf : SkactivemlClassifier or None
            Left as it is; may be None for a strategy that needs no outputs.
        fit_clf : bool
            Fit a clone of `clf` to X and y first.
        sample_weight : array [n] or None
            For that fit.
        candidates : int array [k], array [k, ...] or None
            Unlabelled samples to choose from, by index or as they are; None is all of X.
        batch_size : int
            Clipped to the number of candidates, with a warning.
        return_utilities : bool
            Give the utilities as well.

        Returns
        -------
        query_indices : int array [batch_size]
            In the order picked; into X, or into candidates that were given as samples.
        utilities : float array [batch_size, n or k]
            Row i as they were for pick i: NaN for what is no candidate or picked before. A
            strategy that scores samples one by one gives these scores; one that picks sets its
            picks' ranks, batch_size to 1, and 0 to the rest.

        Raises
        ------
        ValueError, TypeError
            A labelled candidate, or something the strategy needs and `clf` has not.
        """
        strategy = resolved(
            self.strategy, host="scikit-activeml", gives=ALL, provide=self.provide
        )
        X, y, candidates, batch_size, return_utilities = self._validate_data(
            X, y, candidates, batch_size, return_utilities
        )
        chosen, mapping = self._transform_candidates(
            candidates, X, y, allow_only_unlabeled=True
        )
        if self.random_state is not None and "seed" in strategy.options():
            seed: dict[str, Any] = {"seed": int(self.random_state_.randint(_SEED_LIMIT))}
            strategy = replace(strategy, **seed)
        if clf is not None and fit_clf:
            weights = () if sample_weight is None else (sample_weight,)
            clf = clone(clf).fit(X, y, *weights)
        known = np.flatnonzero(is_labeled(y, self.missing_label_))
        if mapping is None:
            rows = np.concatenate([X[known], chosen])
            labeled, origin, width = np.arange(len(known)), len(known), len(chosen)
            names = np.arange(-origin, width)  # of the rows, as the caller numbers candidates
        else:
            names = np.union1d(known, mapping)
            rows = X if len(names) == len(X) else X[names]
            labeled, width = np.searchsorted(names, known), len(X)
        inputs = ClassifierInputs(
            clf, rows, labeled=labeled, labels=y[known], provide=self.provide, host={}
        )
        arrays = gathered(strategy, inputs.get)
        if not return_utilities:
            picks = strategy.select(batch_size=batch_size, labeled=labeled, **arrays)
            return names[picks.indices]
        order, scores = ranked(
            strategy, arrays, n=len(rows), labeled=labeled, batch_size=batch_size
        )
        indices = names[order]
        utilities = np.full((batch_size, width), np.nan)
        for i, row in enumerate(utilities):
            row[indices[i:]] = scores[i:]
        return indices[:batch_size], utilities
