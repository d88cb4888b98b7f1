# SPDX-License-Identifier: Apache-2.0
"""What a protocol found, small enough to be kept: mean curves, areas, labels to a level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.suite.protocol import Protocol
from benchmarks.suite.runner import FULL_DATA, Outcome
from fisher_select.comparison import area_under_curve, labels_to_reach, level_of
from fisher_select.metrics import LOWER_IS_BETTER

_LOWER = (*LOWER_IS_BETTER, "bayes_risk")
_DIGITS = 5  # of shares and risks: beyond what seeds tell apart


def summarize(
    protocol: Protocol, outcomes: Sequence[Outcome], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the record of a protocol out of all of its runs.

    Parameters
    ----------
    protocol
        For its name, source and departures.
    outcomes
        Of each strategy with each seed, in any order; those of the run on the whole pool.
    provenance
        Command, machine and versions.

    Returns
    -------
    dict
        As JSON has it: for each strategy ``labeled`` [k], ``values`` [s, k] of the first
        metric, mean and deviation over seeds of all, the area under the curve of each
        seed as a mean height, the labels at which the mean curve reaches `level` (None: never),
        and the mean labels of each class at the end.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.seed)
    metric = next(iter(ordered[0].metrics))
    groups: dict[str, list[Outcome]] = {
        candidate.label: [o for o in ordered if o.label == candidate.label]
        for candidate in protocol.plan.strategies
    }
    full = [outcome.metrics[metric][-1] for outcome in ordered if outcome.label == FULL_DATA]
    level = _level(protocol, groups, full, metric)
    return {
        "name": protocol.name,
        **asdict(protocol.origin),
        "metric": metric,
        "lower_is_better": metric in _LOWER,
        "seeds": list(protocol.plan.seeds),
        "full_data": _rounded(full),
        "level": None if level is None else round(level, _DIGITS),
        "strategies": [_strategy(label, runs, level) for label, runs in groups.items()],
        **provenance,
    }


def _level(
    protocol: Protocol, groups: Mapping[str, list[Outcome]], full: list[float], metric: str
) -> float | None:
    """The value whose price in labels is asked for."""
    if protocol.origin.reach is not None:
        best = float(np.mean(full))
        return level_of(protocol.origin.reach, best, lower_is_better=metric in _LOWER)
    if "random" not in groups:
        return None
    return float(np.mean([run.metrics[metric][-1] for run in groups["random"]]))


def _strategy(label: str, runs: Sequence[Outcome], level: float | None) -> dict[str, Any]:
    metric = next(iter(runs[0].metrics))
    labeled = np.array(runs[0].labeled)
    values = {name: np.array([run.metrics[name] for run in runs]) for name in runs[0].metrics}
    heights = area_under_curve(labeled, values[metric])
    counts = [run.class_counts[-1] for run in runs if run.class_counts is not None]
    return {
        "strategy": label,
        "labeled": labeled.tolist(),
        "values": _rounded(values[metric]),
        "mean": {name: _rounded(v.mean(axis=0)) for name, v in values.items()},
        "deviation": {name: _rounded(deviation(v)) for name, v in values.items()},
        "area": {"mean": _rounded(heights.mean()), "deviation": _rounded(deviation(heights))},
        "labels_to_level": None
        if level is None
        else labels_to_reach(
            labeled, values[metric].mean(axis=0), level, lower_is_better=metric in _LOWER
        ),
        "labels_per_class": np.mean(counts, axis=0).round(1).tolist() if counts else None,
        "train_seconds": round(sum(run.train_seconds for run in runs), 1),
        "select_seconds": round(sum(run.select_seconds for run in runs), 1),
    }


def deviation(values: npt.NDArray[Any]) -> Any:
    """Sample standard deviation over the first axis; 0 of one value."""
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def _rounded(values: Any) -> Any:
    return np.round(values, _DIGITS).tolist()
