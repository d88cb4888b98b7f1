# SPDX-License-Identifier: Apache-2.0
"""Pools in files: the arrays they hold, mapped, and what is wrong with files that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fisher_select as fs
from fisher_select import mapped

X = np.random.default_rng(0).standard_normal((1000, 6)).astype(np.float32)


def write(path: Path, array: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = {f"f{k}": array[:, k] for k in range(array.shape[1])}
        parquet.write_table(pa.table(columns), path, row_group_size=300)
    else:
        zarr = pytest.importorskip("zarr")
        chunks = (300, 4)[: array.ndim]
        stored = zarr.create_array(path, shape=array.shape, chunks=chunks, dtype=array.dtype)
        stored[:] = array
    return path


@pytest.fixture(params=[".npy", ".parquet", ".zarr"])
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / f"pool{request.param}", X)


def test_a_pool_is_mapped_whatever_its_file(pool: Path, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    found = fs.open_pool(pool, folder=spool)
    assert found.dtype == np.float32
    assert mapped.file_of(found) is not None
    assert list(spool.iterdir()) == []  # nothing is left behind, even by a killed process
    np.testing.assert_array_equal(found, X)


def test_picks_from_a_file_are_those_from_memory(pool: Path) -> None:
    P = np.random.default_rng(1).dirichlet(np.ones(3), len(X))
    found = fs.bait(fs.open_pool(str(pool)), P, batch_size=6, backend="cpu")
    expected = fs.bait(X, P, batch_size=6, backend="cpu")
    np.testing.assert_array_equal(found.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_lists_of_numbers_are_rows(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    lists = pa.array(X.tolist(), type=pa.list_(pa.float32()))
    parquet.write_table(pa.table({"x": lists}), tmp_path / "x.parquet", row_group_size=70)
    np.testing.assert_array_equal(fs.open_pool(tmp_path / "x.parquet"), X)


def test_lists_that_change_their_length_between_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("fisher_select.parquet._MOST_ROWS", 2)
    lists = [[1.0, 2.0]] * 4 + [[1.0, 2.0, 3.0]] * 4
    parquet.write_table(pa.table({"x": lists}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="column 'x' holds lists of different lengths"):
        fs.open_pool(tmp_path / "x.parquet")


def damaged_chunk(path: Path) -> None:
    for chunk in sorted(path.rglob("*")):
        if chunk.is_file() and chunk.parent.name == "2":
            chunk.write_bytes(b"\0" + chunk.read_bytes()[5:])


@pytest.mark.parametrize(
    ("name", "make", "error", "message"),
    [
        ("x.txt", lambda p: p.write_text("1"), ValueError, r"expected a \.npy, \.npz, \.parq"),
        ("x.parquet", lambda _: None, OSError, "cannot read .*no such file"),
        ("x.parquet", lambda p: p.write_bytes(b"PAR1"), ValueError, "not a complete .parquet"),
        ("x.parquet", lambda p: write(p, X[:0]), ValueError, "the pool has no rows"),
        ("x.zarr", lambda _: None, OSError, "cannot read .*no such folder"),
        ("x.zarr", lambda p: p.mkdir(), ValueError, "not a zarr array"),
        ("x.zarr", lambda p: write(p, X[0]), ValueError, r"expected numbers \[n, d\]"),
        ("x.zarr", lambda p: write(p, X[:0]), ValueError, "the pool has no rows"),
        ("x.zarr", lambda p: damaged_chunk(write(p, X)), ValueError, "are damaged"),
    ],
)
def test_what_is_no_pool(
    tmp_path: Path, name: str, make: Any, error: type[Exception], message: str
) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("zarr")
    make(tmp_path / name)
    with pytest.raises(error, match=message):
        fs.open_pool(tmp_path / name, folder=tmp_path)
    assert not list(tmp_path.glob("fisher-select-*"))
