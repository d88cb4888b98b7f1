# SPDX-License-Identifier: Apache-2.0
"""Quantities in words: sizes as a user writes them, bytes and operations as a report does."""

from __future__ import annotations

import re

from fisher_select.options import as_count

__all__ = ["as_bytes", "duration", "scaled"]

_TEXT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?)(I?)B", re.IGNORECASE)


def as_bytes(name: str, value: object) -> int | None:
    """Check a size: None, a number of bytes, or a text such as "8GB" or "512MiB".

    Raises
    ------
    TypeError, ValueError
        No size, or less than one byte.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        return as_count(name, value)
    found = _TEXT.fullmatch(value.strip())
    if found is None:
        raise ValueError(
            f"{name} must be bytes, or a text like '8GB' or '512MiB', got {value!r}"
        )
    number, unit, binary = found.groups()
    power = "KMGT".find(unit.upper()) + 1 if unit else 0
    return as_count(name, int(float(number) * (1024 if binary else 1000) ** power))


def scaled(value: float) -> str:
    """Three digits and the letter of a unit, to be followed by B or flop."""
    for factor, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= factor:
            return f"{value / factor:.3g} {letter}"
    return f"{value / 1e3:.3g} k"


def duration(seconds: float) -> str:
    """Three digits and the unit a reader thinks in."""
    for unit, name in ((3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if seconds >= (1.0 if name == "s" else 2.0 * unit):
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e3:.3g} ms"
