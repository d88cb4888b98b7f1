# SPDX-License-Identifier: Apache-2.0
"""Tests and benchmarks run against the installed package, however pytest is started.

``python -m pytest`` puts the checkout first on sys.path, and so does ``python -c`` in a test's
child process. The package lies there without its compiled module and would hide the installed
one. (An editable install needs none of this: it comes before sys.path.) So no script finds its
neighbours by itself, and the tests' helpers are put on the path of child processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent

if not any((CHECKOUT / "fisher_select").glob("_core.*.so")):
    os.environ["PYTHONSAFEPATH"] = "1"
    paths = [str(CHECKOUT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != CHECKOUT]
