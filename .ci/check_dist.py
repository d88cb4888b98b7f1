# SPDX-License-Identifier: Apache-2.0
"""Is what would be published what should be? ``python .ci/check_dist.py SDIST WHEEL``.

The sdist holds sources and tests and no product of a build; the wheel the package alone, for
any Linux of its age, with nothing in it of the machine that built it. Needs pyelftools.
"""

from __future__ import annotations

import io
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from elftools.elf.elffile import ELFFile

NEEDED_IN_SDIST = (
    "CMakeLists.txt",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "bindings/core_module.cpp",
    "cmake/kernels.cmake",
    "conftest.py",
    "csrc/ops.h",
    "examples/digits.toml",
    "fisher_select/py.typed",
    "pyproject.toml",
    "tests/golden/make_golden.py",
    "tests/smoke.py",
)
NEEDED_IN_WHEEL = (
    r"fisher_select/py\.typed",
    r"fisher_select/_core\.pyi",
    r"fisher_select/_core\.cpython-.*\.so",
    r"fisher_select/report/page\.html\.jinja",
    r"fisher_select-.*\.dist-info/licenses/LICENSE",
)
PRODUCTS = {".so", ".o", ".a", ".pyc", ".whl", ".gz"}
NOT_SOURCES = {"build", "dist", "runs", "shared", "results", "__pycache__"}
MOST_BYTES = 2 << 20  # of an sdist: a data set or a product would be larger
# Absolute, and of a source or an object: what __FILE__ and debug information leave behind.
SOURCE_PATH = re.compile(rb"(?:/[\w.+-]+){2,}\.(?:c|cc|cpp|cu|cuh|h|hpp|o)\b")


class UnfitError(Exception):
    """What must not be published, in words."""


def check_sdist(path: Path) -> int:
    """Check names and size; returns the number of files."""
    with tarfile.open(path) as archive:
        names = [PurePosixPath(member.name) for member in archive if member.isfile()]
    held = [PurePosixPath(*name.parts[1:]) for name in names]
    if missing := set(NEEDED_IN_SDIST) - set(map(str, held)):
        raise UnfitError(f"lacks {', '.join(sorted(missing))}")
    for name in held:
        if name.suffix in PRODUCTS or NOT_SOURCES & set(name.parts):
            raise UnfitError(f"holds {name}, which is no source")
        if any(part.startswith(".") for part in name.parts):
            raise UnfitError(f"holds {name}, which is for the repository")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise UnfitError(f"has {size:,} bytes, more than {MOST_BYTES:,}")
    return len(held)


def check_wheel(path: Path) -> int:
    """Check tag, names and libraries; returns the number of files."""
    if "-manylinux_" not in path.name:
        raise UnfitError("has no manylinux tag")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for pattern in NEEDED_IN_WHEEL:
            if not any(re.fullmatch(pattern, name) for name in names):
                raise UnfitError(f"lacks {pattern}")
        check_rooms(names)
        for name in names:
            if ".so" in PurePosixPath(name).suffixes:
                check_search_path(name, archive.read(name))
            if name.endswith(".so"):  # ours: those of the system have a number after it
                check_own(name, archive.read(name))
    return len(names)


def check_rooms(names: Iterable[str]) -> None:
    """Nothing is installed beside the package, its libraries and its metadata."""
    for name in names:
        room = name.partition("/")[0]
        if room not in ("fisher_select", "fisher_select.libs") and ".dist-info" not in room:
            raise UnfitError(f"installs {name}")


def check_search_path(name: str, content: bytes) -> None:
    """Libraries are looked for beside it, not where its builder had them."""
    dynamic = ELFFile(io.BytesIO(content)).get_section_by_name(".dynamic")
    for tag in dynamic.iter_tags() if dynamic else ():
        if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
            places = tag.rpath if tag.entry.d_tag == "DT_RPATH" else tag.runpath
            if not all(place.startswith("$ORIGIN") for place in places.split(":")):
                raise UnfitError(f"{name} looks for libraries in {places}")


def check_own(name: str, content: bytes) -> None:
    """Stripped, and without a path of its builder's."""
    if found := SOURCE_PATH.search(content):
        raise UnfitError(f"{name} names {found[0].decode()}, a file of its builder")
    if ELFFile(io.BytesIO(content)).has_dwarf_info(strict=True):
        raise UnfitError(f"{name} holds debug information")


def main(words: list[str]) -> int:
    """Check an sdist and a wheel; the exit code."""
    sdist, wheel = map(Path, words)
    for path, check in ((sdist, check_sdist), (wheel, check_wheel)):
        try:
            print(f"{path.name}: {check(path)} files, {path.stat().st_size:,} bytes")
        except UnfitError as error:
            print(f"{path.name} {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
