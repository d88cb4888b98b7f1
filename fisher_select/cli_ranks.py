# SPDX-License-Identifier: Apache-2.0
"""`fisher-select select` under torchrun: each rank reads its part of the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fisher_select import distributed
from fisher_select.arrays import as_labeled
from fisher_select.checks import check_outputs
from fisher_select.extras import require
from fisher_select.selection import Selection
from fisher_select.strategies import Strategy

__all__ = ["launched", "select", "writes"]

_METHODS: dict[str, Callable[..., Selection]] = {
    "badge": distributed.badge,
    "bait": distributed.bait,
    "k_center": distributed.k_center,
    "max_det": distributed.max_det,
}


def launched() -> bool:
    """Whether torchrun, or what sets the same variables, started this process among others."""
    return "MASTER_ADDR" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def writes() -> bool:
    """Whether the answer is for this process to write."""
    return not launched() or os.environ["RANK"] == "0"


def select(
    method: str,
    strategy: Strategy,
    arrays: Mapping[str, NDArray[Any]],
    labeled: NDArray[Any] | None,
    batch_size: int,
    state: Path | None,
) -> Selection:
    """The selection of all ranks together; a memory-mapped file is read in part by each.

    Raises
    ------
    ValueError
        A method or a backend that does not run on several ranks.
    TypeError, ValueError, OSError, RankError
        As `fisher_select.distributed.bait`.
    """
    if method not in _METHODS:
        raise ValueError(
            f"--method must be one of {', '.join(_METHODS)} under torchrun, got {method}"
        )
    fields = strategy.options()
    if fields.pop("backend") not in {"auto", "cpu"}:
        raise ValueError("--backend must be auto or cpu under torchrun")
    if fields.pop("memory_limit", None) is not None:
        raise ValueError("memory_limit must not be given under torchrun: ranks differ in size")
    if fields.pop("prefilter", None) is not None:
        raise ValueError("prefilter must not be given under torchrun: it is for one process")
    if fields.pop("search", "full") != "full":
        raise ValueError("search must be 'full' under torchrun: others are for one process")
    fields.pop("epsilon", None)
    require("torch", extra="torch")
    from torch import distributed as torch_distributed

    torch_distributed.init_process_group("gloo")
    rank, ranks = torch_distributed.get_rank(), torch_distributed.get_world_size()
    n = len(arrays["features"])
    if "probabilities" in arrays:
        check_outputs("probabilities", arrays["probabilities"].shape, n, softmax=False)
    known = as_labeled(labeled, n)
    begin, end = n * rank // ranks, n * (rank + 1) // ranks
    own = {name: array[begin:end] for name, array in arrays.items()}
    picks = _METHODS[method](
        own["features"],
        own.get("probabilities"),
        labeled=known[(known >= begin) & (known < end)] - begin,
        batch_size=batch_size,
        state=state,
        **(fields if rank == 0 else fields | {"progress": False}),
    )
    torch_distributed.destroy_process_group()
    return picks
