# SPDX-License-Identifier: Apache-2.0
"""Tests and benchmarks run against the installed package, however pytest is started.

``python -m pytest`` puts the checkout first on sys.path, where the package lies without its
compiled module and would hide the installed one. (An editable install does not need this.)
"""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent

if not any((CHECKOUT / "fisher_select").glob("_core.*.so")):
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != CHECKOUT]
