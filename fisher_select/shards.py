# SPDX-License-Identifier: Apache-2.0
"""A pool held by several ranks: what they must agree on before work, and what is kept of it.

The rows of the pool are those of rank 0, then those of rank 1, and so on.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fisher_select.factors import Totals
from fisher_select.files import check_writable, write_json
from fisher_select.ranks import Ranks, agree

__all__ = ["PicksFile", "Shard", "make_shard"]

_SECONDS_BETWEEN_WRITES = 0.2
_GAIN_TOLERANCE = 1e-6
"""How far a replayed gain may be off, relative to it: above rounding, below other data."""


class PicksFile:
    """The picks of a selection under way, on disk, so that a broken run can be resumed.

    Parameters
    ----------
    path : Path
        JSON; written as a whole or not at all, every fraction of a second and at the end of a
        run that breaks.
    problem : dict
        What the selection is about; a file about another one is refused.
    most : int
        Picks there can be.
    """

    def __init__(self, path: Path, problem: dict[str, Any], most: int) -> None:
        check_writable(path)
        self._path = path
        self._problem = problem
        self._written = 0.0
        self._rows: list[int] = []
        self._gains: list[float | None] = []  # None: infinite, which JSON cannot hold
        self._expected = self._read(most) if path.exists() else {"rows": [], "gains": []}

    @property
    def replay(self) -> list[int]:
        """Picks to begin with."""
        return list(self._expected["rows"])

    def add(self, row: int, gain: float) -> None:
        """Note a pick; ValueError where a replayed one is not what it was."""
        at = len(self._rows)
        self._rows.append(row)
        self._gains.append(gain if math.isfinite(gain) else None)
        if at < len(self._expected["rows"]):
            row_before, before = self._expected["rows"][at], self._expected["gains"][at]
            before = math.inf if before is None else before
            if row != row_before or not math.isclose(gain, before, rel_tol=_GAIN_TOLERANCE):
                raise ValueError(
                    f"state: {self._path} is of other data: row {row_before} gained "
                    f"{before:.9g} there, and row {row} gains {gain:.9g} here"
                )
        elif time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Write the picks so far, if there are more than there were."""
        if len(self._rows) > len(self._expected["rows"]):
            found = {"problem": self._problem, "rows": self._rows, "gains": self._gains}
            write_json(self._path, found)
            self._written = time.monotonic()

    def remove(self) -> None:
        """The selection is complete."""
        self._path.unlink(missing_ok=True)

    def _read(self, most: int) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            problem, rows, gains = (found[key] for key in ("problem", "rows", "gains"))
            whole = (
                all(isinstance(row, int) and 0 <= row < self._problem["rows"] for row in rows)
                and all(gain is None or isinstance(gain, float) for gain in gains)
                and len(set(rows)) == len(rows) == len(gains) <= most
                and isinstance(problem, dict)
            )
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise ValueError(f"state: {self._path} is not a file of picks, or not a whole one")
        for key, value in self._problem.items():
            if problem.get(key) != value:
                raise ValueError(
                    f"state: {self._path} is of another selection: {key} was "
                    f"{problem.get(key)!r} there, and is {value!r} here"
                )
        return {"rows": rows, "gains": gains}


@dataclass
class Shard:
    """One rank's part of the pool, as the compiled engine takes it."""

    others: Ranks
    first: int
    rows: int
    labeled: int
    replay: list[int] = field(default_factory=list)
    picks_file: PicksFile | None = None

    @property
    def rank(self) -> int:
        return self.others.rank

    @property
    def ranks(self) -> int:
        return self.others.ranks

    def sum(self, values: npt.NDArray[np.float64]) -> None:
        self.others.sum(values)

    def gather(self, own: npt.NDArray[np.float64], out: npt.NDArray[np.float64]) -> None:
        self.others.gather(own, out)

    def broadcast(self, values: npt.NDArray[np.float64], root: int) -> None:
        self.others.broadcast(values, root)

    def picked(self, row: int, gain: float) -> None:
        if self.picks_file is not None:
            self.picks_file.add(row, gain)


class _Census:
    """The `Totals` of all ranks; asked for once each rank has checked its own arguments."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self.told = False  # all ranks, of the failure of one
        self.rows: list[int] = []
        self.labeled: list[int] = []

    def __call__(self, n: int, m: int) -> tuple[int, int]:
        answers = self._ask([n, m])
        self.rows, self.labeled = ([answer[k] for answer in answers] for k in (0, 1))
        return sum(self.rows), sum(self.labeled)

    def sum(self, values: list[float]) -> list[float]:
        answers = self._ask(values)
        counts = [len(answer) for answer in answers]
        if len(set(counts)) > 1:
            self.told = True
            raise ValueError(
                "top_classes and the columns of probabilities must be the same on all ranks: "
                f"got {counts} classes to rank, 0 without top_classes"
            )
        return [math.fsum(column) for column in zip(*answers, strict=True)]

    def _ask(self, own: Any) -> list[Any]:
        self.told = True
        answers = agree(self._ranks, own)
        self.told = False
        return answers


def make_shard(
    ranks: Ranks,
    operation: str,
    prepare: Callable[[Totals], dict[str, Any]],
    state: Path | None,
) -> tuple[Shard, dict[str, Any]]:
    """Check what each rank was given, before any work.

    Parameters
    ----------
    ranks
    operation
        Of the engine.
    prepare
        Checks this rank's arguments and returns the operation's.
    state
        Where rank 0 keeps the picks; the path of the others is not looked at.

    Returns
    -------
    Shard
    dict
        What `prepare` returned.

    Raises
    ------
    TypeError, ValueError, OSError
        On all ranks, naming the one whose input it is.
    """
    census = _Census(ranks)
    try:
        arguments = prepare(census)
        own = {"operation": operation} | _description(arguments)
    except (TypeError, ValueError, OSError) as error:
        if not census.told:
            agree(ranks, error)
        raise
    descriptions = agree(ranks, own)
    _check_equal(descriptions)
    n, m = sum(census.rows), sum(census.labeled)
    shard = Shard(ranks, sum(census.rows[: ranks.rank]), n, m)
    try:
        if ranks.rank == 0 and state is not None:
            most = arguments.get("forward_count", arguments["batch_size"])
            shard.picks_file = PicksFile(state, {"rows": n, "labeled": m} | own, most)
            shard.replay = shard.picks_file.replay
    except (ValueError, OSError) as error:
        agree(ranks, error)
    shard.replay = agree(ranks, shard.replay)[0]
    return shard, arguments


def _description(arguments: dict[str, Any]) -> dict[str, Any]:
    """What must be the same on all ranks, and when a run is resumed."""
    own = {"labeled", "threads", "chunk_rows", "progress"}
    found: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, np.ndarray) and name not in own:
            found[f"shape of a row of {name}"] = list(value.shape[1:])
            found[f"dtype of {name}"] = str(value.dtype)
        elif name not in own:
            found[name] = value
    return found


def _check_equal(descriptions: list[dict[str, Any]]) -> None:
    for rank, description in enumerate(descriptions):
        for key in sorted(descriptions[0].keys() | description.keys()):
            here, there = descriptions[0].get(key), description.get(key)
            if here != there:
                raise ValueError(
                    f"{key} must be the same on all ranks: {here!r} on rank 0, {there!r} on "
                    f"rank {rank}"
                )
