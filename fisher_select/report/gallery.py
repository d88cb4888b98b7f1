# SPDX-License-Identifier: Apache-2.0
"""What a page is made of: sections of text, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Gallery", "Picture", "Section", "Table"]


@dataclass(frozen=True)
class Picture:
    """A PNG, what stands beneath it, and what it says to those who cannot see it."""

    path: Path
    caption: str
    alt: str
    wide: bool = True


@dataclass(frozen=True)
class Table:
    """Rows of text; the first cell of each names the row."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A heading with what is under it."""

    title: str
    text: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Gallery:
    """The folder of the pictures; `prefix` tells the studies of a page apart."""

    folder: Path
    prefix: str = ""

    def hang(
        self,
        name: str,
        draw: Callable[..., object],
        *arguments: object,
        caption: str,
        alt: str,
        wide: bool = True,
        **options: object,
    ) -> Picture:
        """Have ``draw(path, *arguments, **options)`` make a picture in the folder."""
        path = self.folder / f"{self.prefix}{name}.png"
        draw(path, *arguments, **options)
        return Picture(path, caption, alt, wide)
