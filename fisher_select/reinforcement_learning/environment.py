# SPDX-License-Identifier: Apache-2.0
"""Active learning as an environment: label rows, train a classifier, be paid by its progress.

The methods are those of a Gymnasium environment, which is not needed for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.datasets import hold_out
from fisher_select.mean_distance import MeanDistances
from fisher_select.metrics import Metrics
from fisher_select.observation import Observation, actions_of, scores_of, state_of
from fisher_select.options import as_count, as_seed
from fisher_select.policy import View
from fisher_select.reinforcement_learning.episode import Episode
from fisher_select.trainer import Trainer

__all__ = ["Environment"]

Rows = npt.NDArray[np.int64]


class Environment:
    """Episodes of active learning over rows whose labels are all known.

    Each episode splits the rows anew: ``D_R`` measures the reward, ``D_s`` gives the state, and
    of ``D_T`` rows are labelled. An observation is that of `fisher_select.observation`, with an
    action for each unlabelled row of ``D_T``; a step takes positions in ``actions``. The
    classifier is trained from scratch at each step, within an episode from the same seed, so
    that the reward is of the new labels and not of another initialisation.

    Parameters
    ----------
    inputs : array [n, ...]
        What the classifier takes. Outputs of a frozen backbone make training cheap.
    labels : int array [n]
    classes : int
        Any number from 2.
    model_factory, trainer
        Of the classifier, as in `fisher_select.ActiveLearner`: a linear head, a small network
        or a full one.
    episode : Episode
    view : View
    backend : str
        Of the mean distances.

    Raises
    ------
    ValueError
        Fewer rows than the three parts need; the message says how many.
    """

    def __init__(
        self,
        inputs: npt.NDArray[Any],
        labels: npt.NDArray[Any],
        *,
        classes: int,
        model_factory: Callable[[], Any],
        trainer: Trainer,
        episode: Episode | None = None,
        view: View | None = None,
        backend: str = "auto",
    ) -> None:
        self.episode = Episode() if episode is None else episode
        self.view = View() if view is None else view
        self.classes = as_count("classes", classes)
        self._inputs, self._labels = inputs, np.asarray(labels)
        self._factory, self._trainer, self._backend = model_factory, trainer, backend
        if self._labels.shape != (len(inputs),):
            raise ValueError(
                f"labels must hold a class for each of {len(inputs)} rows of inputs, got shape "
                f"{list(self._labels.shape)}"
            )
        if self.view.score == "positive" and self.classes != 2:
            raise ValueError(f"score 'positive' is of two classes, got {self.classes}")
        kept, _ = hold_out(self._labels, self.episode.reward_share)
        wanted = self.episode.candidates + self.episode.state_rows
        if len(kept) < wanted:
            raise ValueError(
                f"inputs must leave {wanted} rows for candidates and state_rows beside "
                f"reward_share, got {len(kept)} of {len(inputs)}"
            )
        self._generator = np.random.default_rng()
        self._labeled = np.empty(0, dtype=np.int64)
        self._metric = 0.0
        self._open = False

    def reset(
        self,
        *,
        seed: int | None = None,
        options: object = None,  # noqa: ARG002
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Parameters
        ----------
        seed
            Fixes all that follows, up to the next reset with a seed. None draws on.
        options
            Without meaning; Gymnasium's signature has it.

        Returns
        -------
        observation : Observation
        info : dict
            ``rows`` of the data behind the actions, ``labeled`` rows, ``splits`` (the rows of
            ``D_T``, ``D_R`` and ``D_s``) and ``metric``, the reward's metric now.
        """
        if as_seed(seed) is not None:
            self._generator = np.random.default_rng(seed)
        self._split()
        self._seed = int(self._generator.integers(2**32))
        self._features: npt.NDArray[Any] | None = None
        self._pending = np.empty(0, dtype=np.int64)
        self._open = True
        self._train()
        return self._observation(), self._info()

    def step(
        self, action: int | npt.ArrayLike
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Label rows, and train.

        Parameters
        ----------
        action : int array [N], or int where N is 1
            Different positions in the last observation's ``actions``.

        Returns
        -------
        observation : Observation
        reward : float
            The metric's change.
        terminated : bool
            Whether the budget is spent.
        truncated : bool
            Always False.
        info : dict
            As of `reset`.

        Raises
        ------
        TypeError, ValueError
            Not such positions, or no episode under way.
        """
        positions = self._check(action)
        free = self._free()
        self._labeled = np.concatenate([self._labeled, free[positions]])
        self._pending = np.concatenate([self._pending, free[positions]])
        before = self._metric
        self._train()
        done = len(self._labeled) == self.episode.initial + self.episode.budget
        self._open = not done
        return self._observation(), self._metric - before, done, False, self._info()

    # ------------------------------------------------------------------------------ inside
    def _split(self) -> None:
        """Draw ``D_R``, ``D_s`` and ``D_T``, and what of it is labelled at the start."""
        sizes, draw = self.episode, self._generator
        kept, self._judged = hold_out(
            self._labels, sizes.reward_share, seed=int(draw.integers(2**32))
        )
        order = draw.permutation(kept)
        if sizes.one_each:
            _, first = np.unique(self._labels[order], return_index=True)
            first = draw.permutation(first)[: sizes.initial]
            order = np.concatenate([order[first], np.delete(order, first)])
        # Positions in `_pool` from here on; labelled rows are its first.
        self._pool = order[: sizes.candidates]
        self._state_rows = order[sizes.candidates : sizes.candidates + sizes.state_rows]
        self._labeled = np.arange(sizes.initial)
        self._metrics = Metrics(
            self._labels[self._judged],
            task="multi_class",
            classes=self.classes,
            names=(sizes.reward,),
        )

    def _free(self) -> Rows:
        """Unlabelled positions of ``D_T``, in order."""
        return np.setdiff1d(np.arange(len(self._pool)), self._labeled)

    def _train(self) -> None:
        """Fit the classifier to what is labelled, and measure it on ``D_R``."""
        rows = self._pool[self._labeled]
        self._model = self._trainer.train(
            self._factory,
            self._inputs[rows],
            self._labels[rows],
            task="multi_class",
            seed=self._seed,
        )
        self._metric = self._metrics(self._outputs(self._judged).probabilities)[
            self.episode.reward
        ]

    def _outputs(self, rows: Rows) -> Any:
        return self._trainer.outputs(self._model, self._inputs[rows], task="multi_class")

    def _observation(self) -> Observation:
        seen, free = self._outputs(self._pool), self._free()
        self._measure(seen.features)
        apart = scores_of(self._outputs(self._state_rows).probabilities, self.view.score)
        return Observation(
            state_of(apart, self.view.state_size),
            actions_of(
                scores_of(seen.probabilities, self.view.score)[free],
                self._means.to_labeled[free],
                self._means.to_unlabeled[free],
            ),
        )

    def _measure(self, features: npt.NDArray[Any]) -> None:
        """Mean distances: from scratch where the space has moved, else of the new rows alone.

        The data space never moves, nor does the latent space of a linear classifier.
        """
        if self.view.space == "data":
            features = self._inputs[self._pool].reshape(len(self._pool), -1)
        if self._features is None or not np.array_equal(features, self._features):
            self._features = features
            self._means = MeanDistances(features, labeled=self._labeled, backend=self._backend)
        else:
            self._means.label(self._pending)
        self._pending = np.empty(0, dtype=np.int64)

    def _info(self) -> dict[str, Any]:
        return {
            "rows": self._pool[self._free()],
            "labeled": self._pool[self._labeled],
            "splits": {"T": self._pool, "R": self._judged, "s": self._state_rows},
            "metric": self._metric,
        }

    def _check(self, action: int | npt.ArrayLike) -> Rows:
        if not self._open:
            raise ValueError("the episode is over, or none was begun: call reset")
        positions = np.atleast_1d(np.asarray(action))
        if positions.dtype.kind not in "iu":
            raise TypeError(f"action must be integers, got {positions.dtype}")
        count, open_ = self.episode.batch_size, len(self._pool) - len(self._labeled)
        if positions.shape != (count,) or len(np.unique(positions)) < count:
            raise ValueError(
                f"action must be {count} different positions, got {positions.tolist()}"
            )
        if positions.min() < 0 or positions.max() >= open_:
            raise ValueError(f"action must be 0 to {open_ - 1}, got {positions.tolist()}")
        return positions.astype(np.int64)
