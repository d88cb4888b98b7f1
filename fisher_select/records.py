# SPDX-License-Identifier: Apache-2.0
"""What a round leaves behind: the record the loop yields, and the line a file keeps of it."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fisher_select.fisher_mask import MaskedSelection
from fisher_select.mask_profile import MaskProfile
from fisher_select.selection import Selection

__all__ = ["RoundRecord", "Stopwatch", "Timing", "from_lines", "to_line"]


@dataclass(frozen=True)
class Timing:
    """Wall times of a round in seconds: no two runs share them, so they have their own file.

    Attributes
    ----------
    train_seconds, evaluate_seconds, select_seconds : float
        Of training, of the forward passes and metrics, and of the strategy alone.
    """

    train_seconds: float
    evaluate_seconds: float
    select_seconds: float

    def as_dict(self) -> dict[str, float]:
        """By name, for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Stopwatch:
    """Wall time from one call of `lap` to the next."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last call, or since it was made."""
        before, self._last = self._last, time.perf_counter()
        return self._last - before


@dataclass(frozen=True)
class RoundRecord:
    """One round: a model trained on what was labelled, and the rows it asks for next.

    Attributes
    ----------
    round : int
        0 for the model trained on the initial rows.
    labeled : int
        Labels the model was trained on.
    metrics : dict of str to float
        Of the test set; see `fisher_select.metrics.Metrics`.
    selection : Selection or None
        Picks made with this model, labelled before the next round; None in the last round. Of
        a record read back from a run directory it has `indices`, `scores`, `backend` and the
        mask's `profile`; the rest is as of an empty one.
    timing : Timing
        Wall times.
    """

    round: int
    labeled: int
    metrics: dict[str, float]
    selection: Selection | None
    timing: Timing

    @property
    def accuracy(self) -> float:
        """Share of the test set classified correctly; KeyError where it was not measured."""
        return self.metrics["accuracy"]

    def as_dict(self) -> dict[str, Any]:
        """The record for JSON: everything but the picks."""
        return {
            "round": self.round,
            "labeled": self.labeled,
            **self.metrics,
            **self.timing.as_dict(),
        }


def to_line(record: RoundRecord) -> str:
    """One line of JSON without the wall times: equal runs have equal lines."""
    made = record.selection
    selection: dict[str, Any] | None = None
    if made is not None:
        selection = {
            "backend": made.backend,
            "indices": made.indices.tolist(),
            # JSON has no infinity, which is BADGE's score of a first centre.
            "scores": [s if math.isfinite(s) else str(s) for s in made.scores.tolist()],
        }
        if isinstance(made, MaskedSelection) and made.profile is not None:
            selection["profile"] = {f.name: getattr(made.profile, f.name) for f in _PROFILE}
    value = {
        "round": record.round,
        "labeled": record.labeled,
        "metrics": record.metrics,
        "selection": selection,
    }
    return json.dumps(value, allow_nan=False) + "\n"


def from_lines(line: str, timing: str) -> RoundRecord:
    """Read back what `to_line` wrote and, as JSON, its `Timing`.

    Raises
    ------
    ValueError, KeyError, TypeError
        Not such lines.
    """
    value = json.loads(line)
    return RoundRecord(
        value["round"],
        value["labeled"],
        value["metrics"],
        None if value["selection"] is None else _selection(value["selection"]),
        Timing(**json.loads(timing)),
    )


_PROFILE = fields(MaskProfile)


def _selection(value: dict[str, Any]) -> Selection:
    made = {
        "indices": np.array(value["indices"], dtype=np.int64),
        "scores": np.array([float(score) for score in value["scores"]]),
        "backend": value["backend"],
    }
    if "profile" not in value:
        return Selection(**made)
    profile = {name: tuple(entries) for name, entries in value["profile"].items()}
    return MaskedSelection(**made, profile=MaskProfile(**profile))
