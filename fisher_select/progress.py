# SPDX-License-Identifier: Apache-2.0
"""Progress of long selections: what `progress=` may be, and the plain counter for terminals.

Kept free of third-party imports: richer bars are the caller's, passed as a callable.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[str, int, int], object]
"""Called as callback(stage, done, total) now and then, in the thread that selects; what it
returns is ignored. An exception raised in it stops the selection and reaches the caller. Where
it has a method announce(text), that gets a line with the plan before the work."""

_SECONDS_BETWEEN_WRITES = 0.1


def resolve_progress(progress: object) -> ProgressCallback | None:
    """Turn `progress=` into a callback: False or None is quiet, True counts on stderr.

    True is quiet as well when stderr is not a terminal, so logs stay clean.

    Raises
    ------
    TypeError
        Neither a bool, None nor callable.
    """
    if progress is None or progress is False:
        return None
    if progress is True:
        # stderr is None in windowed interpreters (pythonw).
        on_terminal = sys.stderr is not None and sys.stderr.isatty()
        return _TerminalCounter() if on_terminal else None
    if callable(progress):
        return progress
    raise TypeError(
        "progress must be a bool or a callable taking (stage, done, total), "
        f"got {type(progress).__name__}"
    )


class _TerminalCounter:
    """Rewrites one line of stderr, ten times a second at most; ends it with each stage."""

    def __init__(self) -> None:
        self._written_at = float("-inf")

    def announce(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        finished = done >= total
        if not finished and now - self._written_at < _SECONDS_BETWEEN_WRITES:
            return
        self._written_at = now
        sys.stderr.write(f"\r{stage} {done}/{total}" + ("\n" if finished else ""))
        sys.stderr.flush()
