# SPDX-License-Identifier: Apache-2.0
"""Files cut short or altered: one line that names the file, or data that is what it was.

Nothing else may come out of a reader, whatever a disk or a download did to a file.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import dataset_files as make
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fisher_select import datasets
from fisher_select.datasets import Dataset


def idx(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    make.write_idx(folder)
    return folder / "train-images-idx3-ubyte", lambda: datasets.idx(folder)


def packed_idx(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    make.write_idx(folder, packed=True)
    return folder / "train-images-idx3-ubyte.gz", lambda: datasets.idx(folder)


def cifar(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    make.write_cifar10(folder)
    return folder / "batches.meta", lambda: datasets.cifar(folder)


def cifar_batch(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    make.write_cifar10(folder)
    return folder / "test_batch", lambda: datasets.cifar(folder)


def medmnist(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    path = make.write_npz(folder / "x.npz", make.medmnist_arrays((2, 2)))
    return path, lambda: datasets.medmnist(path)


def packed_jpeg(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    pytest.importorskip("PIL")
    path = make.write_npz(folder / "x.npz", make.packed_arrays())
    return path, lambda: datasets.packed_jpeg(path)


def png(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    pytest.importorskip("PIL")
    make.write_image_folder(folder)
    return folder / "c" / "00.png", lambda: datasets.image_folder(folder)


def jpeg(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    pytest.importorskip("PIL")
    make.write_image_folder(folder, "JPEG")
    return folder / "c" / "00.jpeg", lambda: datasets.image_folder(folder)


def npy(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    np.save(folder / "x.npy", make.images(shape=(3,)) / 4.0)
    np.save(folder / "y.npy", make.labels())
    return folder / "x.npy", lambda: datasets.npy(folder / "x.npy", folder / "y.npy")


def ts(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    path = folder / "x.ts"
    path.write_text(make.ts_text())
    return path, lambda: datasets.time_series(path)


def csv(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    pytest.importorskip("pyarrow")
    path = folder / "x.csv"
    path.write_text("a,b,c\n" + "".join(f'{row},"{row % 3}",{row / 8}\n' for row in range(12)))
    return path, lambda: datasets.table(path, "b")


def packed_csv(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    plain, _ = csv(folder)
    path = folder / "x.csv.gz"
    path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    return path, lambda: datasets.table(path, "b")


def arff(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    path = folder / "x.arff"
    path.write_text(make.ARFF)
    options = {"missing": "mean", "categorical": "one_hot"}
    return path, lambda: datasets.table(path, "class", **options)


def parquet(folder: Path) -> tuple[Path, Callable[[], Dataset]]:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = folder / "x.parquet"
    table = pa.table({"a": np.arange(12) / 8, "b": [f"c{row % 3}" for row in range(12)]})
    pyarrow.parquet.write_table(table, path, write_page_checksum=True)
    return path, lambda: datasets.table(path, "b")


FORMATS = [
    idx, packed_idx, cifar, cifar_batch, medmnist, packed_jpeg, png, jpeg, npy, ts, csv,
    packed_csv, arff, parquet,
]  # fmt: skip
CHECKED = {packed_idx, medmnist, packed_jpeg, packed_csv}  # formats that hold checksums of all
TEXT = {ts, csv, arff}  # formats that may end after any line


@pytest.fixture(params=FORMATS, ids=lambda f: f.__name__)
def case(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[Callable[..., object], Path, Callable[[], Dataset]]:
    folder = tmp_path / "small"
    folder.mkdir()
    return request.param, *request.param(folder)


def read(path: Path, reader: Callable[[], Dataset]) -> Dataset | None:
    """What is read, or None when it was refused in the way it should be."""
    try:
        return reader()
    except ValueError as error:
        message = str(error)
        assert str(path) in message or str(path.parent) in message
        assert "\n" not in message
        return None


def same(one: Dataset, other: Dataset) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("pool_inputs", "pool_labels", "test_inputs", "test_labels")
    )


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_file_cut_short(case, data) -> None:
    kind, path, reader = case
    whole = path.read_bytes()
    try:
        expected = reader()
        length = data.draw(st.integers(0, len(whole) - 1))
        path.write_bytes(whole[:length])
        found = read(path, reader)
        if kind not in TEXT and found is not None:
            # All that may be missing is what comes behind the data, such as a PNG's last chunk.
            assert same(found, expected), f"{length} of {len(whole)} bytes"
    finally:
        path.write_bytes(whole)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore:Reading `.npy`")  # a header as Python 2 would write it
def test_an_altered_byte(case, data) -> None:
    kind, path, reader = case
    whole = path.read_bytes()
    try:
        expected = reader()
        # Half of the changes go to the ends, where headers and directories are.
        where = st.integers(0, len(whole) - 1) | st.integers(0, 63) | st.integers(-64, -1)
        altered = bytearray(whole)
        altered[data.draw(where) % len(whole)] ^= data.draw(st.integers(1, 255))
        path.write_bytes(altered)
        found = read(path, reader)
        if kind in CHECKED and found is not None:
            assert same(found, expected)
    finally:
        path.write_bytes(whole)
