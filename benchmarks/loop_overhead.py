# SPDX-License-Identifier: Apache-2.0
"""What the loop costs beyond training, forward passes and selection: files, labels, checks.

    python -m benchmarks.loop_overhead [CONFIG.toml]

Runs each strategy of an experiment once, with its first seed and a
run directory, and prints the parts of the wall time; what was written must read back. The rest
is all that no part of a round's own timing covers; the figure to reach is 2 %.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from benchmarks.pairing import AnswerError
from fisher_select import datasets, experiment
from fisher_select.experiment import Candidate, Experiment
from fisher_select.loop import ActiveLearner, RoundRecord

Rounds: TypeAlias = tuple[RoundRecord, ...]

DEFAULT = Path(__file__).resolve().parents[1] / "examples" / "digits.toml"
LIMIT = 0.02


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the parts of each strategy's wall time, in seconds and in percent."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop_overhead")
    parser.add_argument("config", type=Path, nargs="?", default=DEFAULT)
    plan = experiment.load(parser.parse_args(arguments).config)
    print(f"{'strategy':20s} {'wall':>8s} {'training':>9s} {'forward':>9s} {'select':>9s} rest")
    whole = spent = 0.0
    for candidate in plan.strategies:
        with tempfile.TemporaryDirectory() as folder:
            records, wall = timed(plan, candidate, Path(folder) / "run")
            # A second run in the same place reads what the first one wrote.
            again, _ = timed(plan, candidate, Path(folder) / "run")
        if [r.as_dict() for r in records] != [r.as_dict() for r in again]:
            raise AnswerError(f"{candidate.label}: the records do not read back")
        parts = [
            sum(getattr(record.timing, name) for record in records)
            for name in ("train_seconds", "evaluate_seconds", "select_seconds")
        ]
        whole, spent = whole + wall, spent + sum(parts)
        shares = " ".join(f"{100 * part / wall:7.1f} %" for part in parts)
        print(f"{candidate.label:20s} {wall:6.2f} s {shares} {_rest(sum(parts), wall)}")
    print(f"{'all':20s} {whole:6.2f} s {'':29s} {_rest(spent, whole)}")


def _rest(spent: float, wall: float) -> str:
    share = 1 - spent / wall
    return f"{100 * share:.2f} % ({'reached' if share <= LIMIT else 'missed'})"


def timed(plan: Experiment, candidate: Candidate, folder: Path) -> tuple[Rounds, float]:
    """The rounds of one run, and the wall time from the first line of the loop to the last."""
    factory, data = plan.model.prepared(datasets.load(plan.dataset))
    learner = ActiveLearner(
        factory,
        data,
        strategy=candidate.strategy,
        **asdict(plan.loop),
        trainer=plan.training,
        seed=plan.seeds[0],
        run_dir=folder,
    )
    start = time.perf_counter()
    records = tuple(learner)
    return records, time.perf_counter() - start


if __name__ == "__main__":
    main()
