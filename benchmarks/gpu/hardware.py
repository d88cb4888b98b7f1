# SPDX-License-Identifier: Apache-2.0
"""The card, its driver, the tools; ``python -m benchmarks.gpu.hardware`` prints them as JSON.

Nothing is imported for it, so that it runs before anything is built.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
from typing import Any

ABSENT = "absent"
CARD = ("name", "driver_version", "memory.total", "compute_cap")  # as nvidia-smi calls them
# CuPy's name ends in the version of CUDA that it is for.
PACKAGES = ("torch", "cupy", "cupy-cuda12x", "cupy-cuda13x", "pybind11", "scikit-build-core")


def hardware() -> dict[str, Any]:
    """The card and the versions; what is not there is "absent"."""
    nvcc = re.search(r"release ([\d.]+)", _said("nvcc", "--version"))
    return {
        **_card(),
        "nvcc": nvcc[1] if nvcc else ABSENT,
        **{name: found for name in PACKAGES if (found := _version(name)) != ABSENT},
    }


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
    print(json.dumps(hardware(), indent=1))
