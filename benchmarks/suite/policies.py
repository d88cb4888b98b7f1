# SPDX-License-Identifier: Apache-2.0
"""Policies that a protocol trains before its runs, one for each strategy that asks for one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fisher_select import config, files
from fisher_select.experiment import Candidate, Experiment
from fisher_select.reinforcement_learning import Agent, PolicyPlan

_SHARED = ("dataset", "model", "training")


def plans(table: Mapping[str, Any]) -> dict[str, PolicyPlan]:
    """Plans by label, of the strategies whose key `policy` is a table.

    What such a table does not say of data, classifier and training is as the protocol has it.

    Parameters
    ----------
    table
        A protocol's, without the keys of its origin.

    Raises
    ------
    ValueError
        A key that is missing, unknown or out of range.
    """
    found = {}
    shared = {key: table[key] for key in _SHARED if key in table}
    for entry in _strategies(table):
        if isinstance(entry.get("policy"), Mapping):
            label = str(entry.get("label", entry.get("name")))
            whole = replaced(shared, entry["policy"]) | {"name": _slug(label)}
            found[label] = config.build(PolicyPlan, whole, f"policy of {label!r}: ")
    return found


def untrained(table: Mapping[str, Any], wanted: Mapping[str, PolicyPlan]) -> dict[str, Any]:
    """The table with policies of random weights, by which all else of it can be checked."""
    made = []
    for entry in _strategies(table):
        plan = wanted.get(str(entry.get("label", entry.get("name"))))
        if plan is not None:
            agent = Agent(
                plan.view, plan.episode.batch_size, plan.learning, seed=plan.seed, start=None
            )
            entry = entry | {"policy": agent.policy()}  # noqa: PLW2901
        made.append(entry)
    return {**table, **({"strategies": made} if made else {})}


def trained(
    plan: Experiment,
    wanted: Mapping[str, PolicyPlan],
    folder: Path,
    announce: Callable[[str], object],
) -> Experiment:
    """Train what is wanted into `folder`, or go on with it, and hand it to the strategies."""
    candidates = []
    for candidate in plan.strategies:
        policy_plan = wanted.get(candidate.label)
        if policy_plan is not None:
            files.make_folder(folder)
            # By content: protocols with the same plan share the policy.
            digest = hashlib.sha256(repr(policy_plan).encode()).hexdigest()[:12]
            path = folder / f"{policy_plan.name}-{digest}.pt"
            policy = policy_plan.train(checkpoint=path.with_suffix(".checkpoint"))
            policy.save(path)
            announce(f"policy of {candidate.label}: {policy.metadata['episodes']} episodes")
            changes: dict[str, Any] = {"policy": path}
            candidate = Candidate(  # noqa: PLW2901
                candidate.label, replace(candidate.strategy, **changes)
            )
        candidates.append(candidate)
    return replace(plan, strategies=tuple(candidates))


def replaced(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables within tables, each key of `changes` in place of the one of the same name."""
    result = dict(table)
    for key, value in changes.items():
        known = result.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        result[key] = replaced(known, value) if both else value
    return result


def _strategies(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those entries that are tables; what else may be there is complained of elsewhere."""
    entries = table.get("strategies", [])
    return [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []


def _slug(label: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in label)
