# SPDX-License-Identifier: Apache-2.0
"""A folder of images, one subfolder a class: ``<path>/<class>/<image>``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.hold_out import Part, parts
from fisher_select.datasets.images import CHANNELS, decoded, stacked
from fisher_select.datasets.raw import licence_beside, opened
from fisher_select.files import cannot_read
from fisher_select.options import as_count, one_of

__all__ = ["image_folder"]


def image_folder(
    path: str | Path,
    *,
    test_path: str | Path | None = None,
    colour: str = "rgb",
    size: tuple[int, int] | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read all images of all class folders.

    Parameters
    ----------
    path
        Its subfolders are the classes, in the order of their names; each file in them that does
        not begin with a dot must be an image that Pillow reads.
    test_path
        A folder of the same classes to test on; None holds out a part of `path`, stratified.
    colour : {"rgb", "gray"}
        What to convert to.
    size : (height, width) or None
        What to resize to; None wants all images of one size.
    test_fraction, seed
        Share held out (a quarter if None), and the seed of that draw.

    Returns
    -------
    Dataset
        Multi-class; inputs uint8 [n, channels, height, width], rows in the order of the names.

    Raises
    ------
    OSError
        A folder or file is missing or cannot be read.
    ValueError
        Fewer than two classes, a class without images, a file that is no image or has another
        size, or test classes that are not those of `path`.
    MissingExtraError
        Pillow is not installed.
    """
    one_of("colour", colour, CHANNELS)
    if size is not None:
        size = (as_count("size", size[0]), as_count("size", size[1]))
    folder = Path(path)
    files = _files(folder)
    names = tuple(files)
    if len(names) < 2:
        raise ValueError(f"{folder}: expected a folder for each of two classes or more")
    rows = _read(files, colour, size)
    test = None
    if test_path is not None:
        test_files = _files(Path(test_path))
        if tuple(test_files) != names:
            raise ValueError(
                f"{test_path}: the class folders must be {', '.join(names)}, got "
                f"{', '.join(test_files) or 'none'}"
            )
        test = _read(test_files, colour, rows.inputs.shape[2:])
    pool, test = parts(folder, rows, test, test_fraction, seed)
    return Dataset(
        folder.resolve().name,
        *pool,
        *test,
        classes=len(names),
        class_names=names,
        image_shape=rows.inputs.shape[1:],
        licence=licence_beside(folder),
    )


def _files(folder: Path) -> dict[str, list[Path]]:
    """Image files of each class folder, all sorted by name."""
    try:
        folders = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError as error:
        raise cannot_read(folder, error) from None
    found = {one.name: sorted(p for p in one.iterdir() if p.name[0] != ".") for one in folders}
    for name, files in found.items():
        if not files:
            raise ValueError(f"{folder / name}: a class folder without images")
    return found


def _read(files: dict[str, list[Path]], colour: str, size: tuple[int, int] | None) -> Part:
    """All images, and the number of each one's folder."""
    labels = np.repeat(np.arange(len(files)), [len(listed) for listed in files.values()])
    paths = (path for listed in files.values() for path in listed)
    images = ((str(path), _decoded(path, colour, size)) for path in paths)
    return Part(stacked(images, len(labels)), labels)


def _decoded(path: Path, colour: str, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    with opened(path) as stream:
        data = stream.read()
    return decoded(data, str(path), colour, size)
