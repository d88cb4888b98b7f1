# SPDX-License-Identifier: Apache-2.0
"""Distributed selection on torch.distributed: real processes over gloo, as torchrun has them.

What the engine does with a shard is tested without processes in test_shards.py.
"""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ranks_child
from torch import distributed

import fisher_select as fs
from fisher_select import cli_ranks, strategies

pytestmark = pytest.mark.skipif(
    not (
        distributed.is_available()
        and distributed.is_gloo_available()
        and hasattr(distributed.ProcessGroup, "get_group_store")
    ),
    reason="this torch has no gloo, or is older than 2.9",
)

PATIENCE = 90.0  # seconds for processes that share a busy machine

# Ranks are forked by a process that has these already: to import them takes seconds.
RANKS = multiprocessing.get_context("forkserver")
RANKS.set_forkserver_preload(["torch.distributed", "fisher_select", "scipy.linalg"])


@pytest.fixture(scope="module", autouse=True)
def one_thread_a_rank() -> Iterator[None]:
    """For the process that forks, which must have no threads, and so for all ranks."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        yield


@contextmanager
def started(folder: Path, ranks: int, work: str, how: str = "") -> Iterator[list[BaseProcess]]:
    """Child processes at one work, none of which outlives the block."""
    children: list[BaseProcess] = [
        RANKS.Process(target=ranks_child.main, args=(folder, rank, ranks, work, how))
        for rank in range(ranks)
    ]
    for child in children:
        child.start()
    try:
        yield children
    finally:
        for child in children:
            child.kill()
            child.join()


def wait_for_end(children: list[BaseProcess]) -> None:
    """All must end well; what they have to say is on standard error."""
    end = time.monotonic() + PATIENCE
    for child in children:
        child.join(end - time.monotonic())
        assert child.exitcode == 0


def run(folder: Path, ranks: int, work: str) -> list[Any]:
    """What each rank found."""
    with started(folder, ranks, work) as children:
        wait_for_end(children)
    return [found(folder, work, rank) for rank in range(ranks)]


def found(folder: Path, work: str, rank: int) -> Any:
    return json.loads((folder / f"{work}-{rank}.json").read_text(encoding="utf-8"))


def whole() -> fs.Selection:
    """The same selection by one process."""
    X, P = ranks_child.pool()
    return fs.bait(X, P, labeled=ranks_child.labeled(), batch_size=ranks_child.BATCH)


def assert_same(picks: Any, expected: fs.Selection) -> None:
    assert expected.forward_indices is not None
    assert picks["indices"] == expected.indices.tolist()
    assert picks["forward"] == expected.forward_indices.tolist()
    np.testing.assert_allclose(picks["objective"], expected.objective, rtol=1e-9)


def test_any_number_of_ranks_picks_what_one_process_picks(tmp_path: Path) -> None:
    X, P = ranks_child.pool()
    size = ranks_child.BATCH
    k_center = fs.k_center(X, P, embedding="gradient", batch_size=size).indices.tolist()
    badge = fs.badge(X, P, seed=4, batch_size=size).indices.tolist()
    for rank, selections in enumerate(run(tmp_path, 4, "same_picks")):
        assert list(selections) == [str(ranks) for ranks in range(rank + 1, 5)]
        for picks in selections.values():
            assert_same(picks, whole())
            assert picks["k_center"] == k_center
            assert picks["badge"] == badge


def test_bad_input_is_everybodys_error_before_any_work(tmp_path: Path) -> None:
    said = run(tmp_path, 3, "bad_input")
    assert said[1] == said[0]
    assert said[2] == said[0]
    assert said[0] == [
        "ValueError: rank 1: features must be finite: row 4, column 2 is nan",
        "ValueError: rank 0: batch_size must be at most the number of unlabelled rows: got "
        "301, but only 300 of 300 rows are free (0 labelled)",
        "ValueError: batch_size must be the same on all ranks: 2 on rank 0, 3 on rank 1",
        "ValueError: rank 2: lam must be greater than 0, got -1",
        "OSError: rank 0: cannot write /nowhere/at/all.json: no such file or directory",
        "ValueError: rank 1: features must not be empty: [n, d] wanted, got [0, 6]",
    ]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("SIGKILL", "rank 3 is lost: an exchange broke off"),
        ("SIGSTOP", "rank 3 is lost: no sign of life for 6 s"),
        ("exception", "rank 3 stopped: nothing left"),
    ],
)
def test_a_lost_rank_ends_the_run_which_others_resume(
    how: str, words: str, tmp_path: Path
) -> None:
    with started(tmp_path, 4, "broken", how) as children:
        wait_for_end(children[:3])
    for rank in range(3):
        error = found(tmp_path, "broken", rank)
        assert error["type"] == "RankError"
        assert error["words"].startswith(words)
        assert error["seconds"] < 20.0  # 10 on a machine that is not busy
    expected = whole()
    assert expected.forward_indices is not None
    kept = json.loads((tmp_path / "picks.json").read_text(encoding="utf-8"))["rows"]
    assert len(kept) >= 4  # the exchange of the fifth can reach rank 3 and not yet rank 0
    assert kept == expected.forward_indices[: len(kept)].tolist()

    for picks in run(tmp_path, 2 if how == "SIGKILL" else 1, "resumed"):
        assert_same(picks, expected)
    assert not (tmp_path / "picks.json").exists()


def test_ctrl_c_reaches_a_rank_that_waits(tmp_path: Path) -> None:
    with started(tmp_path, 2, "broken", "SIGSTOP") as children:
        wait_for(tmp_path / "broken", PATIENCE)
        time.sleep(0.5)  # rank 0 waits by now
        assert children[0].pid is not None
        os.kill(children[0].pid, signal.SIGINT)
        wait_for(tmp_path / "broken-0.json", 3.0)
    assert found(tmp_path, "broken", 0)["type"] == "KeyboardInterrupt"


def wait_for(path: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"no {path.name}"
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["bait", "max_det", "k_center", "badge"])
def test_defaults_are_those_of_one_process(name: str) -> None:
    own = inspect.signature(getattr(fs.distributed, name)).parameters
    whole = inspect.signature(getattr(fs, name)).parameters
    shared = own.keys() & whole.keys()
    assert {key: own[key].default for key in shared} == {
        key: whole[key].default for key in shared
    }
    assert own.keys() - shared == {"group", "timeout", "state"}


def test_without_a_process_group() -> None:
    with pytest.raises(ValueError, match=r"^group must be a process group, or torch"):
        fs.distributed.bait(np.ones((3, 2)), likelihood="gaussian", batch_size=1)


def test_an_older_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(distributed.ProcessGroup, "get_group_store")
    with pytest.raises(ImportError, match=r"^a selection on several ranks needs torch 2\.9"):
        fs.distributed.bait(np.ones((3, 2)), likelihood="gaussian", batch_size=1)


@pytest.mark.parametrize("method", ["k_center", "badge", "max_det"])
def test_the_command_line_has_every_method(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one rank, in this process."""
    X, P = ranks_child.pool()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 1}
    for name, value in meeting.items():
        monkeypatch.setenv(name, str(value))
    call = {"features": X, "probabilities": P}
    known = ranks_child.labeled()
    strategy = strategies.get(method)
    picks = cli_ranks.select(method, strategy, call, known, ranks_child.BATCH, None)
    expected = strategy.select(batch_size=ranks_child.BATCH, labeled=known, **call)
    np.testing.assert_array_equal(picks.indices, expected.indices)


def test_the_command_line_under_torchrun(tmp_path: Path) -> None:
    X, P = ranks_child.pool()
    for name, array in (("X", X), ("P", P), ("labeled", ranks_child.labeled())):
        np.save(tmp_path / f"{name}.npy", array)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    main = "import sys; from fisher_select.cli import main; sys.exit(main())"
    words = ["select", "X.npy", "--probs", "P.npy", "--labeled", "labeled.npy"]
    words += ["--batch", str(ranks_child.BATCH), "--out", "picks.csv", "--state", "state.json"]
    done = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", "--no-python", sys.executable, "-c", main, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "picks.csv").read_text(encoding="utf-8").split()[1:]
    assert [int(row.split(",")[1]) for row in rows] == whole().indices.tolist()
    assert not (tmp_path / "state.json").exists()
