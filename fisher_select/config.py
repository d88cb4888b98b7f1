# SPDX-License-Identifier: Apache-2.0
"""Tables of a configuration file into dataclasses: the fields and their types are the schema.

Every complaint is a ValueError that begins with the table and names the key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from fisher_select import files

__all__ = ["build", "load", "read_toml"]

T = TypeVar("T")

_WANTED = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; OSError when it cannot be read, ValueError when it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise files.cannot_read(path, error) from None
    except ValueError as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from None


def load(kind: type[T], path: Path) -> T:
    """Read a file and check it: `build` of its table, whose complaints name the file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        Not TOML, or a key that is missing, unknown or out of range; the message names file,
        table and key.
    """
    table = read_toml(path)
    try:
        return build(kind, table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def build(kind: type[T], table: object, where: str = "") -> T:
    """Make a dataclass of a table whose keys are its fields.

    Parameters
    ----------
    kind
        A dataclass whose fields are bool, int, float, str, another dataclass (a table), a
        tuple of one of these (a list), one of these or None (a key that may be left out), or
        one of several of these (a word or a list, a word or a table). Checks of
        ``__post_init__`` are reported like our own. A class method ``from_table(table)`` takes
        the place of the field-by-field rules.
    table
        What the TOML reader made of it.
    where
        Name of the table for messages, such as ``"[loop] "``; empty for the top level.

    Raises
    ------
    ValueError
        A key that is missing, unknown, of the wrong type or out of range.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"{where}must be a table, got {table!r}")
    try:
        from_table = getattr(kind, "from_table", None)
        if from_table is not None:
            made: T = from_table(table)
            return made
        values = _values(kind, table, where)
        return kind(**values)
    except _Located:
        raise
    except (TypeError, ValueError) as error:
        raise _Located(f"{where}{error}") from None


class _Located(ValueError):
    """A complaint that names its table already."""


def _values(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {field.name: field for field in fields(kind)}
    for key in table:
        if key not in known:
            raise _Located(f"{where}unknown key {key!r}; known keys: {', '.join(known)}")
    for key, field in known.items():
        if key not in table and field.default is MISSING:
            raise _Located(f"{where}missing key {key!r}")
    hints = get_type_hints(kind)
    return {key: _convert(hints[key], value, key, where) for key, value in table.items()}


def _convert(hint: Any, value: object, key: str, where: str) -> Any:
    """Check one value against its field's type; an integer will do for a float."""
    if get_origin(hint) is UnionType:
        options = [option for option in get_args(hint) if option is not NoneType]
        hint = next((option for option in options if _suits(option, value)), options[0])
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        if not isinstance(value, list):
            raise _Located(f"{where}{key} must be a list, got {value!r}")
        if isinstance(item, type) and is_dataclass(item):
            return tuple(build(item, v, f"[[{key}]] {i}: ") for i, v in enumerate(value, 1))
        return tuple(_convert(item, v, f"each of {key}", where) for v in value)
    if isinstance(hint, type) and is_dataclass(hint):
        return build(hint, value, f"[{key}] ")
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise _Located(f"{where}{key} must be {_WANTED[hint]}, got {value!r}")
    return hint(value)


def _suits(option: Any, value: object) -> bool:
    """Whether a list or a table of the file is meant by this option of several."""
    if isinstance(value, list):
        return get_origin(option) is tuple
    return is_dataclass(option) == isinstance(value, Mapping)
