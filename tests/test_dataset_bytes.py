# SPDX-License-Identifier: Apache-2.0
"""idx files and pickles: what readers make of small ones written here, and of wrong ones."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataset_files as make
import numpy as np
import pytest

from fisher_select import datasets
from fisher_select.datasets.idx import read_idx
from fisher_select.datasets.raw import read_npz

IMAGES, LABELS = make.images(), make.labels()


def refused(message: str) -> Any:
    return pytest.raises(ValueError, match=message)


# ------------------------------------------------------------------------------------- idx
@pytest.mark.parametrize("packed", [False, True])
def test_idx(packed: bool, tmp_path: Path) -> None:
    folder = make.write_idx(tmp_path / "small", packed=packed)
    (folder / "LICENSE").write_text("Do as you like.\n")
    data = datasets.idx(folder)
    np.testing.assert_array_equal(data.pool_inputs, IMAGES[:, None])
    np.testing.assert_array_equal(data.test_inputs, make.images(seed=1)[:, None])
    np.testing.assert_array_equal(data.pool_labels, LABELS)
    assert (data.name, data.classes, data.image_shape) == ("small", 3, (1, 5, 4))
    assert (data.pool_inputs.dtype, data.licence) == (np.uint8, "Do as you like.")


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx_of_every_type(dtype: str, tmp_path: Path) -> None:
    array = np.arange(-6, 6).astype(dtype).reshape(2, 1, 6)
    path = tmp_path / "x"
    path.write_bytes(make.idx_bytes(array))
    found = read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.dtype.isnative


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", b"\x89PNG....", "not an idx file: it begins with 89504e47"),
        ("train-images-idx3-ubyte", b"", "not an idx file: it begins with nothing"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03\0\0", "3 axes announced, header cut off"),
        (
            "train-images-idx3-ubyte",
            make.idx_bytes(IMAGES) + b"x",
            r"too long idx file: shape \[12, 5, 4\] takes 240 bytes, got more",
        ),
        (
            "train-images-idx3-ubyte",
            b"\0\0\x08\x03" + b"\xff" * 12,
            "truncated idx file",
        ),
        ("train-images-idx3-ubyte", make.idx_bytes(LABELS), r"must be \[n, height, width\]"),
        ("train-labels-idx1-ubyte", make.idx_bytes(LABELS[1:]), r"for 12 images, got \[11\]"),
        ("t10k-labels-idx1-ubyte", make.idx_bytes(LABELS + 1), "to 2, that of row 2 is 3"),
        ("t10k-images-idx3-ubyte", make.idx_bytes(IMAGES[:, 1:]), "t10k differ in size"),
        ("train-labels-idx1-ubyte", make.idx_bytes(LABELS * 0), "two classes, all are 0"),
        (
            "train-images-idx3-ubyte",
            make.idx_bytes(np.where(IMAGES > 250, np.nan, IMAGES)),
            "images must be finite, row",
        ),
    ],
)  # fmt: skip
def test_idx_refuses(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    folder = make.write_idx(tmp_path / "small")
    (folder / name).write_bytes(content)
    with refused(f"^{tmp_path}.*{message}"):
        datasets.idx(folder)


# ----------------------------------------------------------------------------------- cifar
@pytest.mark.parametrize(
    "dump", [make.python2_pickle, lambda value: pickle.dumps(value, protocol=4)]
)
def test_cifar10(dump: Callable[[Any], bytes], tmp_path: Path) -> None:
    data = datasets.cifar(make.write_cifar10(tmp_path / "cifar-10-batches-py", dump))
    assert (data.name, data.class_names) == ("cifar-10-batches-py", ("cat", "dog", "emu"))
    assert data.pool_inputs.shape == (20, 3, 32, 32)
    expected = np.concatenate([make.images(4, (3072,), seed=s) for s in range(5)])
    np.testing.assert_array_equal(data.pool_inputs.reshape(20, -1), expected)
    np.testing.assert_array_equal(data.pool_labels, np.tile(make.labels(4), 5))
    assert len(data.test_inputs) == 4


def test_the_test_pickle_is_one_of_python_2() -> None:
    data = make.python2_pickle({b"data": make.images(2, (300,))})
    assert data[:2] == b"\x80\x02"
    assert b"numpy.core.multiarray\n_reconstruct" in data
    found = pickle.loads(data.replace(b"numpy.core", b"numpy._core"), encoding="bytes")
    np.testing.assert_array_equal(found[b"data"], make.images(2, (300,)))


@pytest.mark.parametrize(("labels", "names"), [("fine", "abc"), ("coarse", "xy")])
def test_cifar100(labels: str, names: str, tmp_path: Path) -> None:
    data = datasets.cifar(make.write_cifar100(tmp_path / "c"), labels=labels)
    assert data.class_names == tuple(names)
    np.testing.assert_array_equal(data.pool_labels, LABELS % len(names))
    np.testing.assert_array_equal(data.test_labels, LABELS % len(names))


class Runs:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_is_not_executed(protocol: int, tmp_path: Path) -> None:
    folder, mark = make.write_cifar10(tmp_path / "c"), tmp_path / "mark"
    attack = pickle.dumps({"data": Runs(mark), "labels": []}, protocol=protocol)
    (folder / "data_batch_3").write_bytes(attack)
    with refused(r"data_batch_3: refused, for safety: the pickle asks for \S+, only"):
        datasets.cifar(folder)
    assert not mark.exists()
    pickle.loads(attack)  # it does run where nothing stops it
    assert mark.exists()


@pytest.mark.parametrize(
    "attack",
    [
        b"cos\nsystem\n(S'touch x'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"c_codecs\nencode\n(S'x'\nS'hex'\ntR.",
    ],
)
def test_only_arrays_are_looked_up(attack: bytes, tmp_path: Path) -> None:
    folder = make.write_cifar10(tmp_path / "c")
    (folder / "test_batch").write_bytes(attack)
    with refused("test_batch: refused, for safety: the pickle asks for"):
        datasets.cifar(folder)


DATA = make.images(4, (3072,))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "must hold a dictionary, got list"),
        ({b"data": DATA}, "no key labels"),
        ({b"data": [1], b"labels": [0]}, "data must be an array of uint8"),
        ({b"data": DATA / 2, b"labels": [0]}, "data must be an array of uint8"),
        (
            {b"data": DATA[:, 1:], b"labels": [0] * 4},
            r"data must be an array of uint8 \[n, 3072\]",
        ),
        ({b"data": DATA, b"labels": [0] * 3}, "labels must be a list of 4, one an image"),
        (
            {b"data": DATA, b"labels": [0, 1, 2, 3]},
            "labels must be integers from 0 to 2",
        ),
        (
            {b"data": DATA, b"labels": [[0], [1, 2], 1, 1]},
            "labels must be integers from 0 to 2",
        ),
        ({b"data": DATA, b"labels": [b"a"] * 4}, "labels must be integers from 0 to 2"),
    ],
)
def test_cifar_refuses(content: Any, message: str, tmp_path: Path) -> None:
    folder = make.write_cifar10(tmp_path / "c")
    (folder / "data_batch_2").write_bytes(make.python2_pickle(content))
    with refused(f"data_batch_2: {message}"):
        datasets.cifar(folder)


def test_a_pickle_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    folder = make.write_cifar10(tmp_path / "c")
    for attack in (
        b"\x80\x02}r\xff\xff\xff\x7f.",  # remember as number 2^31 - 1
        b"\x80\x05\x96" + b"\xff" * 5 + b"\0\0\0.",  # a byte array of 1 TB
    ):
        (folder / "test_batch").write_bytes(attack)
        with refused("test_batch: not a complete pickle"):
            datasets.cifar(folder)


def test_cifar_options(tmp_path: Path) -> None:
    folder = make.write_cifar10(tmp_path / "c")
    with refused("labels must be 'fine' for CIFAR-10, got 'coarse'"):
        datasets.cifar(folder, labels="coarse")
    with refused("labels must be one of 'fine', 'coarse', got 'all'"):
        datasets.cifar(folder, labels="all")
    (folder / "batches.meta").write_bytes(make.python2_pickle({b"label_names": b"cat"}))
    with refused("batches.meta: label_names must be a list of names"):
        datasets.cifar(folder)


# ------------------------------------------------------------------------------------- npz
def test_names_out_of_a_file_stay_on_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **{"a\nb": np.zeros(1)})
    with pytest.raises(ValueError, match=r"no array named labels; it holds 'a\\nb'$"):
        read_npz(tmp_path / "x.npz", {"labels": "labels"})
