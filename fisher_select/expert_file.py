# SPDX-License-Identifier: Apache-2.0
"""An expert for a whole experiment: one file of the rows that its runs wait for.

Runs of several strategies and seeds ask for many rows in common, so they share what was bought:
``labels.csv`` in the experiment's folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets import Dataset
from fisher_select.labels import LabelFormat
from fisher_select.options import one_of
from fisher_select.oracles import LabelsNeeded

__all__ = ["FROM_DATASET", "KINDS", "ExpertFile", "OracleTable"]

KINDS = ("dataset", "file")


@dataclass(frozen=True)
class OracleTable:
    """Table ``[oracle]``: who labels the picked rows.

    Attributes
    ----------
    kind : {"dataset", "file"}
        The labels that the data set has; or an expert, who fills ``to_label.csv``, and then the
        data set's labels of the pool are not read.
    """

    kind: str = "dataset"

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)

    def expert(self, folder: Path, data: Dataset) -> ExpertFile | None:
        """The expert for runs in a folder; None where the data set labels."""
        if self.kind == "dataset":
            return None
        return ExpertFile(folder, len(data.pool_inputs), LabelFormat(data.task, data.classes))


FROM_DATASET = OracleTable()


class ExpertFile:
    """An oracle that knows what an expert has answered so far, and gathers what is missing.

    Parameters
    ----------
    folder
        Of the experiment: ``to_label.csv`` is there while the expert is waited for, and
        ``labels.csv`` holds all answers.
    n
        Rows of the pool.
    labels
        What a label may be.
    """

    def __init__(self, folder: Path, n: int, labels: LabelFormat) -> None:
        self.path = folder / "to_label.csv"
        self._answers = folder / "labels.csv"
        self._n = n
        self._labels = labels
        self._known: dict[int, Any] = {}
        self._wanted: set[int] = set()

    def collect(self) -> None:
        """Take the expert's answers; a row taken out of the file will be asked for again.

        Raises
        ------
        LabelsNeeded
            Rows of the file have no label yet.
        ValueError
            A file that is not as it was written, or a label that the task has not.
        """
        if self._answers.exists():
            self._known, _ = self._labels.read(self._answers)
        if not self.path.exists():
            return
        found, missing = self._labels.read(self.path)
        strange = [row for row in (*found, *missing) if not 0 <= row < self._n]
        if strange:
            raise ValueError(
                f"{self.path}: index must be a row of the pool, 0 to {self._n - 1}, got "
                f"{strange[0]}"
            )
        if missing:
            raise LabelsNeeded(self.path, missing, len(missing) + len(found))
        self._known |= found
        self._labels.write(self._answers, self._known)
        self.path.unlink()

    def __call__(self, rows: NDArray[np.int64]) -> Any:
        """The labels of `rows`; LabelsNeeded, where some are missing, after noting which."""
        missing = [row for row in rows.tolist() if row not in self._known]
        if missing:
            self._wanted.update(missing)
            raise LabelsNeeded(self.path, missing, len(rows))
        return np.array([self._known[row] for row in rows.tolist()])

    def ask(self) -> None:
        """Write all rows that were asked for in vain; LabelsNeeded where there are any."""
        if self._wanted:
            rows = sorted(self._wanted)
            self._labels.write(self.path, dict.fromkeys(rows))
            raise LabelsNeeded(self.path, rows, len(rows))
