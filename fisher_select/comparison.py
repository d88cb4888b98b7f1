# SPDX-License-Identifier: Apache-2.0
"""Strategies against one another: area under a curve, labels to a level, who beats whom.

Scores are those of the test set; which direction is better follows from the metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fisher_select.metrics import LOWER_IS_BETTER

__all__ = [
    "PenaltyMatrix",
    "Scores",
    "area_under_curve",
    "labels_to_reach",
    "level_of",
    "penalty_matrix",
]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_SIGNIFICANCE = 0.05
_CONSTANT = 1e-9  # relative spread of differences that differ by rounding alone
_SATURATED = 0.99  # of the baseline's last score: from there on all strategies are alike


def area_under_curve(labeled: npt.ArrayLike, values: npt.ArrayLike) -> Float64:
    """Area under learning curves by the trapezoidal rule, divided by the labels' range.

    So it is the mean height of the curve, in the metric's own unit. One point is its height.

    Parameters
    ----------
    labeled : array_like [k]
        Labels trained on, increasing.
    values : array_like [..., k]

    Returns
    -------
    ndarray [...]
    """
    at, heights = np.asarray(labeled, np.float64), np.asarray(values, np.float64)
    if len(at) == 1:
        return heights[..., 0]
    means = (heights[..., 1:] + heights[..., :-1]) / 2
    area: Float64 = means @ np.diff(at) / (at[-1] - at[0])
    return area


def level_of(share: float, best: float, *, lower_is_better: bool) -> float:
    """The score that is a share (above 0, at most 1) of the best one.

    ``share * best``, or ``best / share`` where lower is better: 95 % of RMSE 0.19 is 0.2.
    """
    if not 0 < share <= 1:
        raise ValueError(f"level must be above 0 and at most 1, got {share}")
    return best / share if lower_is_better else best * share


def labels_to_reach(
    labeled: npt.ArrayLike, mean: npt.ArrayLike, level: float, *, lower_is_better: bool
) -> int | None:
    """The smallest label count measured whose mean score [k] is as good as the level.

    None when no round reached it. Nothing is interpolated: these labels were really bought.
    """
    values = np.asarray(mean)
    reached = values <= level if lower_is_better else values >= level
    return int(np.asarray(labeled)[reached.argmax()]) if reached.any() else None


@dataclass(frozen=True, eq=False)
class Scores:
    """One experiment: a data set, a model and a batch size, with several strategies.

    Attributes
    ----------
    metric : str
    batch_size : int
    labeled : int64 array [k]
        Labels trained on in each round.
    values : mapping of str to mapping of int to float64 array [k]
        By strategy and seed. Strategies with the same seed began with the same labels.
    baseline : str or None
        The strategy whose curve tells where learning is over (`checkpoints`): random picks.
    """

    metric: str
    batch_size: int
    labeled: Int64
    values: Mapping[str, Mapping[int, Float64]]
    baseline: str | None = None

    def checkpoints(self) -> list[int]:
        """Rounds, as columns, in which strategies are compared: labels bought in powers of two.

        They are those with ``M + 2^(m - 1) B`` labels, m = 1, 2, ..., where M is the number of
        initial labels and B the batch size, as long as the baseline's mean score is not above
        99 % of its last one; without a baseline, all of them. (The authors' script counts the
        start, where all strategies are alike, as one more.)
        """
        means = None
        if self.baseline is not None:
            means = np.mean(list(self.values[self.baseline].values()), axis=0)
        chosen: list[int] = []
        bought = self.batch_size
        while True:
            (column,) = np.nonzero(self.labeled == self.labeled[0] + bought)
            if column.size == 0 or (means is not None and self._saturated(means, column[0])):
                return chosen
            chosen.append(int(column[0]))
            bought *= 2

    def _saturated(self, means: Float64, column: int) -> bool:
        here, last = means[column], means[-1]
        if self.metric in LOWER_IS_BETTER:
            here, last = last, here
        return bool(here > _SATURATED * last)

    def beats(self, one: str, other: str, column: int) -> bool:
        """Whether `one` is significantly better than `other` in a round.

        Two-sided paired t-test over the seeds that both have, at level 0.05. Fewer than two
        seeds, or equal scores in all of them, decide nothing.
        """
        from scipy.stats import ttest_rel  # takes a second to load, which few imports are for

        first, second = self.values[one], self.values[other]
        seeds = [seed for seed in first if seed in second]
        if len(seeds) < 2:
            return False
        a = np.array([first[seed][column] for seed in seeds])
        b = np.array([second[seed][column] for seed in seeds])
        gain = float(np.mean(b - a if self.metric in LOWER_IS_BETTER else a - b))
        if gain <= 0:
            return False
        if np.ptp(a - b) < _CONSTANT * gain:
            return True  # the limit of the test, whose statistic would divide by zero
        return bool(ttest_rel(a, b).pvalue < _SIGNIFICANCE)


@dataclass(frozen=True, eq=False)
class PenaltyMatrix:
    """How often each strategy is significantly better than each other one.

    Attributes
    ----------
    strategies : tuple of str
    matrix : float64 array [s, s]
        Entry (i, j): the share of an experiment's checkpoints at which strategy i beats
        strategy j, summed over the experiments; at most their number. The diagonal is 0.
    experiments : int
        Experiments that were added up; those without a checkpoint are not among them.
    checkpoints : tuple of int
        Of each of these experiments.
    """

    strategies: tuple[str, ...]
    matrix: Float64
    experiments: int
    checkpoints: tuple[int, ...]

    @property
    def column_means(self) -> Float64:
        """How much each strategy is beaten [s], lower is better.

        As in the authors' script the diagonal counts: column sums divided by s.
        """
        means: Float64 = self.matrix.mean(axis=0)
        return means


def penalty_matrix(experiments: Sequence[Scores]) -> PenaltyMatrix:
    """Compare strategies pair by pair over experiments, each of the same weight.

    The pairwise penalty matrix of Ash et al., "Deep Batch Active Learning by Diverse, Uncertain
    Gradient Lower Bounds" (ICLR 2020), section 4 and figure 4, which Ash et al., "Gone Fishing"
    (NeurIPS 2021), figure 5, takes over: at each of an experiment's n checkpoints
    (`Scores.checkpoints`), where strategy i beats strategy j (`Scores.beats`), ``1 / n`` is
    added to entry (i, j). A pair that an experiment lacks adds nothing.

    Raises
    ------
    ValueError
        No experiment.
    """
    if not experiments:
        raise ValueError("experiments must hold at least one, got none")
    names = tuple(dict.fromkeys(name for scores in experiments for name in scores.values))
    matrix = np.zeros((len(names), len(names)))
    counts = []
    for scores in experiments:
        columns = scores.checkpoints()
        if not columns:
            continue
        counts.append(len(columns))
        for i, one in enumerate(names):
            for j, other in enumerate(names):
                if i != j and one in scores.values and other in scores.values:
                    wins = sum(scores.beats(one, other, column) for column in columns)
                    matrix[i, j] += wins / len(columns)
    return PenaltyMatrix(names, matrix, len(counts), tuple(counts))
