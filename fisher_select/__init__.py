# SPDX-License-Identifier: Apache-2.0
"""Which samples should an expert label next? Exact selection by Fisher information.

    import fisher_select as fs
    picks = fs.select("bait", features=X, probabilities=P, labeled=rows, batch_size=100)

`picks.indices` are the rows of X to label, in the order picked.
"""

from fisher_select import backends, distributed, strategies
from fisher_select.determinant import max_det
from fisher_select.diagonal_fisher import DiagonalFisher
from fisher_select.distance import badge, k_center
from fisher_select.errors import NumericalError
from fisher_select.fisher_mask import MaskedSelection, fisher_mask
from fisher_select.information_gain import information_gain, information_gain_scores
from fisher_select.loop import ActiveLearner
from fisher_select.mask import top_k_mask
from fisher_select.mask_profile import MaskProfile
from fisher_select.mean_distance import MeanDistances, mean_distances
from fisher_select.plan import Plan, plan
from fisher_select.policy import Policy
from fisher_select.pool import open_pool
from fisher_select.reinforcement import reinforcement
from fisher_select.select import bait, random
from fisher_select.selection import Selection
from fisher_select.strategies import select
from fisher_select.uncertainty import uncertainty, uncertainty_scores

__version__ = "0.1.0"

__all__ = [
    "ActiveLearner",
    "DiagonalFisher",
    "MaskProfile",
    "MaskedSelection",
    "MeanDistances",
    "NumericalError",
    "Plan",
    "Policy",
    "Selection",
    "__version__",
    "backends",
    "badge",
    "bait",
    "distributed",
    "fisher_mask",
    "information_gain",
    "information_gain_scores",
    "k_center",
    "max_det",
    "mean_distances",
    "open_pool",
    "plan",
    "random",
    "reinforcement",
    "select",
    "strategies",
    "top_k_mask",
    "uncertainty",
    "uncertainty_scores",
]
