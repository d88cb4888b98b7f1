# SPDX-License-Identifier: Apache-2.0
"""The specification: every operation in plain float64 NumPy, one screen each.

A module a stem, as in csrc/. Operations of the compiled core have the same names and keyword
arguments here, so that `backends` can hand a call to either.
"""

from fisher_select.reference.determinant import log_det_select
from fisher_select.reference.distance import badge, k_center
from fisher_select.reference.fisher import trace_select
from fisher_select.reference.information_gain import information_gain
from fisher_select.reference.mask import accumulate_squares, top_k_mask
from fisher_select.reference.mean_distance import distance_sums

__all__ = [
    "accumulate_squares",
    "badge",
    "distance_sums",
    "information_gain",
    "k_center",
    "log_det_select",
    "top_k_mask",
    "trace_select",
]
