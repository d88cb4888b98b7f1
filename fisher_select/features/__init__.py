# SPDX-License-Identifier: Apache-2.0
"""From a PyTorch model and a pool to what selection needs: the part that imports torch.

from fisher_select import features
X, P, _ = features.extract(model, loader, bias_column=True)
"""

from fisher_select.features.diagonal import diagonal_fisher
from fisher_select.features.extraction import (
    Extraction,
    dropout_samples,
    extract,
    last_linear,
)
from fisher_select.features.factors import masked_factors
from fisher_select.features.parameters import Layout
from fisher_select.features.pool import Pool

__all__ = [
    "Extraction",
    "Layout",
    "Pool",
    "diagonal_fisher",
    "dropout_samples",
    "extract",
    "last_linear",
    "masked_factors",
]
