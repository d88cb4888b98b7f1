# SPDX-License-Identifier: Apache-2.0
"""Speed and memory of fisher_select against rivals and against the floor of the machine.

``python -m benchmarks.run`` measures everything and writes ``benchmarks/results/*.json`` and
``benchmarks/RESULTS.md``; ``pytest benchmarks`` runs the pytest-benchmark entries. What needs a
GPU is measured by ``python -m benchmarks.gpu``, or with all before it by ``benchmarks/gpu.sh``.
"""

import sys
from pathlib import Path

# ``python -m`` puts the checkout first on sys.path, where fisher_select lies without its
# compiled module and would hide the installed one; what is measured is the installed one.
_CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.sort(key=lambda entry: Path(entry).resolve() == _CHECKOUT)  # stable: to the end
