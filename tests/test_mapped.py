# SPDX-License-Identifier: Apache-2.0
"""Pools in mapped files: the same picks, and no more of the file in memory than a window."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import fisher_select as fs
from fisher_select import mapped

# One selection each; X is a pool [n, 256], P its outputs [n, 8].
_SELECTIONS = {
    "bait": "fs.bait(X, likelihood='gaussian', oversample=1, **options)",
    "k_center": "fs.k_center(X, labeled=np.arange(0, len(X), 997), **options)",
    "gradient": "fs.k_center(X, P, embedding='gradient', **options)",
    "badge": "fs.badge(X, P, **options)",
    "max_det": "fs.max_det(X, P, labeled=[5, 900], **options)",
    "information_gain": "fs.information_gain("
    "X, P, eval_features=np.array(X[:64]), weight=W, kind='eig', **options)",
}

# Sweeps a file of 256 MB and prints the most pages of files it held meanwhile, in MB.
_SWEEP = """
import json, sys
import numpy as np
from peak_memory import PeakMemory
import fisher_select as fs

X, P = (np.load(path, mmap_mode=sys.argv[1]) for path in sys.argv[2:4])
W = np.random.default_rng(0).standard_normal((X.shape[1], P.shape[1]))
options = {"batch_size": 8, "backend": "cpu", "threads": 2}
with PeakMemory("File") as peak:
    picks = SELECTION
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


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Features of 256 MB, and outputs of 8 MB."""
    folder = tmp_path_factory.mktemp("mapped")
    n, d, classes = 262_144, 256, 8
    draw = np.random.default_rng(0)
    paths = folder / "X.npy", folder / "P.npy"
    X = np.lib.format.open_memmap(paths[0], mode="w+", dtype=np.float32, shape=(n, d))
    for begin in range(0, n, 1 << 14):
        X[begin : begin + (1 << 14)] = draw.standard_normal((1 << 14, d), dtype=np.float32)
    X.flush()
    del X
    np.save(paths[1], draw.dirichlet(np.ones(classes), n))
    yield paths
    for path in paths:
        path.unlink()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("selection", _SELECTIONS)
def test_a_window_of_the_file_is_held(pool: tuple[Path, Path], selection: str) -> None:
    answers = {}
    for mode in ("r", "c"):
        run = subprocess.run(
            [sys.executable, "-c", _SWEEP.replace("SELECTION", _SELECTIONS[selection]), mode]
            + [str(path) for path in pool],
            capture_output=True,
            text=True,
            check=True,
        )
        answers[mode] = json.loads(run.stdout)
    assert answers["r"]["picks"] == answers["c"]["picks"]
    assert answers["r"]["mb"] < 100
    assert answers["c"]["mb"] > 200  # what it would be without letting go
