# SPDX-License-Identifier: Apache-2.0
"""small-text: any strategy as a query strategy, also over embeddings.

    from fisher_select.adapters.small_text import FisherSelectStrategy
    learner = PoolBasedActiveLearner(clf_factory, FisherSelectStrategy("bait"), dataset)

Labels that do not exclude each other, which small-text keeps in a ``csr_matrix``, make the
strategy's likelihood the sigmoid one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from small_text.query_strategies import EmbeddingBasedQueryStrategy, QueryStrategy

from fisher_select.adapters._classifier import ClassifierInputs, dense, uniform
from fisher_select.adapters._inputs import ALL, Provide, gathered, resolved
from fisher_select.strategies import Strategy
from fisher_select.strategy_inputs import for_task

__all__ = ["FisherSelectEmbeddings", "FisherSelectStrategy"]


class _ByStrategy:
    """What both queries are made of."""

    def __init__(self, strategy: str | Strategy = "bait", provide: Provide | None = None):
        self.strategy = resolved(strategy, host="small-text", gives=ALL, provide=provide)
        self.provide = provide

    def _picked(
        self,
        clf: Any,
        rows: Any,
        labeled: NDArray[np.int64],
        y: Any,
        n: int,
        *,
        host: Mapping[str, Callable[[], Any]],
    ) -> NDArray[np.int64]:
        """Positions in `rows`, a data set of small-text, that the strategy picks."""
        strategy = self.strategy
        if sparse.issparse(y) or getattr(rows, "is_multi_label", False):
            strategy = for_task(strategy, "multi_label")
            strategy.check_likelihood("sigmoid")
        x = getattr(rows, "x", rows)  # an array where the learner was given a representation
        own: dict[str, Callable[[], Any]] = {
            "features": lambda: dense(x),
            "data": lambda: dense(x),
            "pool": lambda: dense(x),
            "probabilities": lambda: _outputs(clf, rows),
        }
        inputs = ClassifierInputs(
            clf, rows, labeled=labeled, labels=y, provide=self.provide, host=own | dict(host)
        )
        picks = strategy.select(batch_size=n, labeled=labeled, **gathered(strategy, inputs.get))
        return picks.indices

    def __str__(self) -> str:
        return f"{type(self).__name__}(strategy={self.strategy.name!r})"


class FisherSelectStrategy(_ByStrategy, QueryStrategy):
    """Query by a strategy of fisher_select.

    Parameters
    ----------
    strategy : str or Strategy
        A registered name, or ``fisher_select.strategies.get("bait", lam=0.01)``.
    provide : mapping or None
        Functions of (clf, dataset) by the name of an array, for what cannot be read off the
        classifier; the data set is that of the rows asked for. Features are what
        ``clf.embed`` gives where there is one, else the data set's x, which then must hold
        numbers (sparse ones are filled in); samples the members of an ensemble, weight and
        bias those of a logistic regression.

    Raises
    ------
    ValueError, TypeError
        An unknown strategy, or something it does not ask for.
    """

    def query(
        self,
        clf: Any,
        dataset: Any,
        indices_unlabeled: NDArray[np.int64],
        indices_labeled: NDArray[np.int64],
        y: Any,
        n: int = 10,
    ) -> NDArray[np.int64]:
        """Choose `n` unlabelled rows; rows that are neither are ignored.

        Parameters
        ----------
        clf : Classifier or None
            Left as it is. None, or one that was never fitted because nothing is labelled, is
            equally unsure of the data set's target labels.
        dataset : Dataset
        indices_unlabeled, indices_labeled : int array
            Into `dataset`.
        y : int array [m] or csr_matrix [m, C]
            Labels of `indices_labeled`.
        n : int
            As many as there are at most.

        Returns
        -------
        int array [n]
            Into `dataset`, in the order picked.

        Raises
        ------
        EmptyPoolException, PoolExhaustedException
            No unlabelled row, or fewer than `n`, as small-text's own strategies.
        ValueError, TypeError
            Something the strategy needs and the classifier has not.
        """
        self._validate_query_input(indices_unlabeled, n)
        order = np.concatenate([indices_labeled, indices_unlabeled]).astype(np.int64)
        names = np.sort(order)
        rows = dataset[names]
        embed: dict[str, Callable[[], Any]] = {}
        if hasattr(clf, "embed"):
            embed["features"] = lambda: clf.embed(rows, pbar=None)
        picks = self._picked(
            clf, rows, np.searchsorted(names, indices_labeled), y, n, host=embed
        )
        return names[picks]


class FisherSelectEmbeddings(_ByStrategy, EmbeddingBasedQueryStrategy):
    """The same where small-text hands over the embeddings, such as those of a transformer.

    ``query(..., embeddings=E)`` takes rows of the unlabelled and then the labelled samples.

    Parameters
    ----------
    strategy, provide
        As in `FisherSelectStrategy`; features are the embeddings.
    """

    def sample(
        self,
        clf: Any,
        dataset: Any,
        indices_unlabeled: NDArray[np.int64],
        indices_labeled: NDArray[np.int64],
        y: Any,
        n: int,
        embeddings: NDArray[Any],
        embeddings_proba: NDArray[Any] | None = None,
    ) -> NDArray[np.int64]:
        """Choose `n` rows of `embeddings`; what small-text's `query` calls.

        Parameters
        ----------
        indices_unlabeled, indices_labeled : int array
            Into `dataset` and `embeddings`.
        embeddings : array [rows, d]
        embeddings_proba : array [rows, C] or None
            Outputs, where the embedding came with them.
        """
        del indices_unlabeled  # they are the rows that are not labelled
        host: dict[str, Callable[[], Any]] = {"features": lambda: embeddings}
        if embeddings_proba is not None:
            host["probabilities"] = lambda: embeddings_proba
        return self._picked(clf, dataset, indices_labeled, y, n, host=host)


def _outputs(clf: Any, rows: Any) -> Any:
    if clf is None:
        return uniform(len(rows), len(rows.target_labels))
    return clf.predict_proba(rows)
