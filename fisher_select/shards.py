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
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from fisher_select.files import check_writable, write_json
from fisher_select.ranks import Ranks, agree

__all__ = ["PicksFile", "Shard", "make_shard"]

Problem = TypeVar("Problem")

_SECONDS_BETWEEN_WRITES = 0.2
_GAIN_TOLERANCE = 1e-6
"""How far a replayed gain may be off, relative to it: rounding is far below, other data above."""


class PicksFile:
    """The picks of a selection under way, on disk, so that a broken run can be resumed.

    Parameters
    ----------
    path : Path
        JSON; written as a whole or not at all, every fraction of a second and at the end of a
        run that breaks.
    problem : dict
        What the selection is about; a file about another one is refused.
    """

    def __init__(self, path: Path, problem: dict[str, Any]) -> None:
        check_writable(path)
        self._path = path
        self._problem = problem
        self._written = 0.0
        self._rows: list[int] = []
        self._gains: list[float] = []
        self._expected = self._read() if path.exists() else {"rows": [], "gains": []}

    @property
    def replay(self) -> list[int]:
        """Picks to begin with."""
        return list(self._expected["rows"])

    def add(self, row: int, gain: float) -> None:
        """Note a pick; ValueError where a replayed one has another gain than it had."""
        at = len(self._rows)
        self._rows.append(row)
        self._gains.append(gain)
        if at < len(self._expected["rows"]):
            before = self._expected["gains"][at]
            if not math.isclose(gain, before, rel_tol=_GAIN_TOLERANCE):
                raise ValueError(
                    f"state: {self._path} is of other data: row {row} gained {before:.9g} there, "
                    f"and gains {gain:.9g} here"
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

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            problem, rows, gains = (found[key] for key in ("problem", "rows", "gains"))
            whole = all(isinstance(row, int) for row in rows) and len(rows) == len(gains)
            numbers = all(isinstance(gain, float) for gain in gains)
        except (ValueError, KeyError, TypeError):
            whole = numbers = False
        if not (whole and numbers):
            raise ValueError(f"state: {self._path} is not a file of picks, or not a whole one")
        for key, value in self._problem.items():
            if problem.get(key) != value:
                raise ValueError(
                    f"state: {self._path} is of another selection: {key} was "
                    f"{problem.get(key)!r} there, and is {value!r} here"
                )
        return {"rows": rows, "gains": gains}


@dataclass
class Shard(Generic[Problem]):
    """This rank's part of the pool, as the compiled engine takes it, and its problem."""

    others: Ranks
    problem: Problem
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
    """Rows and labelled rows of all ranks; asked for once each rank has checked its own."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self.asked = False
        self.rows: list[int] = []
        self.labeled: list[int] = []

    def __call__(self, n: int, m: int) -> tuple[int, int]:
        self.asked = True
        answers = agree(self._ranks, [n, m])
        self.rows, self.labeled = ([answer[k] for answer in answers] for k in (0, 1))
        return sum(self.rows), sum(self.labeled)


def make_shard(
    ranks: Ranks,
    prepare: Callable[[Callable[[int, int], tuple[int, int]]], Problem],
    describe: Callable[[Problem], dict[str, Any]],
    state: Path | None,
) -> Shard[Problem]:
    """Check what each rank was given, before any work.

    Parameters
    ----------
    ranks
    prepare
        Checks this rank's arguments; called with what makes the pool's rows and labelled rows
        out of the shard's.
    describe
        What of a problem must be the same on all ranks, and when a run is resumed.
    state
        Where rank 0 keeps the picks; the path of the others is not looked at.

    Raises
    ------
    TypeError, ValueError, OSError
        On all ranks, naming the one whose input it is.
    """
    census = _Census(ranks)
    answer: dict[str, Any] | Exception
    try:
        problem = prepare(census)
        answer = describe(problem)
    except (TypeError, ValueError, OSError) as error:
        if census.asked and not census.rows:
            raise  # the census has told everybody
        agree(ranks, error)
        raise
    descriptions = agree(ranks, answer)
    _check_equal(descriptions)

    picks_file, replay = None, []
    n, m = sum(census.rows), sum(census.labeled)
    try:
        if ranks.rank == 0 and state is not None:
            picks_file = PicksFile(state, {"rows": n, "labeled": m} | descriptions[0])
            replay = picks_file.replay
    except (ValueError, OSError) as error:
        agree(ranks, error)
    shard = Shard(ranks, problem, sum(census.rows[: ranks.rank]), n, m)
    shard.picks_file = picks_file
    shard.replay = agree(ranks, replay)[0]
    return shard


def _check_equal(descriptions: list[dict[str, Any]]) -> None:
    for rank, description in enumerate(descriptions):
        for key, value in description.items():
            if value != descriptions[0][key]:
                raise ValueError(
                    f"{key} must be the same on all ranks: {descriptions[0][key]!r} on rank 0, "
                    f"{value!r} on rank {rank}"
                )
