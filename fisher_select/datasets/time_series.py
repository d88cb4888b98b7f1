# SPDX-License-Identifier: Apache-2.0
"""Time series of the UCR and UEA archives: ``.ts`` text, or a table in ``.npy``.

A ``.ts`` file has comments (#), a header of ``@key value`` lines that ends with ``@data``, then
a line a series: values separated by commas, channels by colons, the label behind the last
colon (Bagnall et al., the UEA archive, arXiv:1811.00075). In a table [n, 1 + length], column 0
is the label.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.hold_out import Part, parts
from fisher_select.datasets.raw import check_finite, opened, read_npy, stem
from fisher_select.datasets.targets import as_labels, class_names, numbered, word

__all__ = ["time_series"]


def time_series(
    path: str | Path,
    *,
    test_path: str | Path | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read series of equal length.

    Parameters
    ----------
    path
        The pool: ``.ts`` (gzip or not) or ``.npy``.
    test_path
        The test set, in either format; None holds out a part of `path`, stratified by class.
    test_fraction, seed
        Share held out (a quarter if None), and the seed of that draw.

    Returns
    -------
    Dataset
        Inputs [n, length], or [n, channels, length] of several channels: float64 from ``.ts``,
        the file's type from ``.npy``. Multi-class, classes in the order of the header or of
        their numbers; a regression where the header says ``@targetLabel true``.

    Raises
    ------
    OSError
        A file is missing or cannot be read.
    ValueError
        A file is of another kind or truncated; a series has another length, a missing value or
        an unknown label; the files do not fit together.
    """
    path = Path(path)
    pool = _read(path)
    series = [pool] if test_path is None else [pool, _read(Path(test_path))]
    if len({(one.inputs.shape[1:], one.task) for one in series}) > 1:
        raise ValueError(
            f"{test_path}: {series[1].task} of series {list(series[1].inputs.shape[1:])}, but "
            f"{path} is {pool.task} of {list(pool.inputs.shape[1:])}"
        )
    names = None
    if pool.task == "multi_class":
        names = pool.names or class_names(label for one in series for label in one.labels)
        if len(names) < 2:
            raise ValueError(f"{path}: expected at least two classes, got {', '.join(names)}")
    found = [Part(one.inputs, _labels(one, names)) for one in series]
    both = parts(
        path, found[0], found[1] if test_path is not None else None, test_fraction, seed
    )
    return Dataset(
        stem(path),
        *both[0],
        *both[1],
        classes=1 if names is None else len(names),
        task=pool.task,
        class_names=names,
    )


@dataclass(frozen=True)
class _Series:
    """One file: inputs [n, (channels,) length], a word a label, the classes of the header."""

    path: Path
    inputs: NDArray[Any]
    labels: list[str]
    names: tuple[str, ...] = ()
    task: str = "multi_class"


def _labels(series: _Series, names: tuple[str, ...] | None) -> NDArray[Any]:
    if names is not None:
        return numbered(series.path, series.labels, names)
    try:
        values = np.array(series.labels, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{series.path}: labels must be numbers: {error}") from None
    return as_labels(series.path, values, "regression")[0]


def _read(path: Path) -> _Series:
    if path.suffix == ".npy":
        return _read_table(path)
    if ".ts" in path.suffixes:
        return _read_text(path)
    raise ValueError(f"{path}: expected a .ts or .npy file, got {path.suffix!r}")


def _read_table(path: Path) -> _Series:
    table = read_npy(path)
    if table.ndim != 2 or len(table) == 0 or table.shape[1] < 2:
        raise ValueError(f"{path}: expected [n, 1 + length], got {list(table.shape)}")
    check_finite(path, "the table", table)
    return _Series(path, table[:, 1:], [word(label) for label in table[:, 0].tolist()])


def _read_text(path: Path) -> _Series:
    with opened(path) as stream:
        try:
            lines = io.StringIO(stream.read().decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not a text file ({error.reason})") from None
    numbered_lines = enumerate(lines, start=1)
    header = _header(path, numbered_lines)
    names = tuple(header.get("classlabel", "").split()[1:])
    rows: list[NDArray[np.float64]] = []
    labels: list[str] = []
    for number, line in numbered_lines:
        if line.strip():
            *channels, label = line.strip().split(":")
            rows.append(_values(f"{path}: line {number}", channels, rows))
            labels.append(label.strip())
    if not rows:
        raise ValueError(f"{path}: no series after @data")
    inputs = np.stack(rows)
    regression = header.get("targetlabel", "").lower().startswith("true")
    return _Series(
        path,
        inputs[:, 0] if inputs.shape[1] == 1 else inputs,
        labels,
        names,
        "regression" if regression else "multi_class",
    )


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> dict[str, str]:
    """Keys in lower case and values of the header; reads the line ``@data`` and no further."""
    header: dict[str, str] = {}
    for number, line in lines:
        stripped = line.strip()
        if stripped.lower() == "@data":
            break
        if stripped.startswith("@"):
            key, _, value = stripped[1:].partition(" ")
            header[key.lower()] = value.strip()
        elif stripped and not stripped.startswith("#"):
            raise ValueError(f"{path}: line {number}: expected @key value, # or @data")
    else:
        raise ValueError(f"{path}: not a .ts file: it has no line @data")
    if header.get("timestamps", "false").lower() == "true":
        raise ValueError(f"{path}: series with time stamps are not read")
    labelled = (header.get(key, "").lower() for key in ("classlabel", "targetlabel"))
    if not any(value.startswith("true") for value in labelled):
        raise ValueError(f"{path}: the header must say @classLabel true or @targetLabel true")
    return header


def _values(
    where: str, channels: list[str], rows: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """One series [channels, length], as long as the first of `rows`."""
    if not channels:
        raise ValueError(f"{where}: expected values:label")
    try:
        parsed = [np.array(channel.split(","), dtype=np.float64) for channel in channels]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if not all(np.isfinite(channel).all() for channel in parsed):
        raise ValueError(f"{where}: values must be finite")
    lengths = {len(channel) for channel in parsed}
    first = rows[0].shape if rows else (len(channels), len(parsed[0]))
    if lengths != {first[1]} or len(channels) != first[0]:
        raise ValueError(
            f"{where}: {len(channels)} channels of {sorted(lengths)} values, expected "
            f"{first[0]} of {first[1]}"
        )
    return np.stack(parsed)
