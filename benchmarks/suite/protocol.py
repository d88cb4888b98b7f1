# SPDX-License-Identifier: Apache-2.0
"""Protocol files: an experiment's tables, where it comes from, and its size for two cores.

Everything is checked without the data being there; `check_data` says which file is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.suite import policies
from benchmarks.suite.bayes_risk import BayesRisk
from benchmarks.suite.policies import replaced
from fisher_select import config
from fisher_select.datasets import DatasetSpec
from fisher_select.experiment import Experiment
from fisher_select.reinforcement_learning import PolicyPlan

DATA_VARIABLE = "FISHER_SELECT_DATA"
_PATHS = ("path", "test_path")  # options of readers that name files


@dataclass(frozen=True)
class Origin:
    """The keys of a protocol that an experiment has not.

    Attributes
    ----------
    source : str
        Paper, and figure or table.
    departures : str
        In what the data or the settings differ from the paper's.
    reach : float or None
        Ask for the labels needed to reach this share of the metric of a model trained on the
        whole pool, which is run as well; None asks for those to reach what random picks reach
        in the last round.
    """

    source: str
    departures: str
    reach: float | None = None

    def __post_init__(self) -> None:
        for name in ("source", "departures"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} must not be empty")
        if self.reach is not None and not 0 < self.reach < 1:
            raise ValueError(f"reach must be between 0 and 1, got {self.reach}")


@dataclass(frozen=True)
class Comparison:
    """A protocol of the loop: strategies by seeds on a data set.

    `policies` are trained before its runs, each for the strategy of that label.
    """

    origin: Origin
    plan: Experiment
    policies: Mapping[str, PolicyPlan] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the protocol, its results and its folder."""
        return self.plan.name


@dataclass(frozen=True)
class Risk:
    """A protocol of Bayesian linear regression, which needs neither data nor training."""

    origin: Origin
    plan: BayesRisk

    @property
    def name(self) -> str:
        """Of the protocol, its results and its folder."""
        return self.plan.name


Protocol: TypeAlias = Comparison | Risk


def load(path: Path, *, quick: bool = False) -> Protocol:
    """Read and check a protocol file.

    Parameters
    ----------
    path
        A TOML file: the tables of an `Experiment`, or with ``kind = "bayes_risk"`` the keys of
        a `BayesRisk`; the keys of `Origin`; and a table ``[quick]`` of what to replace for two
        cores, key by key (lists as a whole). With ``base = "NAME.toml"`` they replace, in the
        same way, those of another file in the folder. A strategy's key `policy` may be a table
        of a `PolicyPlan`, less what it has in common with the protocol.
    quick
        Whether to replace it.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or a key is missing, unknown or out of range.
    """
    table = _read(path)
    try:
        smaller = table.pop("quick", None)
        if not isinstance(smaller, Mapping):
            raise ValueError("[quick] must be a table of sizes for two cores")
        if quick:
            table = replaced(table, smaller)
        else:  # its keys are checked all the same
            _build(replaced(table, smaller))
        return _build(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    """The file's table, upon that of its base where it has one."""
    table = config.read_toml(path)
    base = table.pop("base", None)
    return table if base is None else replaced(_read(path.with_name(str(base))), table)


def _build(table: Mapping[str, Any]) -> Protocol:
    rest = dict(table)
    own = {key: rest.pop(key) for key in ("source", "departures", "reach") if key in rest}
    origin = config.build(Origin, own)
    kind = rest.pop("kind", "comparison")
    if kind == "comparison":
        wanted = policies.plans(rest)
        plan = config.build(Experiment, policies.untrained(rest, wanted))
        if plan.oracle.kind != "dataset":
            raise ValueError("[oracle] kind must be 'dataset': a protocol waits for no expert")
        return Comparison(origin, plan, wanted)
    if kind == "bayes_risk":
        if origin.reach is not None:
            raise ValueError("reach is of kind 'comparison': a Bayes risk has no model")
        return Risk(origin, config.build(BayesRisk, rest))
    raise ValueError(f"kind must be 'comparison' or 'bayes_risk', got {kind!r}")


def located(protocol: Protocol, data: Path) -> Protocol:
    """The protocol with its data set's relative paths taken from the folder `data`."""
    if isinstance(protocol, Risk):
        return protocol
    found = {
        label: replace(plan, dataset=_located(plan.dataset, data))
        for label, plan in protocol.policies.items()
    }
    plan = replace(protocol.plan, dataset=_located(protocol.plan.dataset, data))
    return replace(protocol, plan=plan, policies=found)


def _located(named: str | DatasetSpec, data: Path) -> str | DatasetSpec:
    if isinstance(named, str):
        return named
    options = {
        key: str(data / value) if key in _PATHS else value
        for key, value in named.options.items()
    }
    return replace(named, options=options)


def check_data(protocol: Protocol) -> None:
    """Check that the files of a located protocol are there.

    Raises
    ------
    FileNotFoundError
        Names the protocol, the file or folder, and how to say where it is.
    """
    if isinstance(protocol, Risk):
        return
    for named in [protocol.plan.dataset, *(p.dataset for p in protocol.policies.values())]:
        for key in () if isinstance(named, str) else _PATHS:
            path = named.options.get(key)
            if path is not None and not Path(path).exists():
                raise FileNotFoundError(
                    f"protocol {protocol.name}: {path} is not there; name the folder of the "
                    f"data by --data or by the environment variable {DATA_VARIABLE}"
                )
