# SPDX-License-Identifier: Apache-2.0
"""The option --set KEY=VALUE of the commands that take a strategy's options."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from typing import Annotated, Any, TypeAlias

import typer

__all__ = ["Settings", "parse_settings"]

Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other option of the strategy."),
]


def parse_settings(texts: Sequence[str] | None, taken: Collection[str]) -> dict[str, Any]:
    """Parse KEY=VALUE: the value as in TOML, or else as the plain word it is.

    Raises
    ------
    ValueError
        No KEY=VALUE, or a key that is given twice or is among the `taken`.
    """
    settings: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ValueError(f"--set must be KEY=VALUE, got {text!r}")
        if key in settings or key in taken:
            raise ValueError(f"--set {key}: this option is given twice")
        try:
            settings[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[key] = value
    return settings
