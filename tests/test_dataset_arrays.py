# SPDX-License-Identifier: Apache-2.0
"""Time series and arrays: what readers make of small files, and of wrong ones."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import dataset_files as make
import numpy as np
import pytest

from fisher_select import datasets

IMAGES, LABELS = make.images(), make.labels()


def refused(message: str) -> Any:
    return pytest.raises(ValueError, match=message)


# ----------------------------------------------------------------------------- time series
@pytest.mark.parametrize("channels", [1, 2])
def test_ts(channels: int, tmp_path: Path) -> None:
    path = tmp_path / "small_TRAIN.ts"
    path.write_text(make.ts_text(channels))
    data = datasets.time_series(path, test_path=path)
    expected = make.images(make.ROWS, (channels, 4)) / 8
    np.testing.assert_array_equal(
        data.pool_inputs, expected[:, 0] if channels == 1 else expected
    )
    assert (data.name, data.class_names) == ("small_TRAIN", ("a", "b", "c"))
    np.testing.assert_array_equal(data.test_labels, LABELS)
    packed = tmp_path / "small.ts.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert len(datasets.time_series(packed, test_fraction=0.5).test_labels) == 6


def test_ts_and_a_table(tmp_path: Path) -> None:
    text, table = tmp_path / "a.ts", tmp_path / "b.npy"
    text.write_text(make.ts_text().replace(":a", ":1").replace(":b", ":2").replace(":c", ":10")
                    .replace("true a b c", "true 1 2 10"))  # fmt: skip
    rows = np.column_stack([np.array([1, 2, 10])[LABELS], make.images(shape=(4,))])
    np.save(table, rows.astype(np.float32))
    for paths in ((text, table), (table, text)):
        data = datasets.time_series(paths[0], test_path=paths[1])
        assert data.class_names == ("1", "2", "10")
        np.testing.assert_array_equal(data.pool_labels, LABELS)
        np.testing.assert_array_equal(data.test_labels, LABELS)


def test_ts_of_a_regression(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_text(make.ts_text(target="@targetLabel true"))
    data = datasets.time_series(path, test_path=path)
    assert (data.task, data.classes) == ("regression", 1)
    np.testing.assert_array_equal(data.pool_labels, LABELS.astype(float))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@data\n", "", "line 5: expected @key value, # or @data"),
        (make.ts_text(), "# nothing\n", "not a .ts file: it has no line @data"),
        ("@timeStamps false", "@timeStamps true", "series with time stamps are not read"),
        ("@classLabel true a b c", "@classLabel false", "the header must say @classLabel true"),
        ("true a b c", "true a b", "row 2 has the label 'c', known are 'a', 'b'"),
        (",", ",?,", "line 6: could not convert string to float"),
        (",", ",NaN,", "line 6: values must be finite"),
        (",", ",1.0,", r"line 7: 1 channels of \[4\] values, expected 1 of 5"),
    ],
)  # fmt: skip
def test_ts_refuses(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ts"
    path.write_text(make.ts_text().replace(old, new, 1))
    if "row 2" in message:  # the header decides, not the order of the lines
        assert LABELS[2] == 2
    with refused(f"^{path}: {message}"):
        datasets.time_series(path)


def test_series_of_two_files_must_fit(tmp_path: Path) -> None:
    one, other, table = tmp_path / "a.ts", tmp_path / "b.ts", tmp_path / "c.npy"
    one.write_text(make.ts_text())
    other.write_text(make.ts_text(channels=2))
    with refused(r"b.ts: multi_class of series \[2, 4\], but .*a.ts is multi_class of \[4\]"):
        datasets.time_series(one, test_path=other)
    np.save(table, np.full((3, 5), np.nan))
    with refused("c.npy: the table must be finite, row 0 is not"):
        datasets.time_series(table)
    np.save(table, np.zeros(3))
    with refused(r"c.npy: expected \[n, 1 \+ length\], got \[3\]"):
        datasets.time_series(table)
    with refused("expected a .ts or .npy file, got '.txt'"):
        datasets.time_series(tmp_path / "d.txt")


# ---------------------------------------------------------------------------- NumPy's files
def test_npz(tmp_path: Path) -> None:
    arrays = {"x": IMAGES, "y": LABELS[:, None], "u": IMAGES[:5], "v": LABELS[:5]}
    path = make.write_npz(tmp_path / "small.npz", arrays)
    names = {"inputs": "x", "labels": "y", "test_inputs": "u", "test_labels": "v"}
    data = datasets.npz(path, **names)
    np.testing.assert_array_equal(data.pool_inputs, IMAGES)
    np.testing.assert_array_equal(data.test_labels, LABELS[:5])
    assert len(datasets.npz(path, inputs="x", labels="y").test_labels) == 3
    with refused("no array named inputs, labels; it holds x, y, u, v"):
        datasets.npz(path)
    with refused("12 labels for 5 inputs"):
        datasets.npz(path, inputs="u", labels="y")
    with refused("test_inputs and test_labels must be set together"):
        datasets.npz(path, inputs="x", labels="y", test_inputs="u")
    with refused("test_fraction must not be set where there are test rows"):
        datasets.npz(path, test_fraction=0.5, **names)
    with refused(r"'multi_label' must be \[n, classes\], got \[12\]"):
        make.write_npz(path, {"inputs": IMAGES, "labels": LABELS})
        datasets.npz(path, task="multi_label")
    with refused("task 'multi_label' must be 0 or 1, that of row 0 is 5"):
        make.write_npz(path, {"inputs": IMAGES, "labels": np.arange(24).reshape(12, 2) % 3 + 5})
        datasets.npz(path, task="multi_label")


def test_npy_stays_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", make.images(shape=(7,)) / 3.0)
    np.save(tmp_path / "y.npy", LABELS)
    files = (tmp_path / "x.npy", tmp_path / "y.npy")
    data = datasets.npy(*files, test_path=files[0], test_labels=files[1])
    assert isinstance(data.pool_inputs, np.memmap)
    assert not data.pool_inputs.flags.writeable
    np.testing.assert_array_equal(data.pool_inputs, make.images(shape=(7,)) / 3.0)
    values = datasets.npy(*files, task="regression")
    np.testing.assert_array_equal(np.unique(values.pool_labels), [0.0, 1.0, 2.0])
    np.save(files[1], LABELS - 0.5)
    with refused("y.npy: labels must be integers of 0 or more, that of row 0 is"):
        datasets.npy(*files)


def test_npy_refuses_what_is_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fisher_select.datasets.raw._CHUNK_BYTES", 100)  # a few rows a piece
    inputs = np.ones((12, 3))
    inputs[9, 1] = np.inf
    np.save(tmp_path / "x.npy", inputs)
    np.save(tmp_path / "y.npy", LABELS)
    with refused("x.npy: inputs must be finite, row 9 is not"):
        datasets.npy(tmp_path / "x.npy", tmp_path / "y.npy")
    np.save(tmp_path / "x.npy", inputs.astype(complex))
    with refused("x.npy: inputs must be numbers, got complex128"):
        datasets.npy(tmp_path / "x.npy", tmp_path / "y.npy")


def test_missing_files_are_the_systems_words(tmp_path: Path) -> None:
    for read in (
        datasets.idx,
        datasets.cifar,
        datasets.image_folder,
        datasets.medmnist,
        datasets.packed_jpeg,
        lambda path: datasets.time_series(path / "x.ts"),
        lambda path: datasets.npy(path, path),
        datasets.npz,
        lambda path: datasets.table(path / "x.csv", 0),
        lambda path: datasets.table(path / "x.parquet", 0),
        lambda path: datasets.table(path / "x.arff", 0),
    ):
        with pytest.raises(OSError, match=r"^cannot read \S+: no such file or directory$"):
            read(tmp_path / "nowhere")
