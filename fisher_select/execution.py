# SPDX-License-Identifier: Apache-2.0
"""How an operation runs, never what it computes: the arguments that all of them share."""

from __future__ import annotations

from typing import TypedDict

from fisher_select.options import as_count, resolve_threads
from fisher_select.progress import ProgressCallback, resolve_progress

__all__ = ["Execution", "resolve_execution"]


class Execution(TypedDict):
    """Keyword arguments of an operation of the engines."""

    threads: int
    chunk_rows: int  # 0: by the size of a cache
    progress: ProgressCallback | None


def resolve_execution(
    threads: int | None, chunk_rows: int | None, progress: bool | ProgressCallback
) -> Execution:
    """Check and resolve what a user passed.

    Raises
    ------
    TypeError, ValueError
        An argument of another kind or out of range; the message names it.
    """
    return {
        "threads": resolve_threads(threads),
        "chunk_rows": 0 if chunk_rows is None else as_count("chunk_rows", chunk_rows),
        "progress": resolve_progress(progress),
    }
