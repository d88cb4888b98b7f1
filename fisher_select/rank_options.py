# SPDX-License-Identifier: Apache-2.0
"""The keyword options of `fisher_select.distributed`, as types.

Defaults are those of the functions for one process, which check the values too.
"""

from __future__ import annotations

import os
from typing import Any, TypedDict

from fisher_select.arrays import Array
from fisher_select.progress import ProgressCallback

__all__ = ["BaitOptions", "KCenterOptions", "MaxDetOptions", "RankOptions", "own_options"]


class RankOptions(TypedDict, total=False):
    """Of all selections on ranks."""

    threads: int | None
    chunk_rows: int | None
    progress: bool | ProgressCallback
    seed: int | None
    group: Any
    timeout: float
    state: str | os.PathLike[str] | None


class BaitOptions(RankOptions, total=False):
    """Of `bait`."""

    lam: float
    oversample: float
    normalization: str
    likelihood: str
    factors: Array | None
    fisher: str
    rank: int | None
    top_classes: int | None
    use_pool_fisher: bool


class MaxDetOptions(RankOptions, total=False):
    """Of `max_det`."""

    lam: float
    gradient: str
    rank: int | None
    top_classes: int | None
    likelihood: str
    factors: Array | None


class KCenterOptions(RankOptions, total=False):
    """Of `k_center`."""

    first: int | None
    embedding: str


def own_options(options: Any, known: type, function: str) -> dict[str, Any]:
    """A copy of the options of `function`; TypeError where one is not `known`."""
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    return dict(options)
