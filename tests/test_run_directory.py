# SPDX-License-Identifier: Apache-2.0
"""Run directories: killed anywhere and started again, a run ends in the same files."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from toys import Centroids

from fisher_select import files, random_state
from fisher_select.loop import ActiveLearner
from fisher_select.strategies import Bait

CHILD = Path(__file__).resolve().parent / "loop_child.py"

# Equal to the last byte between equal runs; timings.jsonl and run.lock are not.
EXACT = ("config.json", "labels.csv", "picks.csv", "records.jsonl")


def learner(folder: Path, **changes: Any) -> ActiveLearner:
    return toys.learner(run_dir=folder, **changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in EXACT}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------------- killed
class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_kill_at_any_write_leaves_a_run_that_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write of the run is the last one once: just before its rename, and just after."""
    whole = tmp_path / "whole"
    expected = list(learner(whole))
    replace, left = Path.replace, 0

    def counted(source: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        moved = replace(source, target)
        left -= 1
        if left == 0:
            raise Killed
        return moved

    kills = 0
    for stop in range(1, 1000):
        folder = tmp_path / f"killed{stop}"
        made = learner(folder)
        left = stop
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", counted)
            try:
                for _ in made:
                    pass
            except Killed:
                kills += 1
            else:
                break
        (folder / ".records-0123abcd.jsonl").write_text("half")  # a kill cannot clean up
        records = list(learner(folder))
        assert contents(folder) == contents(whole), stop
        assert names(folder) == names(whole), stop
        assert [r.metrics for r in records] == [r.metrics for r in expected]
    assert kills > 40


def child(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """A run that has begun."""
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    assert process.returncode == 0, errors


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_records_are_the_same(tmp_path: Path, kills: int) -> None:
    start = time.monotonic()
    finish(child(tmp_path / "whole", 0.0))
    seconds = time.monotonic() - start
    draws, killed = random.Random(kills), 0
    while killed < kills:
        folder = tmp_path / f"killed{killed}"
        # One folder is killed again and again until its run is finished, then the next.
        process = child(folder, 0.005)
        time.sleep(draws.uniform(0, 0.5 * seconds))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            killed += 1
            continue
        assert contents(folder) == contents(tmp_path / "whole")
    for folder in tmp_path.glob("killed*"):
        finish(child(folder, 0.0))
        assert contents(folder) == contents(tmp_path / "whole"), folder.name
        assert names(folder) == names(tmp_path / "whole")


def test_ctrl_c_within_a_second_leaves_a_run_to_go_on_with(tmp_path: Path) -> None:
    finish(child(tmp_path / "whole", 0.0))
    process = child(tmp_path / "run", 0.05)
    time.sleep(0.3)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert time.monotonic() - sent < 1.0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    finish(child(tmp_path / "run", 0.0))
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


# ---------------------------------------------------------------------------- resumed
def test_a_finished_run_is_read_not_repeated(tmp_path: Path) -> None:
    first = list(learner(tmp_path))
    trainer = Centroids()
    again = list(learner(tmp_path, trainer=trainer))
    assert trainer.seen == []
    for one, other in zip(first, again, strict=True):
        assert one.as_dict() == other.as_dict()
        if one.selection is not None and other.selection is not None:
            np.testing.assert_array_equal(one.selection.indices, other.selection.indices)
            np.testing.assert_array_equal(one.selection.scores, other.selection.scores)
            assert one.selection.backend == other.selection.backend


def test_an_abandoned_iteration_goes_on(tmp_path: Path) -> None:
    rounds = iter(learner(tmp_path / "a"))
    next(rounds)
    rounds.close()
    trainer = Centroids()
    assert len(list(learner(tmp_path / "a", trainer=trainer))) == 4
    assert [len(labels) for _, labels, _ in trainer.seen] == [9, 13, 17]
    list(learner(tmp_path / "b"))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_random_generators_go_on_where_they_were() -> None:
    torch = pytest.importorskip("torch")

    def draws() -> list[float]:
        return [
            random.random(), random.gauss(0, 1), np.random.rand(),  # noqa: NPY002
            np.random.standard_normal(), torch.rand(()).item(),  # noqa: NPY002
        ]  # fmt: skip

    random.gauss(0, 1)  # leaves a second one behind, as NumPy's does
    with torch.random.fork_rng(devices=[]):
        before = random_state.capture()
        first = draws()
        assert draws() != first
        random_state.restore(before)
        assert draws() == first


# ---------------------------------------------------------------------------- refused
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, r"initial is \[.*\] there and \[.*\] now; seed is 0 there and 1 now"),
        ({"batch_size": 5}, "batch_size is 4 there and 5 now"),
        ({"rounds": 2}, "rounds is 3 there and 2 now"),
        ({"strategy": Bait(backend="reference", lam=2.0)}, "strategy.lam is 1.0 there and 2.0"),
        (
            {"strategy": "random"},
            "strategy.name is 'bait' there and 'random' now; strategy",
        ),
        ({"metrics": ["nll"]}, r"metrics is \['accuracy', .* there and \['nll'\] now"),
        ({"oracle": np.zeros(40, int)}, "oracle is '.*' there and '.*' now"),
    ],
)
def test_another_configuration_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    list(learner(tmp_path))
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"holds a run of another configuration: .*{message}"):
        learner(tmp_path, **changes)
    assert contents(tmp_path) == before


def test_options_that_change_no_pick_are_no_other_configuration(tmp_path: Path) -> None:
    list(learner(tmp_path))
    assert len(list(learner(tmp_path, strategy=Bait(backend="reference", threads=1)))) == 4


def damage(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage("config.json", "{"), "config.json: not a configuration; delete the folder"),
        (damage("records.jsonl", "{}\n"), "not those of a run .*; delete the folder"),
        (damage("timings.jsonl", ""), "not those of a run .*; delete the folder"),
        (damage("labels.csv", "index\n"), "labels.csv: expected a CSV with the columns index"),
        (lambda folder: (folder / "config.json").unlink(), "holds records but no config.json"),
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    list(learner(tmp_path))
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        list(learner(tmp_path))


def test_two_processes_in_one_directory_are_refused(tmp_path: Path) -> None:
    process = child(tmp_path / "run", 0.2)
    try:
        while not (tmp_path / "run" / "records.jsonl").exists():
            time.sleep(0.01)
        second = subprocess.run(
            [sys.executable, str(CHILD), str(tmp_path / "run"), "0"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"is in use by process {process.pid}" in second.stderr.splitlines()[-1]
    finally:
        process.kill()
        process.communicate()


def test_two_loops_of_one_process_are_refused(tmp_path: Path) -> None:
    rounds: Iterator[Any] = iter(learner(tmp_path))
    next(rounds)
    with pytest.raises(OSError, match=f"is in use by process {os.getpid()}"):
        next(iter(learner(tmp_path)))
    assert len(list(rounds)) == 3


def test_trainers_that_cannot_save_need_no_directory(tmp_path: Path) -> None:
    class Bare:
        def __init__(self) -> None:
            self.train, self.outputs = Centroids().train, Centroids().outputs

    with pytest.raises(TypeError, match="trainer must have the methods 'save', 'load' and 'de"):
        learner(tmp_path, trainer=Bare())
    files.make_folder(tmp_path)
    assert names(tmp_path) == []
