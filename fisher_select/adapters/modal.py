# SPDX-License-Identifier: Apache-2.0
"""modAL: any strategy as the query strategy of a learner or a committee.

    from fisher_select.adapters.modal import FisherSelectQuery
    learner = ActiveLearner(estimator, FisherSelectQuery("bait"), X_training, y_training)
    indices, samples = learner.query(X_pool, n_instances=100)

modAL knows a query strategy as a function, so that nothing of it is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.adapters._classifier import ClassifierInputs, dense, uniform
from fisher_select.adapters._inputs import ALL, Provide, clipped, gathered, resolved
from fisher_select.adapters._rows import count, stacked
from fisher_select.options import as_count
from fisher_select.strategies import Strategy

__all__ = ["FisherSelectQuery"]


class FisherSelectQuery:
    """A query strategy ``(learner, X_pool, n_instances=1) -> (indices, scores)``.

    It returns two arrays whatever is asked: modAL unpacks the answer inside a bare ``except``,
    which would take two bare indices for an index and its score.

    Parameters
    ----------
    strategy : str or Strategy
        A registered name, or ``fisher_select.strategies.get("bait", lam=0.01)``.
    provide : mapping or None
        Functions of (estimator, X) by the name of an array, for what cannot be read off the
        learner; X are the training rows followed by the pool. Features are X itself otherwise
        (with ``on_transformed`` of the learner what its pipeline makes of X), samples the
        members of a committee or an ensemble, weight and bias those of a logistic regression,
        and fisher_mask's model the module that skorch trained.
    classes : int or None
        Number of classes, of which an estimator that is not fitted yet is equally unsure.

    Raises
    ------
    ValueError, TypeError
        An unknown strategy, or something it does not ask for.
    """

    def __init__(
        self,
        strategy: str | Strategy = "bait",
        provide: Provide | None = None,
        classes: int | None = None,
    ) -> None:
        self.strategy = resolved(strategy, host="modAL", gives=ALL, provide=provide)
        self.provide = provide
        self.classes = None if classes is None else as_count("classes", classes)

    def __call__(
        self, learner: Any, X_pool: Any, n_instances: int = 1, **_: Any
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pick rows of the pool, which holds the unlabelled samples alone.

        Parameters
        ----------
        learner : ActiveLearner or Committee
            Left as it is.
        X_pool : array, sparse matrix, data frame, list or tensor [n, ...]
        n_instances : int
            Clipped to the pool, with a warning.
        **_
            What modAL hands its own strategies, such as ``random_tie_break``, has no meaning:
            ties go to the lowest index.

        Returns
        -------
        indices : int array [n_instances]
            In the order picked.
        scores : float array [n_instances]
            Of each at the time it was picked.

        Raises
        ------
        ValueError, TypeError
            Something the strategy needs and the learner has not.
        """
        batch = clipped(n_instances, count(X_pool))
        members = getattr(learner, "learner_list", None)
        # A committee keeps no training rows of its own; its members all get the same ones.
        source = learner if members is None else members[0]
        known = 0 if source.X_training is None else count(source.X_training)
        rows = X_pool if known == 0 else stacked(source.X_training, X_pool)
        inputs = ClassifierInputs(
            learner if members else learner.estimator,
            rows,
            labeled=np.arange(known),
            labels=() if known == 0 else source.y_training,
            provide=self.provide,
            host=self._of_learner(learner, rows, committee=members is not None),
        )
        picks = self.strategy.select(
            batch_size=batch,
            labeled=np.arange(known),
            **gathered(self.strategy, inputs.get),
        )
        return picks.indices - known, picks.scores

    def _of_learner(
        self, learner: Any, rows: Any, *, committee: bool
    ) -> Mapping[str, Callable[[], Any]]:
        """What the learner gives otherwise than its estimator would."""
        found: dict[str, Callable[[], Any]] = {
            "probabilities": lambda: self._probabilities(learner, rows)
        }
        if learner.on_transformed:
            found["features"] = lambda: dense(learner.transform_without_estimating(rows))
        if committee:  # [n, T, C] to [T, n, C]
            found["samples"] = lambda: np.moveaxis(learner.vote_proba(rows), 1, 0)
        return found

    def _probabilities(self, learner: Any, rows: Any) -> Any:
        from sklearn.exceptions import NotFittedError  # modAL is built on it

        try:
            return learner.predict_proba(rows)
        except NotFittedError:
            if self.classes is None:
                raise ValueError(
                    "the estimator is not fitted yet: pass classes=, to take it as equally "
                    "unsure of so many, or a strategy that needs no probabilities"
                ) from None
            return uniform(count(rows), self.classes)
