# SPDX-License-Identifier: Apache-2.0
"""A run directory: everything a killed run needs to go on as if nothing had happened.

======================  ====================================================================
config.json             What decides the records; another configuration is refused.
records.jsonl           One line a finished round, with its picks. Its replacement commits a
                        round: what else was written for a round that is not in it, is
                        written again.
labels.csv              Every label bought.
timings.jsonl           Wall times, a line a round: what differs between equal runs.
picks.csv               The picks again, as a table.
model-<k>.ckpt          The model of the last finished round.
random-<k>.npz          The random generators' states after it.
run.lock                Locked by the process that works here; the lock dies with it.
======================  ====================================================================

Each file is replaced by renaming, so that it is whole at any moment.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fisher_select import files, random_state
from fisher_select.labels import LabelFormat
from fisher_select.records import RoundRecord, from_lines, to_line

__all__ = ["RunDirectory", "read_records"]

_LONGEST = 60  # characters of a value in a message
_TEMPORARY = re.compile(r"\..+-[0-9a-f]{8}(\.\w+)?")  # see files.replacing
_STATE = re.compile(r"(?:model|random)-(\d+)\.\w+")


class RunDirectory:
    """The files of one run.

    Parameters
    ----------
    path : Path
        Made where it is not there.
    config : mapping
        All that decides the records, as values that JSON has.
    labels : LabelFormat

    Raises
    ------
    ValueError
        The directory holds another run; the message names what differs.
    OSError
        It cannot be written.
    """

    def __init__(self, path: Path, config: Mapping[str, Any], labels: LabelFormat) -> None:
        self.path = path
        self._labels = labels
        self._config: dict[str, Any] = json.loads(json.dumps(config, allow_nan=False))
        files.make_folder(path)
        self._check_config()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Work here alone.

        Raises
        ------
        OSError
            Another process, or another loop of this one, is at work here.
        """
        import fcntl  # not on Windows, where the rest of the package works

        with (self.path / "run.lock").open("a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stream.seek(0)
                owner = stream.read().strip() or "unknown"
                raise OSError(
                    f"run directory {self.path} is in use by process {owner}"
                ) from None
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            self._check_config()
            if not (self.path / "config.json").exists():
                files.write_json(self.path / "config.json", self._config)
            yield

    def load(self) -> tuple[list[RoundRecord], dict[int, Any]]:
        """Finished rounds and labels by row; what a killed process left half-done is removed.

        Raises
        ------
        ValueError
            A file is damaged, or one is missing.
        """
        records = read_records(self.path)
        labels: dict[int, Any] = {}
        if (self.path / "labels.csv").exists():
            labels, _ = self._labels.read(self.path / "labels.csv")
        self._remove_leftovers(len(records) - 1)
        return records, labels

    def write_labels(self, labels: Mapping[int, Any]) -> None:
        """Write down all labels bought so far, by row."""
        self._labels.write(self.path / "labels.csv", labels)

    def commit(
        self, records: Sequence[RoundRecord], save_model: Callable[[Path], object]
    ) -> None:
        """Write the last of `records` down; it is finished when this returns."""
        last = records[-1].round
        with files.replacing(self.model_path(last)) as temporary:
            save_model(temporary)
        with files.replacing(self._random_path(last)) as temporary:
            state: dict[str, Any] = random_state.capture()
            np.savez(temporary, **state)
        timings = [json.dumps(record.timing.as_dict()) + "\n" for record in records]
        files.write_text(self.path / "timings.jsonl", "".join(timings))
        picks = [
            (record.round, rank, index, score)
            for record in records
            if record.selection is not None
            for rank, index, score in files.pick_rows(record.selection)
        ]
        header = ("round", *files.PICK_COLUMNS)
        files.write_text(self.path / "picks.csv", files.format_csv(header, picks))
        files.write_text(self.path / "records.jsonl", "".join(map(to_line, records)))
        self._remove_leftovers(last)

    def model_path(self, number: int) -> Path:
        """Where the model of a round is."""
        return self.path / f"model-{number}.ckpt"

    def restore_random_state(self, number: int) -> None:
        """Put the random generators back to where they were at the end of a round."""
        with np.load(self._random_path(number), allow_pickle=False) as state:
            random_state.restore(dict(state))

    def _random_path(self, number: int) -> Path:
        return self.path / f"random-{number}.npz"

    def _check_config(self) -> None:
        path = self.path / "config.json"
        if not path.exists():
            if (self.path / "records.jsonl").exists():
                raise ValueError(
                    f"{self.path} holds records but no config.json to continue by; delete it "
                    "or choose another folder"
                )
            return
        try:
            known = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise ValueError(f"{path}: not a configuration; delete the folder") from None
        there, here = _flat(known), _flat(self._config)
        differing = [
            f"{key} is {_shown(there, key)} there and {_shown(here, key)} now"
            for key in dict.fromkeys([*there, *here])
            if _shown(there, key, whole=True) != _shown(here, key, whole=True)
        ]
        if differing:
            raise ValueError(
                f"{self.path} holds a run of another configuration: {'; '.join(differing)}; "
                "delete it or choose another folder"
            )

    def _remove_leftovers(self, last: int) -> None:
        """Files of a write that was killed, and the states of other rounds than the last."""
        for path in self.path.iterdir():
            state = _STATE.fullmatch(path.name)
            if _TEMPORARY.fullmatch(path.name) or (state and int(state[1]) != last):
                path.unlink()


def read_records(folder: Path) -> list[RoundRecord]:
    """Finished rounds of a run directory, which is left as it is; none when there are none.

    Raises
    ------
    ValueError
        A file is damaged, or one is missing.
    OSError
        A file cannot be read.
    """
    try:
        lines = _lines(folder / "records.jsonl")
        timings = _lines(folder / "timings.jsonl")[: len(lines)]
        records = [from_lines(*pair) for pair in zip(lines, timings, strict=True)]
        if [record.round for record in records] != list(range(len(records))):
            raise ValueError("rounds out of order")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder}: records.jsonl and timings.jsonl are not those of a run "
            f"({error}); delete the folder"
        ) from None
    return records


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _shown(flat: Mapping[str, Any], key: str, *, whole: bool = False) -> str:
    """One value for a message; long ones, such as a network, by their beginning."""
    text = repr(flat[key]) if key in flat else "not set"
    return text if whole or len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with keys like ``trainer.epochs``."""
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
