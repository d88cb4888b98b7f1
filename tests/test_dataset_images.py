# SPDX-License-Identifier: Apache-2.0
"""Images in archives and folders: what readers make of small ones, and of wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataset_files as make
import numpy as np
import pytest

from fisher_select import datasets

IMAGES, LABELS = make.images(), make.labels()


def refused(message: str) -> Any:
    return pytest.raises(ValueError, match=message)


# -------------------------------------------------------------------------------- medmnist
def test_medmnist(tmp_path: Path) -> None:
    arrays = make.medmnist_arrays()
    path = make.write_npz(tmp_path / "dermamnist.npz", arrays)
    data = datasets.medmnist(path)
    assert (data.name, data.task, data.classes) == ("dermamnist", "multi_class", 3)
    assert data.image_shape == (3, 6, 6)
    np.testing.assert_array_equal(data.pool_inputs[5, 1], arrays["train_images"][5, :, :, 1])
    np.testing.assert_array_equal(data.test_labels, arrays["test_labels"][:, 0])
    for where, sizes in (("leave", (12, 12)), ("pool", (24, 12)), ("test", (12, 24))):
        data = datasets.medmnist(path, validation=where)
        assert (len(data.pool_inputs), len(data.test_labels)) == sizes
    both = datasets.medmnist(path, validation="pool").pool_inputs
    np.testing.assert_array_equal(both[12:, 2], arrays["val_images"][:, :, :, 2])


def test_medmnist_of_other_tasks(tmp_path: Path) -> None:
    arrays = make.medmnist_arrays((6, 6), label_columns=4)
    data = datasets.medmnist(make.write_npz(tmp_path / "chest.npz", arrays))
    assert (data.task, data.classes, data.image_shape) == ("multi_label", 4, (1, 6, 6))
    np.testing.assert_array_equal(data.pool_labels, arrays["train_labels"])
    path = make.write_npz(tmp_path / "grades.npz", make.medmnist_arrays())
    grades = datasets.medmnist(path, task="regression")
    assert (grades.task, grades.classes, grades.pool_labels.dtype) == ("regression", 1, float)
    np.testing.assert_array_equal(grades.pool_labels, LABELS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_labels": None}, "no array named val_labels; it holds train_images, "),
        (
            {"train_images": IMAGES[:, 0]},
            r"train_images must be uint8 \[n, height, width\] or ",
        ),
        ({"test_images": IMAGES / 255}, "test_images must be uint8 .* got float64"),
        ({"test_labels": LABELS[1:, None]}, "11 test_labels for 12 test_images"),
        ({"test_labels": LABELS[:, None] + 1}, "from 0 to 2, that of row 2 is 3"),
        ({"test_labels": np.eye(12)[:, :3]}, r"'multi_class' must be \[n\] or \[n, 1\]"),
        ({"train_labels": np.array(["a"] * 12)}, "labels must be numbers, got <U1"),
        ({"train_labels": np.array([None] * 12)}, "not a complete .npz file"),
    ],
)
def test_medmnist_refuses(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    arrays = make.medmnist_arrays() | changes
    arrays = {name: array for name, array in arrays.items() if array is not None}
    path = make.write_npz(tmp_path / "x.npz", arrays)
    with refused(rf"^{path}: .*{message}"):
        datasets.medmnist(path)


# ---------------------------------------------------------------------------------- images
@pytest.mark.parametrize("colour", ["rgb", "gray"])
def test_packed_jpeg(colour: str, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    # PNG has the same way in, and keeps the pixels.
    path = make.write_npz(tmp_path / "small.npz", make.packed_arrays("PNG"))
    data = datasets.packed_jpeg(path, colour=colour, test_fraction=0.5, seed=1)
    pool, test = datasets.hold_out(LABELS, 0.5, seed=1)
    assert data.class_names == ("cat", "dog", "emu")
    np.testing.assert_array_equal(data.pool_labels, LABELS[pool])
    pixels = make.images(make.ROWS, (8, 8, 3)).transpose(0, 3, 1, 2)
    if colour == "rgb":
        np.testing.assert_array_equal(data.test_inputs, pixels[test])
    else:  # luma by ITU-R 601
        luma = np.tensordot([0.299, 0.587, 0.114], pixels[test], axes=(0, 1))[:, None]
        np.testing.assert_allclose(data.test_inputs, luma, atol=1)
    lossy = datasets.packed_jpeg(make.write_npz(tmp_path / "j.npz", make.packed_arrays()))
    assert lossy.image_shape == (3, 8, 8)


PACKED_CHANGES: list[tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = [
    (lambda a: {"jpeg": a["jpeg"][:-1]}, "offsets must rise from 0 to the"),
    (lambda a: {"offsets": a["offsets"][::-1]}, "offsets must rise from 0 to the"),
    (lambda a: {"offsets": a["offsets"] / 1.0}, "offsets must be integers"),
    (lambda a: {"jpeg": a["jpeg"].astype(int)}, "jpeg must be uint8"),
    (lambda a: {"labels": a["labels"][1:]}, "11 labels for 12 images"),
    (
        lambda a: {"names": a["names"][:2]},
        "labels must be integers from 0 to 1, that of row 2 is 2",
    ),
    (lambda _: {"names": np.arange(3)}, "names must be strings"),
    (lambda a: {"jpeg": a["jpeg"] * 0}, "image 0: not a complete image"),
]


@pytest.mark.parametrize(("change", "message"), PACKED_CHANGES)
def test_packed_jpeg_refuses(change: Any, message: str, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    arrays = make.packed_arrays()
    path = make.write_npz(tmp_path / "x.npz", arrays | change(arrays))
    with refused(f"^{path}: {message}"):
        datasets.packed_jpeg(path)


def test_images_of_different_sizes_are_named(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    arrays = make.packed_arrays()
    small = make.encoded(make.images(1, (4, 8, 3))[0], "JPEG")
    arrays["jpeg"] = np.append(arrays["jpeg"], np.frombuffer(small, np.uint8))
    arrays["offsets"] = np.append(arrays["offsets"], len(arrays["jpeg"]))
    arrays["labels"] = np.append(arrays["labels"], 0)
    path = make.write_npz(tmp_path / "x.npz", arrays)
    with refused("image 12: the image is 4 x 8, the first one 8 x 8"):
        datasets.packed_jpeg(path)


def test_image_folder(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    folder = make.write_image_folder(tmp_path / "small")
    (folder / "c" / ".DS_Store").write_bytes(b"no image")
    (folder / "README").write_text("no class")
    data = datasets.image_folder(folder, test_path=make.write_image_folder(tmp_path / "test"))
    order = np.argsort(LABELS, kind="stable")
    pixels = make.images(make.ROWS, (8, 6, 3)).transpose(0, 3, 1, 2)[order]
    np.testing.assert_array_equal(data.pool_inputs, pixels)
    np.testing.assert_array_equal(data.test_inputs, pixels)
    np.testing.assert_array_equal(data.pool_labels, LABELS[order])
    assert (data.class_names, data.image_shape) == (("c", "d", "e"), (3, 8, 6))
    split = datasets.image_folder(folder, size=(4, 5), colour="gray", test_fraction=0.5)
    assert split.pool_inputs.shape == (6, 1, 4, 5)


def test_image_folder_refuses(tmp_path: Path) -> None:
    Image = pytest.importorskip("PIL.Image")
    folder = make.write_image_folder(tmp_path / "small")
    extra = folder / "d" / "zz.png"
    extra.write_bytes(make.encoded(make.images(1, (9, 6, 3))[0], "PNG"))
    with refused(f"^{extra}: the image is 9 x 6, the first one 8 x 6"):
        datasets.image_folder(folder)
    assert datasets.image_folder(folder, size=(9, 6)).image_shape == (3, 9, 6)
    extra.write_text("no image")
    with refused(f"^{extra}: not a complete image"):
        datasets.image_folder(folder)
    Image.fromarray(np.arange(48, dtype=np.uint16).reshape(8, 6) * 1000).save(extra)
    with refused(f"^{extra}: images must have 8 bits a channel, got mode 'I;16'"):
        datasets.image_folder(folder)
    extra.unlink()
    extra.mkdir()
    with pytest.raises(OSError, match=f"^cannot read {extra}: is a directory"):
        datasets.image_folder(folder)
    extra.rmdir()
    with refused("the class folders must be c, d, e, got c"):
        (tmp_path / "test" / "c").mkdir(parents=True)
        (tmp_path / "test" / "c" / "1.png").touch()
        datasets.image_folder(folder, test_path=tmp_path / "test")
    with refused("size must be at least 1, got 0"):
        datasets.image_folder(folder, size=(0, 4))
    with refused("expected a folder for each of two classes or more"):
        datasets.image_folder(folder / "c")
    (folder / "empty").mkdir()
    with refused("empty: a class folder without images"):
        datasets.image_folder(folder)


def test_an_image_too_large_to_be_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image = pytest.importorskip("PIL.Image")
    folder = make.write_image_folder(tmp_path / "small")
    for pixels in (40, 10):  # Pillow warns above this number and raises above twice as many
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)
        with refused("not a complete image .Image size .48 pixels. exceeds limit"):
            datasets.image_folder(folder)
