# SPDX-License-Identifier: Apache-2.0
"""Pools in mapped files: the same picks, and no more of the file in memory than a window."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fisher_select as fs
from fisher_select import mapped

# Sweeps a file of 256 MB and prints the most pages of files it held meanwhile, in MB.
_SWEEP = """
import json, sys
import numpy as np
from peak_memory import PeakMemory
import fisher_select as fs

X = np.load(sys.argv[1], mmap_mode=sys.argv[2])
options = {"batch_size": 2, "oversample": 1, "backend": "cpu", "threads": 1}
with PeakMemory("File") as peak:
    picks = fs.bait(X, likelihood="gaussian", **options)
print(json.dumps({"mb": peak.mb, "picks": picks.indices.tolist()}))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "X.npy"
    np.save(path, np.random.default_rng(0).standard_normal((300, 7), dtype=np.float32))
    return path


def test_which_arrays_lie_in_a_read_only_map(file: Path) -> None:
    X = np.load(file, mmap_mode="r")
    assert mapped.file_of(X) is not None
    assert mapped.file_of(np.asarray(X)[3:9]) is not None
    assert mapped.file_of(X.T) is None  # rows are not ranges of pages
    assert mapped.file_of(X[:, :3]) is None
    assert mapped.file_of(np.load(file)) is None
    for mode in ("r+", "c"):  # pages may hold what the file does not
        assert mapped.file_of(np.load(file, mmap_mode=mode)) is None
        assert mapped.file_of(np.load(file, mmap_mode=mode).view(np.ndarray)) is None


def test_what_was_let_go_is_read_again(file: Path) -> None:
    X, expected = np.load(file, mmap_mode="r"), np.load(file)
    owner = mapped.file_of(X)
    assert owner is not None
    mapped.let_go(owner, X[11:200])
    np.testing.assert_array_equal(X, expected)


@pytest.mark.parametrize("chunk_rows", [None, 16])
def test_picks_of_a_mapped_pool(file: Path, chunk_rows: int | None) -> None:
    labeled = [3, 250]
    P = np.random.default_rng(1).dirichlet(np.ones(4), 300)
    for X in (np.load(file, mmap_mode="r"), np.load(file, mmap_mode="r")[20:]):
        rows = slice(300 - len(X), None)
        found = fs.bait(
            X,
            P[rows],
            labeled=labeled[:1],
            batch_size=5,
            backend="cpu",
            chunk_rows=chunk_rows,
        )
        expected = fs.bait(
            np.array(X), P[rows], labeled=labeled[:1], batch_size=5, backend="cpu"
        )
        np.testing.assert_array_equal(found.forward_indices, expected.forward_indices)
        np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_sweep_holds_a_window_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "X.npy"
    n, d = 262_144, 256
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, d))
    draw = np.random.default_rng(0)
    for begin in range(0, n, 1 << 14):
        X[begin : begin + (1 << 14)] = draw.standard_normal((1 << 14, d), dtype=np.float32)
    X.flush()
    del X
    answers = {}
    for mode in ("r", "c"):
        run = subprocess.run(
            [sys.executable, "-c", _SWEEP, str(path), mode],
            capture_output=True,
            text=True,
            check=True,
        )
        answers[mode] = json.loads(run.stdout)
    path.unlink()
    assert answers["r"]["picks"] == answers["c"]["picks"]
    assert answers["r"]["mb"] < 64
    assert answers["c"]["mb"] > 200  # what it would be without letting go
