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
from fisher_select import _core

ROOT = Path(__file__).resolve().parents[1]
BUILD_FILES = [
    ROOT / "CMakeLists.txt",
    ROOT / "CMakePresets.json",
    ROOT / "pyproject.toml",
    *sorted((ROOT / "cmake").glob("*.cmake")),
]


def test_version_has_one_source() -> None:
    """The number stands in pyproject.toml alone."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert fisher_select.__version__ == declared["project"]["version"]
    assert importlib.metadata.version("fisher-select") == fisher_select.__version__


def test_types_are_shipped() -> None:
    """Type checkers read the package's own annotations, and a stub for the compiled part."""
    package = files("fisher_select")
    assert package.joinpath("py.typed").is_file()
    assert package.joinpath("_core.pyi").is_file()


def test_stub_names_what_the_module_has() -> None:
    """The stub of the compiled module neither invents nor forgets a public name."""
    stub = files("fisher_select").joinpath("_core.pyi").read_text(encoding="utf-8")
    declared = set(re.findall(r"^(?:def|class) ([a-z]\w*)|^([a-z]\w*):", stub, re.MULTILINE))
    names = {name for pair in declared for name in pair if name}
    assert names == {name for name in dir(_core) if not name.startswith("_")}


@pytest.mark.parametrize("path", BUILD_FILES, ids=lambda path: path.name)
def test_build_is_portable_and_exact(path: Path) -> None:
    """No flag ties the build to its machine or gives up IEEE arithmetic."""
    text = path.read_text(encoding="utf-8")
    forbidden = re.search(r"march=native|mtune=native|ffast-math|Ofast", text)
    assert forbidden is None, forbidden
