# SPDX-License-Identifier: Apache-2.0
"""The best rows by a score: what every strategy that scores rows one by one ends with.

Kept apart from the strategies so that ties are broken the same way everywhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisher_select.arrays import IndexArray


def top(scores: npt.NDArray[np.float64], labeled: IndexArray, batch_size: int) -> IndexArray:
    """Rows of the `batch_size` largest scores, best first, ties to the lowest index.

    Cost: O(n) and one sort of the picks. Adding rows with lower scores, or another batch size,
    does not change the order of those picked.

    Parameters
    ----------
    scores : float64 array [n]
        Larger is better; infinities are in order, NaN is not.
    labeled : int64 array [m]
        Rows never picked.
    batch_size : int
        At most n - m.

    Returns
    -------
    int64 array [batch_size]
    """
    free = np.ones(len(scores), dtype=np.bool_)
    free[labeled] = False
    rows = np.flatnonzero(free).astype(np.int64, copy=False)
    values = scores[rows]
    # A partition alone keeps an arbitrary few of the rows that tie for the last places.
    last = np.partition(values, len(values) - batch_size)[len(values) - batch_size]
    above, ties = rows[values > last], rows[values == last]
    picks = np.sort(np.concatenate([above, ties[: batch_size - len(above)]]))
    return picks[np.argsort(-scores[picks], kind="stable")]
