# SPDX-License-Identifier: Apache-2.0
"""What runs found: tables for the terminal, pictures, JSON, and one HTML page of all of it.

`fisher-select run` writes its own results (`results_table`, `draw_learning_curve`,
`write_results`); `fisher-select report` and `compare` read run directories (`read_runs`), group
them into experiments (`group`) and write a page (`write_report`) or print `summary_table`.
"""

from __future__ import annotations

from fisher_select.report.curves import Curve, curves, draw_learning_curve
from fisher_select.report.page import figures_of, metric_of, write_report
from fisher_select.report.reading import StoredRun, read_runs
from fisher_select.report.results import results_table, write_results
from fisher_select.report.study import Study, group
from fisher_select.report.summary import Level, SummaryRow, summarize, summary_table

__all__ = [
    "Curve",
    "Level",
    "StoredRun",
    "Study",
    "SummaryRow",
    "curves",
    "draw_learning_curve",
    "figures_of",
    "group",
    "metric_of",
    "read_runs",
    "results_table",
    "summarize",
    "summary_table",
    "write_report",
    "write_results",
]
