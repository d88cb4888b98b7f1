# SPDX-License-Identifier: Apache-2.0
"""Which samples should an expert label next? Exact selection by Fisher information.

    import fisher_select as fs
    picks = fs.select("bait", features=X, probabilities=P, labeled=rows, batch_size=100)

`picks.indices` are the rows of X to label, in the order picked.
"""

from fisher_select import backends, strategies
from fisher_select.errors import NumericalError
from fisher_select.select import bait, random
from fisher_select.selection import Selection
from fisher_select.strategies import select

__version__ = "0.1.0"

__all__ = [
    "NumericalError",
    "Selection",
    "__version__",
    "backends",
    "bait",
    "random",
    "select",
    "strategies",
]
