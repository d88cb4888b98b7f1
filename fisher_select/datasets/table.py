# SPDX-License-Identifier: Apache-2.0
"""Tables of any format into a data set: target, missing values, words in columns.

Nothing is guessed: what a missing value, a column of words or the target is to become is said
by an option, and the defaults refuse them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.arff import read_arff
from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.delimited import read_delimited
from fisher_select.datasets.frame import Column, Frame
from fisher_select.datasets.hold_out import Part, parts
from fisher_select.datasets.parquet import read_parquet
from fisher_select.datasets.raw import read_npy, stem
from fisher_select.datasets.targets import class_names, numbered, word
from fisher_select.options import one_of

__all__ = ["table"]

_FORMATS = {
    ".csv": "text",
    ".data": "text",
    ".tsv": "text",
    ".txt": "text",
    ".arff": "arff",
    ".parquet": "parquet",
    ".npy": "npy",
}
_TEXT_DEFAULTS = {"header": True, "separator": ",", "quote": '"', "bad_lines": "reject"}


def table(
    path: str | Path,
    target: int | str,
    *,
    task: str = "multi_class",
    test_path: str | Path | None = None,
    header: bool = True,
    separator: str = ",",
    quote: str = '"',
    bad_lines: str = "reject",
    drop: Sequence[int | str] = (),
    missing_words: Sequence[str] = ("",),
    missing: str = "reject",
    replace: Mapping[str, float] | None = None,
    categorical: str = "reject",
    test_fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read a table with one row a sample.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv``, ``.txt``, ``.data`` or ``.arff``, each also with ``.gz``;
        ``.parquet``; or ``.npy`` [n, columns].
    target
        The column of labels, by name or by number from 0; from the end if negative.
    task : {"multi_class", "regression"}
        Whether the target's values are classes, in the order of numbers or of the alphabet, or
        numbers.
    test_path
        A table of the same columns to test on; None holds out a part of `path`.
    header, separator, quote
        Of text: whether the first line has the names, what stands between cells (a character or
        "blanks"), and what around them.
    bad_lines : {"reject", "drop"}
        Of text: refuse lines with more or fewer cells than the first, or leave them out.
    drop
        Columns to leave out, like `target` by name or number.
    missing_words
        Words that stand for no value, such as "-" or "?". The empty word is an empty cell.
    missing : {"reject", "drop", "mean"}
        Refuse missing values; drop their rows; or fill in the pool's mean of a column. A
        missing word of a column of words then is none of its categories. A target is never
        filled in.
    replace
        Numbers for words, such as ``{"T": 0.005}`` for a trace of rain.
    categorical : {"reject", "one_hot"}
        Refuse columns of words, or make a column of 0 and 1 of each different word.
    test_fraction, seed
        Share held out (a quarter if None), and the seed of that draw.

    Returns
    -------
    Dataset
        Inputs float64 [n, d] in the file's order of columns.

    Raises
    ------
    OSError
        A file is missing or cannot be read.
    ValueError
        A file is of another kind or corrupt; a column does not exist; values are missing,
        infinite, or words where numbers are expected; the files do not fit together.
    MissingExtraError
        pyarrow is not installed (text and parquet).
    """
    one_of("task", task, ("multi_class", "regression"))
    one_of("missing", missing, ("reject", "drop", "mean"))
    one_of("categorical", categorical, ("reject", "one_hot"))
    one_of("bad_lines", bad_lines, ("reject", "drop"))
    text = {"header": header, "separator": separator, "quote": quote, "bad_lines": bad_lines}
    sources = []
    for name in (path,) if test_path is None else (path, test_path):
        frame = _read(Path(name), text).parsed(missing_words, replace or {})
        sources.append(_split_off(frame, target, drop, missing))
    _check_same_columns(sources)
    names = _class_names(sources) if task == "multi_class" else (sources[0].target_name,)
    inputs = _matrices([source.inputs for source in sources], categorical)
    labels = [_labels(source, task, names) for source in sources]
    found = [Part(*both) for both in zip(inputs, labels, strict=True)]
    pool, test = parts(
        path, found[0], found[1] if len(found) > 1 else None, test_fraction, seed
    )
    pool, test = _filled(Path(path), pool, test)
    return Dataset(
        stem(Path(path)), *pool, *test, classes=len(names), task=task, class_names=names
    )


@dataclass(frozen=True)
class _Source:
    """One file's columns of inputs and its target [n], which has no missing value."""

    inputs: Frame
    target_name: str
    target: Column


def _read(path: Path, text: Mapping[str, Any]) -> Frame:
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    kind = _FORMATS.get(endings[-1] if endings else "")
    if kind is None:
        raise ValueError(
            f"{path}: the ending must be one of {', '.join(_FORMATS)}, or .gz of text"
        )
    if kind == "text":
        return read_delimited(path, **text)
    for key, value in text.items():
        if value != _TEXT_DEFAULTS[key]:
            raise ValueError(f"{path}: {key} is an option of text, not of {endings[-1]}")
    if kind == "arff":
        return read_arff(path)
    if kind == "parquet":
        return read_parquet(path)
    array = read_npy(path)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected numbers [n, columns], got {array.dtype}")
    columns = tuple(column.astype(np.float64) for column in array.T)
    return Frame(path, tuple(map(str, range(len(columns)))), columns)


