# SPDX-License-Identifier: Apache-2.0
"""The card, its driver, the tools; ``python -m benchmarks.gpu.hardware`` prints them as JSON.

Nothing is imported for it, so that it runs before anything is built. Exit code 1 where
something is missing that the build, the tests or the benchmarks need.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

ABSENT = "absent"
CARD = ("name", "driver_version", "memory.total", "compute_cap")  # as nvidia-smi calls them
# CuPy's name ends in the version of CUDA that it is for.
PACKAGES = ("torch", "cupy", "cupy-cuda12x", "cupy-cuda13x", "pybind11", "scikit-build-core")
NEEDED = (
    "torch",
    "numpy",
    "scipy",
    "threadpoolctl",
    "pybind11",
    "scikit_build_core",
    "pytest",
    "hypothesis",
)


def hardware() -> dict[str, Any]:
    """The card and the versions; what is not there is "absent"."""
    nvcc = re.search(r"release ([\d.]+)", _said("nvcc", "--version"))
    return {
        **_card(),
        "nvcc": nvcc[1] if nvcc else ABSENT,
        **{name: found for name in PACKAGES if (found := _version(name)) != ABSENT},
    }


def missing(found: Mapping[str, Any]) -> list[str]:
    """What is needed and not there, of the tools and the modules."""
    tools = [name for name in ("card", "nvcc") if found[name] == ABSENT]
    return tools + [name for name in NEEDED if find_spec(name) is None]


def main() -> int:
    """Print; 1 where something is missing."""
    found = hardware()
    lacks = missing(found)
    print(json.dumps(found | {"missing": lacks}, indent=1))
    return 1 if lacks else 0


def _card() -> dict[str, str]:
    """The first card."""
    said = _said("nvidia-smi", f"--query-gpu={','.join(CARD)}", "--format=csv,noheader")
    values = [value.strip() for value in (said.splitlines() or [""])[0].split(",")]
    if len(values) != len(CARD):
        return {"card": ABSENT}
    return dict(zip(("card", "driver", "memory", "compute_capability"), values, strict=True))


def _said(*command: str) -> str:
    """What a program prints; nothing where there is none, or it fails."""
    try:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ABSENT


if __name__ == "__main__":
    sys.exit(main())
