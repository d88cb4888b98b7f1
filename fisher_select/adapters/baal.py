# SPDX-License-Identifier: Apache-2.0
"""Baal: any strategy as a heuristic of its active-learning loop.

    from fisher_select.adapters.baal import DatasetProvider, FisherSelectHeuristic
    heuristic = FisherSelectHeuristic("bait", 100, DatasetProvider(dataset, wrapper))
    loop = ActiveLearningLoop(dataset, wrapper.predict_on_dataset, heuristic, query_size=100,
                              iterations=20)

Baal hands a heuristic the predictions for its pool and nothing else, so that features, and all
that concerns the labelled rows, come through the provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from types import GeneratorType
from typing import Any, Protocol

import numpy as np
from baal.active.heuristics import AbstractHeuristic
from baal.bayesian.dropout import Dropout, Dropout2d
from baal.utils.array_utils import to_prob
from numpy.typing import NDArray
from torch.utils.data import Subset

from fisher_select.adapters._inputs import ALL, clipped, needed, ranked, resolved
from fisher_select.arrays import Array
from fisher_select.conversion import to_numpy
from fisher_select.options import as_count
from fisher_select.strategies import Strategy
from fisher_select.strategies.from_model import arrays_from_model
from fisher_select.strategy_inputs import takes_samples

__all__ = ["DatasetProvider", "FisherSelectHeuristic", "Provider"]

_PREDICTED = {"probabilities", "samples"}
_PROVIDED = ALL - {"data"}


class Provider(Protocol):
    """What a heuristic cannot see in the predictions for the pool; rows as in the data set."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which of the N rows are labelled; the others are the pool, in order."""
        ...

    def outputs(self) -> Array:
        """Predictions [m, C, T] for the labelled rows, of which there is at least one."""
        ...

    def arrays(self, strategy: Strategy, probabilities: Array | None) -> Mapping[str, Any]:
        """What it needs, given the probabilities [N, C] of all rows where it needs them."""
        ...


class DatasetProvider:
    """Reads features off the last linear layer of the model that Baal trains.

    Parameters
    ----------
    dataset : ActiveLearningDataset
        All rows are read as the pool reads them, without the augmentation of training.
    wrapper : ModelWrapper
        A copy of its model is read, with Monte-Carlo dropout switched off.
    iterations : int
        Predictions for a labelled row; as many as the loop makes for the pool.
    layer, inputs
        As in `fisher_select.features.extract`.
    """

    def __init__(
        self,
        dataset: Any,
        wrapper: Any,
        *,
        iterations: int = 1,
        layer: str | None = None,
        inputs: Callable[[Any], Any] | None = None,
    ) -> None:
        self.dataset = dataset
        self.wrapper = wrapper
        self.iterations = as_count("iterations", iterations)
        self.layer = layer
        self.inputs = inputs

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows of the data set are labelled."""
        return np.asarray(self.dataset.labelled, dtype=np.bool_)

    def outputs(self) -> Array:
        """Predictions for the labelled rows by the wrapper, with its dropout."""
        found: Array = self.wrapper.predict_on_dataset(
            self._known(), iterations=self.iterations, verbose=False
        )
        return found

    def arrays(self, strategy: Strategy, probabilities: Array | None) -> Mapping[str, Any]:
        """Features with a column of ones for the layer's bias, and all else that it needs."""
        model, rows = _deterministic(self.wrapper.model), self._rows()
        if "model" in strategy.takes:
            return {"model": model, "pool": rows}
        return arrays_from_model(
            strategy,
            model,
            rows,
            {} if probabilities is None else {"probabilities": probabilities},
            layer=self.layer,
            inputs=self.inputs,
            eval_pool=self._known() if self.labelled.any() else None,
        )

    def _rows(self) -> Any:
        """The data set as the pool has it; Baal keeps it inside the pool's Subset."""
        return self.dataset.pool._dataset.dataset

    def _known(self) -> Any:
        return Subset(self._rows(), np.flatnonzero(self.labelled).tolist())


