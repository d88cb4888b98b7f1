# SPDX-License-Identifier: Apache-2.0
"""What a case hands back: rows of the table, and what they were measured from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured time and what it is held against; times in seconds."""

    what: str
    seconds: float  # median
    wanted_seconds: float | None = None  # less than this
    floor_seconds: float | None = None  # the larger of both floors (work.py)
    wanted_share: float | None = None  # at least this
    rival: str = ""  # who else was measured
    rival_seconds: float | None = None

    @property
    def share(self) -> float | None:
        """Which part of the time the floor alone would take."""
        return None if self.floor_seconds is None else self.floor_seconds / self.seconds

    @property
    def speedup(self) -> float | None:
        """How many times our time the rival's is."""
        return None if self.rival_seconds is None else self.rival_seconds / self.seconds

    @property
    def reached(self) -> bool | None:
        """Whether all that was wanted came true; None where nothing was, or is known."""
        found = []
        if self.wanted_seconds is not None:
            found.append(self.seconds < self.wanted_seconds)
        if self.wanted_share is not None and self.share is not None:
            found.append(self.share >= self.wanted_share)
        return all(found) if found else None


@dataclass(frozen=True)
class Measured:
    """One case: its rows, its sizes, every raw time, and words on how to read them."""

    rows: Sequence[Row]
    sizes: Mapping[str, Any]
    raw: Mapping[str, Any]
    notes: Sequence[str] = field(default=())

    def unjudged(self) -> Measured:
        """Without what is wanted: smoke sizes say nothing about it."""
        return replace(
            self,
            rows=[replace(row, wanted_seconds=None, wanted_share=None) for row in self.rows],
        )

    def as_json(self) -> dict[str, Any]:
        """With the rows' judgements beside their times."""
        rows = [
            asdict(row) | {"share": row.share, "speedup": row.speedup, "reached": row.reached}
            for row in self.rows
        ]
        return asdict(self) | {"rows": rows}
