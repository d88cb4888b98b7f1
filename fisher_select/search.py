# SPDX-License-Identifier: Apache-2.0
"""How a forward stage looks for its next pick: among all candidates, or fewer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fisher_select.options import as_real, as_seed, one_of

__all__ = ["SEARCHES", "Search", "search_of"]

SEARCHES = ("full", "lazy", "stochastic")


@dataclass(frozen=True)
class Search:
    """A search that does not look at every candidate at every pick.

    Attributes
    ----------
    name : {"lazy", "stochastic"}
    part : float
        Share of the candidates that a stochastic search draws at each pick.
    seed : int
    """

    name: str
    part: float
    seed: int


def search_of(name: str, epsilon: float, seed: int | None, picks: int) -> Search | None:
    """The search that these options of `fisher_select.bait` mean; None is the full one.

    Parameters
    ----------
    name
        One of `SEARCHES`.
    epsilon
        Between 0 and 1: a stochastic search draws ln(1 / epsilon) / picks of the candidates.
    seed
        None is 0.
    picks
        Forward picks.

    Raises
    ------
    TypeError, ValueError
        Naming the option.
    """
    one_of("search", name, SEARCHES)
    epsilon = as_real("epsilon", epsilon, above=0.0)
    if epsilon >= 1.0:
        raise ValueError(f"epsilon must be less than 1, got {epsilon:g}")
    seed = as_seed(seed) or 0
    return None if name == "full" else Search(name, min(1.0, -math.log(epsilon) / picks), seed)