class FisherSelectHeuristic(AbstractHeuristic):
    """Rank the pool by a strategy of fisher_select.

    Parameters
    ----------
    strategy : str or Strategy
        A registered name, or ``fisher_select.strategies.get("bait", lam=0.01)``.
    batch_size : int
        The loop's `query_size`: strategies pick sets of so many rows. A larger one than the
        pool is clipped with a warning.
    provider : Provider or None
        Such as a `DatasetProvider`. None serves the strategies that need predictions of the
        pool alone: those by uncertainty.

    Raises
    ------
    ValueError, TypeError
        An unknown strategy, or one that needs something the provider would have to give.
    """

    def __init__(
        self, strategy: str | Strategy, batch_size: int, provider: Provider | None = None
    ) -> None:
        super().__init__(reverse=True)
        gives = _PREDICTED if provider is None else _PROVIDED
        host = "Baal without a provider" if provider is None else "Baal"
        self.strategy = resolved(strategy, host=host, gives=gives)
        self.batch_size = as_count("batch_size", batch_size)
        self.provider = provider

    def get_ranks(
        self, predictions: Any, target_predictions: Any = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """All positions of the pool, best first, and the score of each position.

        Parameters
        ----------
        predictions : array [n, C], [n, C, T], or generator of such batches
            For the pool in its order; probabilities, or logits, which Baal turns into some by
            softmax. Of labels that do not exclude each other probabilities alone.
        target_predictions
            Not used.

        Returns
        -------
        ranks : int array [n]
        scores : float array [n]
            Of the strategies that score rows one by one; those that pick sets score their
            picks by rank, `batch_size` to 1, and the rest 0.

        Raises
        ------
        ValueError
            Another number of predictions than the pool has rows (`max_sample` of the loop
            shows a heuristic some rows, and not which), or more axes.
        """
        del target_predictions
        pool = _stacked(predictions)
        labelled = np.zeros(len(pool), dtype=np.bool_)
        if self.provider is not None and not self._by_predictions:
            labelled = self.provider.labelled
        free = np.flatnonzero(~labelled)
        if len(free) != len(pool):
            raise ValueError(
                f"predictions must be of the whole pool, {len(free)} rows, got {len(pool)}: "
                "max_sample must be -1 in the loop"
            )
        order, falling = ranked(
            self.strategy,
            self._arrays(pool, labelled),
            n=len(labelled),
            labeled=labelled,
            batch_size=clipped(self.batch_size, len(free)),
        )
        ranks = np.searchsorted(free, order)
        scores = np.empty(len(pool))
        scores[ranks] = falling
        return ranks, scores

    def compute_score(self, predictions: Any, target_predictions: Any = None) -> Any:
        """The scores alone, as `get_ranks` has them."""
        return self.get_ranks(predictions, target_predictions)[1]

    @property
    def _by_predictions(self) -> bool:
        """Whether the pool's predictions are all that the strategy reads."""
        return set(needed(self.strategy)) <= _PREDICTED

    def _arrays(self, pool: NDArray[Any], labelled: NDArray[np.bool_]) -> Mapping[str, Any]:
        if self.provider is None or self._by_predictions:
            return {"probabilities": self._probabilities(pool)}
        if "probabilities" not in needed(self.strategy):
            return self.provider.arrays(self.strategy, None)
        outputs = np.empty((len(labelled), *pool.shape[1:]), pool.dtype)
        outputs[~labelled] = pool
        if labelled.any():
            outputs[labelled] = _stacked(self.provider.outputs())
        return self.provider.arrays(self.strategy, self._probabilities(outputs))

    def _probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """As the strategy takes them: samples [T, N, C], or their mean [N, C]."""
        options = self.strategy.options()
        sigmoid = (
            options.get("likelihood") == "sigmoid"
            or options.get("kind") == "average_confidence"
        )
        found = outputs if sigmoid else to_prob(outputs)
        return np.moveaxis(found, 2, 0) if takes_samples(self.strategy) else found.mean(axis=2)


def _stacked(predictions: Any) -> NDArray[Any]:
    """Predictions [n, C, T] of all batches; T = 1 where there was no such axis."""
    batches = predictions if isinstance(predictions, GeneratorType) else [predictions]
    arrays = [to_numpy("predictions", batch) for batch in batches]
    if not arrays:
        raise ValueError("predictions must have at least one row, got none")
    found = np.concatenate(arrays)
    if found.ndim not in (2, 3):
        raise ValueError(
            "predictions must be [n, C] or [n, C, T], one distribution a row, got shape "
            f"{list(found.shape)}"
        )
    return found[:, :, None] if found.ndim == 2 else found


def _deterministic(model: Any) -> Any:
    """A copy without Baal's dropout, whose layers drop units in evaluation mode as well."""
    copy = deepcopy(model)
    for layer in copy.modules():
        if isinstance(layer, Dropout | Dropout2d):
            layer.p = 0.0
    return copy