def _split_off(
    frame: Frame, target: int | str, drop: Sequence[int | str], missing: str
) -> _Source:
    """Part inputs and target, and see to missing values as `missing` says."""
    at = frame.place("target", target)
    dropped = {frame.place("drop", column) for column in drop}
    if at in dropped:
        raise ValueError(f"{frame.path}: drop must not name the target, column {target!r}")
    gaps = frame.missing()
    gaps[:, list(dropped)] = False
    if missing == "drop":
        frame = frame.rows(np.flatnonzero(~gaps.any(axis=1)))
    else:
        if missing == "mean":
            gaps[:, [column for column in range(len(frame.names)) if column != at]] = False
        if gaps.any():
            row, column = np.argwhere(gaps)[0]
            raise ValueError(
                f"{frame.path}: column {frame.names[column]!r} has no value in row {row} "
                f"({int(gaps.sum())} missing in all); set missing to 'drop'"
                + (" or 'mean'" if column != at else "")
            )
    return _Source(frame.without({*dropped, at}), frame.names[at], frame.columns[at])


def _check_same_columns(sources: Sequence[_Source]) -> None:
    first, *others = sources
    for source in others:
        if (source.inputs.names, source.target_name) != (first.inputs.names, first.target_name):
            raise ValueError(
                f"{source.inputs.path}: the columns must be those of {first.inputs.path}"
            )


def _class_names(sources: Sequence[_Source]) -> tuple[str, ...]:
    """The target's different values, whole numbers or words."""
    for source in sources:
        values = source.target
        if values.dtype.kind == "f" and (values != np.floor(values)).any():
            raise ValueError(
                f"{source.inputs.path}: column {source.target_name!r} holds fractions, which "
                "are no classes; set task to 'regression'"
            )
    names = class_names(word(value) for source in sources for value in source.target.tolist())
    if len(names) < 2:
        raise ValueError(
            f"{sources[0].inputs.path}: column {sources[0].target_name!r} must hold at least "
            f"two classes, got {', '.join(names)}"
        )
    return names


def _labels(source: _Source, task: str, names: tuple[str, ...]) -> NDArray[Any]:
    path = source.inputs.path
    if task == "multi_class":
        return numbered(path, [word(value) for value in source.target.tolist()], names)
    if source.target.dtype.kind != "f":
        raise ValueError(
            f"{path}: column {source.target_name!r} must hold numbers for a regression, got "
            f"{_a_word(source.target)!r}"
        )
    return source.target


def _matrices(frames: Sequence[Frame], categorical: str) -> list[NDArray[np.float64]]:
    """Inputs [n, d] of each frame, NaN where a number is missing; words become 0 and 1."""
    blocks: list[list[NDArray[np.float64]]] = [[] for _ in frames]
    for place, name in enumerate(frames[0].names):
        columns = [frame.columns[place] for frame in frames]
        worded = [column.dtype.kind != "f" for column in columns]
        if any(worded):
            at = worded.index(True)
            if categorical == "reject" or not all(worded):
                raise ValueError(
                    f"{frames[at].path}: column {name!r} must hold numbers, got "
                    f"{_a_word(columns[at])!r}; drop it, name the word in replace or "
                    "missing_words, or set categorical to 'one_hot'"
                )
            words = sorted({value for column in columns for value in column} - {None})
            columns = [
                np.stack([column == value for value in words], axis=1) for column in columns
            ]
        for block, column in zip(blocks, columns, strict=True):
            block.append(column.reshape(len(column), -1).astype(np.float64))
    return [np.concatenate(block, axis=1) for block in blocks]


def _a_word(column: Column) -> str:
    """The first value that is no number."""
    for value in column:
        try:
            float(value)
        except (TypeError, ValueError):
            if value is not None:
                return str(value)
    return ""


def _filled(path: Path, pool: Part, test: Part) -> tuple[Part, Part]:
    """Put the pool's mean of a column where its numbers are missing, in both parts."""
    gaps = np.isnan(pool.inputs)
    if not gaps.any() and not np.isnan(test.inputs).any():
        return pool, test
    present = (~gaps).sum(axis=0)
    if not present.all():
        raise ValueError(
            f"{path}: column {int(np.argmin(present))} of the inputs has no values"
        )
    mean = np.where(gaps, 0.0, pool.inputs).sum(axis=0) / present
    return (
        Part(np.where(gaps, mean, pool.inputs), pool.labels),
        Part(np.where(np.isnan(test.inputs), mean, test.inputs), test.labels),
    )
