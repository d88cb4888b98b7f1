# SPDX-License-Identifier: Apache-2.0
"""Small files in the formats that `fisher_select.datasets` reads, and their content."""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = 3
ROWS = 12


def images(rows: int = ROWS, shape: Sequence[int] = (5, 4), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, *shape)).astype(np.uint8)


def labels(rows: int = ROWS) -> np.ndarray:
    return (np.arange(rows) * 7 % CLASSES).astype(np.uint8)


# ------------------------------------------------------------------------------------- idx
def idx_bytes(array: np.ndarray) -> bytes:
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(folder: Path, *, packed: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for part, seed in (("train", 0), ("t10k", 1)):
        for what, array in (("images-idx3", images(seed=seed)), ("labels-idx1", labels())):
            path = folder / f"{part}-{what}-ubyte{'.gz' if packed else ''}"
            data = idx_bytes(array)
            path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return folder


# ----------------------------------------------------------------------------------- cifar
def python2_pickle(content: Any) -> bytes:
    """The pickle that Python 2 writes, whose strings are those of bytes here.

    Protocol 3 is protocol 2 with opcodes of its own for bytes, each with a twin for Python 2's
    strings of the same layout.
    """
    data = bytearray(pickle.dumps(content, protocol=3))
    twins = {"PROTO": None, "SHORT_BINBYTES": b"U", "BINBYTES": b"T"}
    for opcode, _, position in pickletools.genops(bytes(data)):
        if opcode.name == "PROTO":
            data[position + 1] = 2
        elif opcode.name in twins:
            data[position : position + 1] = twins[opcode.name]
    return bytes(data).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_cifar10(folder: Path, dump: Callable[[Any], bytes] = python2_pickle) -> Path:
    folder.mkdir(exist_ok=True)
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    for seed, name in enumerate(names):
        content = {
            b"batch_label": b"of the tests",
            b"labels": labels(4).tolist(),
            b"data": images(4, (3072,), seed=seed),
            b"filenames": [b"a.png"] * 4,
        }
        (folder / name).write_bytes(dump(content))
    meta = {b"num_vis": 3072, b"label_names": [b"cat", b"dog", b"emu"]}
    (folder / "batches.meta").write_bytes(dump(meta))
    return folder


def write_cifar100(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(("train", "test")):
        content = {
            b"fine_labels": labels().tolist(),
            b"coarse_labels": (labels() % 2).tolist(),
            b"data": images(ROWS, (3072,), seed=seed),
        }
        (folder / name).write_bytes(python2_pickle(content))
    meta = {b"fine_label_names": [b"a", b"b", b"c"], b"coarse_label_names": [b"x", b"y"]}
    (folder / "meta").write_bytes(python2_pickle(meta))
    return folder


# ------------------------------------------------------------------------------------- npz
def medmnist_arrays(
    shape: Sequence[int] = (6, 6, 3), label_columns: int = 1
) -> dict[str, np.ndarray]:
    """Arrays as of DermaMNIST; more columns of labels as of ChestMNIST."""
    found = {}
    for seed, part in enumerate(("train", "val", "test")):
        found[f"{part}_images"] = images(ROWS, shape, seed=seed)
        one = labels()[:, None]
        found[f"{part}_labels"] = (
            one if label_columns == 1 else (one == np.arange(label_columns)).astype(np.uint8)
        )
    return found


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)
    return path


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    """An image file of pixels [height, width(, 3)]."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format=kind)
    return stream.getvalue()


def packed_arrays(kind: str = "JPEG") -> dict[str, np.ndarray]:
    files = [encoded(pixels, kind) for pixels in images(ROWS, (8, 8, 3))]
    return {
        "jpeg": np.frombuffer(b"".join(files), np.uint8),
        "offsets": np.cumsum([0, *map(len, files)]),
        "labels": labels(),
        "names": np.array(["cat", "dog", "emu"]),
    }


def write_image_folder(folder: Path, kind: str = "PNG") -> Path:
    for number, pixels in enumerate(images(ROWS, (8, 6, 3))):
        path = folder / "cde"[int(labels()[number])] / f"{number:02d}.{kind.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels, kind))
    return folder


# ------------------------------------------------------------------------------------ text
def ts_text(channels: int = 1, target: str = "@classLabel true a b c") -> str:
    values = images(ROWS, (channels, 4)) / 8
    lines = ["# a comment", "@problemName small", "@timeStamps false", target, "@data"]
    for series, label in zip(values, labels(), strict=True):
        cells = [",".join(map(repr, channel)) for channel in series.tolist()]
        lines.append(":".join([*cells, "abc"[label] if "class" in target else str(label)]))
    return "\n".join(lines) + "\n"


ARFF = """% a comment
@relation small
@attribute width numeric
@attribute 'colour of it' {red, 'light blue'}
@attribute class {no, yes}
@data
1.5, red, no
2.5, 'light blue', yes
?, red, no
4.5, red, yes
"""
