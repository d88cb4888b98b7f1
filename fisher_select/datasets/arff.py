# SPDX-License-Identifier: Apache-2.0
"""ARFF tables (Weka, OpenML) into a `Frame`, gzip or not.

Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/ . Values are set
apart by commas, quoted by ' or " with backslash escapes; "?" is a missing value. Written here
because scipy.io.arff takes values in single quotes, as Weka writes them, for unknown ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fisher_select.datasets.frame import Column, Frame
from fisher_select.datasets.raw import opened

__all__ = ["read_arff"]

_NUMBERS = ("numeric", "real", "integer")
_QUOTED = r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\""""
_CELL = re.compile(rf"""\s*(?:{_QUOTED}|([^'"{{}},]*?))\s*(,|$)""")
_ATTRIBUTE = re.compile(
    rf"""@attribute\s+(?:{_QUOTED}|([^\s'"{{}}]+))(?:\s+|(?=\{{))(.+)""", re.IGNORECASE
)
_MISSING = "?"


def read_arff(path: Path) -> Frame:
    """Read numeric, nominal, string and date attributes; the last two as text.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        No ARFF file, sparse data, an attribute of another type, a row of another length, a
        value that its attribute has not, a corrupt gzip file, or no rows.
    """
    with opened(path) as stream:
        data = stream.read()
    try:
        lines = enumerate(data.decode("utf-8").splitlines(), start=1)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason})") from None
    attributes = _header(path, lines)
    values: list[list[str | None]] = [[] for _ in attributes]
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("%"):
            continue
        cells = _cells(f"{path}: line {number}", line.strip())
        if len(cells) != len(attributes):
            raise ValueError(
                f"{path}: line {number}: expected {len(attributes)} values, got {len(cells)}"
            )
        for attribute, column, cell in zip(attributes, values, cells, strict=True):
            attribute.check(f"{path}: line {number}", cell)
            column.append(cell)
    names = tuple(attribute.name for attribute in attributes)
    pairs = zip(attributes, values, strict=True)
    return Frame(path, names, tuple(attribute.column(cells) for attribute, cells in pairs))


@dataclass(frozen=True)
class _Attribute:
    """A column: of numbers, of one of `values`, or of any text."""

    name: str
    numeric: bool
    values: frozenset[str | None] | None

    def check(self, where: str, cell: str | None) -> None:
        if cell is None:
            return
        if self.numeric:
            try:
                float(cell)
            except ValueError:
                raise ValueError(
                    f"{where}: {self.name} must be a number, got {cell!r}"
                ) from None
        elif self.values is not None and cell not in self.values:
            raise ValueError(f"{where}: {self.name} has no value {cell!r}")

    def column(self, cells: list[str | None]) -> Column:
        if self.numeric:
            return np.array([np.nan if cell is None else float(cell) for cell in cells])
        found = np.empty(len(cells), dtype=object)
        found[:] = cells
        return found


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> list[_Attribute]:
    """Attributes of the header; reads the line ``@data`` and no further."""
    attributes: list[_Attribute] = []
    for number, line in lines:
        where, stripped = f"{path}: line {number}", line.strip()
        keyword = stripped.split(None, 1)[0].lower() if stripped else "%"
        if keyword == "@data":
            return attributes
        if keyword == "@attribute":
            attributes.append(_attribute(where, stripped))
        elif keyword != "@relation" and not keyword.startswith("%"):
            raise ValueError(f"{where}: expected @relation, @attribute, @data or %")
    raise ValueError(f"{path}: not an ARFF file: it has no line @data")


def _attribute(where: str, line: str) -> _Attribute:
    match = _ATTRIBUTE.fullmatch(line)
    if match is None:
        raise ValueError(f"{where}: expected @attribute, a name and a type")
    single, double, plain, kind = match.groups()
    name = _unescaped(single, double, plain)
    if kind.startswith("{") and kind.endswith("}"):
        return _Attribute(name, numeric=False, values=frozenset(_cells(where, kind[1:-1])))
    word = kind.split()[0].lower()
    if word not in (*_NUMBERS, "string", "date"):
        raise ValueError(f"{where}: attributes of type {kind!r} are not read")
    return _Attribute(name, numeric=word in _NUMBERS, values=None)


def _cells(where: str, line: str) -> list[str | None]:
    """Values of a line, None where one is missing."""
    if line.startswith("{"):
        raise ValueError(f"{where}: sparse rows are not read")
    cells: list[str | None] = []
    position, more = 0, True
    while more:
        match = _CELL.match(line, position)
        if match is None:
            raise ValueError(f"{where}: quotes do not match")
        single, double, plain, end = match.groups()
        cells.append(None if plain == _MISSING else _unescaped(single, double, plain))
        position, more = match.end(), end != ""
    return cells


def _unescaped(single: str | None, double: str | None, plain: str | None) -> str:
    """The one that was there; a backslash stands for the character behind it."""
    quoted = single if single is not None else double
    return str(plain) if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
