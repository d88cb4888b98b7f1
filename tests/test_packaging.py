# SPDX-License-Identifier: Apache-2.0
"""What is installed is complete, typed, and not tied to the machine that built it."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

import fisher_select

ROOT = Path(__file__).resolve().parents[1]
BUILD_FILES = [
    ROOT / "CMakeLists.txt",
    ROOT / "CMakePresets.json",
    ROOT / "pyproject.toml",
    *sorted((ROOT / "cmake").glob("*.cmake")),
]


def test_version_has_one_source() -> None:
    """The number stands in fisher_select/__init__.py alone; the build reads it there."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in declared["project"]["dynamic"]
    assert importlib.metadata.version("fisher-select") == fisher_select.__version__


def test_types_are_shipped() -> None:
    """Type checkers read the package's own annotations, and stubs for the compiled parts."""
    package = files("fisher_select")
    for name in ("py.typed", "_core.pyi", "_cuda.pyi"):
        assert package.joinpath(name).is_file(), name


def test_extras_promised_to_users_exist() -> None:
    extras = importlib.metadata.metadata("fisher-select").get_all("Provides-Extra") or []
    assert {"torch", "cuda", "experiments", "docs", "dev"} <= set(extras)


@pytest.mark.parametrize("path", BUILD_FILES, ids=lambda path: path.name)
def test_build_is_portable_and_exact(path: Path) -> None:
    """No flag ties the build to its machine or gives up IEEE arithmetic."""
    text = path.read_text(encoding="utf-8")
    forbidden = re.search(r"march=native|mtune=native|ffast-math|Ofast", text)
    assert forbidden is None, forbidden
