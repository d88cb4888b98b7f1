# SPDX-License-Identifier: Apache-2.0
"""What every strategy returns: the rows to label, and how they were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.tables import rows_at


@dataclass(frozen=True, eq=False)
class Selection:
    """The picks of one strategy on one pool.

    Attributes
    ----------
    indices : int64 array [B]
        Rows to label, in the order picked (BAIT: the survivors, in forward order).
    scores : float64 array [B]
        Score of each entry of `indices` at the time it was picked (BAIT: its gain in the
        forward stage; random: its draw).
    backend : str
        The backend that did the work, never "auto".
    forward_indices : int64 array [k] or None
        BAIT: all forward picks in order; None for other strategies.
    objective : float64 array or None
        tr(M^-1 F) after each step, k forward steps first, then k - B backward steps; None for
        strategies without such an objective.
    stop_reason : str
        Why the greedy stopped; "complete" when it made all the picks asked for.
    refreshes : int
        How often the fast state was rebuilt because it had drifted.
    max_drift : float
        Largest relative difference seen between a fast score and its float64 value.
    seconds : dict of str to float
        Wall time by stage.
    diagnostics : dict of str to float
        What else a strategy measured, such as k_center's share of full distances.
    """

    indices: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    backend: str
    forward_indices: npt.NDArray[np.int64] | None = None
    objective: npt.NDArray[np.float64] | None = None
    stop_reason: str = "complete"
    refreshes: int = 0
    max_drift: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    diagnostics: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)

    def rows_of(self, pool: Any) -> Any:
        """Pick the rows to label out of anything with one entry for each row of the pool.

        Parameters
        ----------
        pool : table, column, array or list [n]
            The features themselves, or what belongs to them: names, paths, identifiers.

        Returns
        -------
        same kind [B]
            In the order picked. Of pandas with its row labels: ``picks.rows_of(frame).index``.

        Raises
        ------
        ValueError
            It has too few rows to be the pool.
        """
        last = int(self.indices.max(initial=-1))
        if last >= len(pool):
            raise ValueError(
                f"pool must have row {last}, which was picked, got {len(pool)} rows"
            )
        return rows_at(pool, self.indices)
