# SPDX-License-Identifier: Apache-2.0
"""Rounds as scalars for TensorBoard, which draws them while a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fisher_select.extras import require
from fisher_select.records import RoundRecord

__all__ = ["Scalars"]

_FOLDER = "tensorboard"


class Scalars:
    """Writes the metrics and wall times of rounds to ``<run_dir>/tensorboard``.

    The step is the number of labels, so that runs with different batches lie on one axis. A
    resumed run adds a file to the folder; TensorBoard draws a round once, also where a killed
    run had written it already.

    Parameters
    ----------
    folder : Path
        For the event files; made with the first round.

    Raises
    ------
    MissingExtraError
        torch or tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require("torch", "tensorboard", extra="tensorboard")
        self.folder = folder

    @classmethod
    def into(cls, run_dir: Path | None) -> Scalars:
        """Those of a run; ValueError where it has no directory."""
        if run_dir is None:
            raise ValueError("run_dir must be given with tensorboard=True")
        return cls(run_dir / _FOLDER)

    @contextmanager
    def opened(self) -> Iterator[Callable[[RoundRecord], None]]:
        """Hold a file open for rounds, which go down to the disk one by one."""
        from torch.utils.tensorboard import SummaryWriter

        writer: Any = None

        def add(record: RoundRecord) -> None:
            nonlocal writer
            if writer is None:
                # What a killed run left from this step on is dropped by the reader.
                writer = SummaryWriter(str(self.folder), purge_step=record.labeled)
            for name, value in record.metrics.items():
                writer.add_scalar(f"test/{name}", value, record.labeled)
            for name, value in record.timing.as_dict().items():
                writer.add_scalar(f"seconds/{name}", value, record.labeled)
            writer.flush()

        try:
            yield add
        finally:
            if writer is not None:
                writer.close()
