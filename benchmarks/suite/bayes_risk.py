# SPDX-License-Identifier: Apache-2.0
"""Bayesian linear regression, where the risk of a selection is known exactly.

Weights w ~ N(0, I / lam), labels ``y = <w, x> + noise`` of variance 1. After labelling the rows
S the posterior's covariance is ``(lam I + sum_S x x^T)^-1``, whatever the labels, and the mean
squared error of its mean over the pool, beyond the noise, is that covariance's trace against
``F = mean x x^T``: BAIT's objective is the Bayes risk itself. No model, no training, no labels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.experiment import Candidate, check_seeds
from fisher_select.options import as_count, one_of
from fisher_select.strategy_inputs import for_task

Float64 = npt.NDArray[np.float64]

DISTRIBUTIONS = ("isotropic", "decaying")


@dataclass(frozen=True)
class BayesRisk:
    """A protocol with ``kind = "bayes_risk"``.

    Attributes
    ----------
    name : str
    seeds : tuple of int
        Of the pool and of random picks.
    distribution : {"isotropic", "decaying"}
        Rows are Gaussian with covariance I / d, or with variances ``1 / j`` for column j, so
        that few directions hold most of what is asked for.
    rows, columns : int
        Of the pool.
    budgets : tuple of int
        Labels bought in one batch; each is a selection of its own.
    lam : float
        Precision of the prior.
    strategies : tuple of Candidate
        Those that take features alone.
    """

    name: str
    seeds: tuple[int, ...]
    distribution: str
    rows: int
    columns: int
    budgets: tuple[int, ...]
    lam: float
    strategies: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise ValueError(f"name must be of letters, digits, _ and -, got {self.name!r}")
        check_seeds(self.seeds)
        one_of("distribution", self.distribution, DISTRIBUTIONS)
        for name in ("rows", "columns"):
            as_count(name, getattr(self, name))
        if not self.lam > 0:
            raise ValueError(f"lam must be positive, got {self.lam}")
        if not self.budgets or not 0 < min(self.budgets) <= max(self.budgets) <= self.rows:
            raise ValueError(
                f"budgets must be 1 to rows = {self.rows}, got {list(self.budgets)}"
            )
        for candidate in self.strategies:
            needs = for_task(candidate.strategy, "regression").needs
            if not set(needs) <= {"features"}:
                raise ValueError(
                    f"strategies must take features alone; {candidate.label!r} needs "
                    f"{', '.join(needs)}"
                )


def pool(plan: BayesRisk, seed: int) -> Float64:
    """Rows [rows, columns] of one seed."""
    drawn = np.random.default_rng([seed, 0]).standard_normal((plan.rows, plan.columns))
    if plan.distribution == "isotropic":
        return drawn / np.sqrt(plan.columns)
    return drawn / np.sqrt(np.arange(1, plan.columns + 1))


def bayes_risk(X: Float64, picked: npt.NDArray[np.int64], lam: float) -> float:
    """``tr((lam I + sum x x^T)^-1 F)`` with the sum over picked rows, F over all."""
    posterior = lam * np.eye(X.shape[1]) + X[picked].T @ X[picked]
    return float(np.trace(np.linalg.solve(posterior, X.T @ X / len(X))))


def risks(plan: BayesRisk, candidate: Candidate, seed: int) -> list[float]:
    """The Bayes risk at each budget of one strategy on the pool of one seed."""
    X = pool(plan, seed)
    strategy = for_task(candidate.strategy, "regression")
    if "seed" in strategy.options():
        changes: dict[str, Any] = {"seed": seed}
        strategy = replace(strategy, **changes)
    picks = [strategy.select(features=X, batch_size=budget) for budget in plan.budgets]
    return [bayes_risk(X, made.indices, plan.lam) for made in picks]
