# SPDX-License-Identifier: Apache-2.0
"""The specification: every operation in plain float64 NumPy, one screen each.

A module a stem, as in csrc/. Operations of the compiled core have the same names and keyword
arguments here, so that `backends` can hand a call to either.
"""

from fisher_select.reference.fisher import trace_select

__all__ = ["trace_select"]
