# SPDX-License-Identifier: Apache-2.0
"""Rows in whatever holds them: arrays, sparse matrices, data frames, tensors or lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from fisher_select.conversion import row_count
from fisher_select.extras import is_a

__all__ = ["count", "stacked"]


def count(rows: Any) -> int:
    """Number of rows."""
    return row_count("X", rows)


def stacked(above: Any, below: Any) -> Any:
    """The rows of both, in the container of the second, which an estimator expects."""
    if hasattr(below, "tocsr"):
        from scipy import sparse

        return sparse.vstack([above, below], format="csr")
    if is_a(below, "pandas", "DataFrame"):
        import pandas as pd

        return pd.concat([above, below], ignore_index=True)
    if is_a(below, "torch", "Tensor"):
        import torch

        return torch.cat([above, below])
    if isinstance(below, list):
        return [*above, *below]
    return np.concatenate([above, below])
