# SPDX-License-Identifier: Apache-2.0
"""Where and with what a benchmark ran: CPU, instruction set, versions, commit, date.

No host name and no path: the files are published.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import threadpoolctl

ROOT = Path(__file__).resolve().parents[1]

# Narrowest to widest; the last one the CPU has is what its GEMM runs on.
INSTRUCTION_SETS = ("sse4_2", "avx", "avx2", "avx512f", "amx_bf16", "neon", "asimd", "sve")
PACKAGES = ("fisher-select", "numpy", "scipy", "torch")
# Results are rewritten by the very run that asks; they do not make the sources dirty.
SOURCES = (".", ":!benchmarks/results", ":!benchmarks/RESULTS.md")


def provenance(command: str, *, quick: bool) -> dict[str, Any]:
    """Everything of a record but the measurement; ``command`` is what reproduces it."""
    return {
        "machine": machine(),
        "versions": versions(),
        "blas": blas(),
        "commit": commit(),
        "command": command,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "quick": quick,
    }


def machine() -> dict[str, Any]:
    """CPU model, usable cores, widest instruction set and memory."""
    flags = _cpu_field("flags", "Features").split()
    known = [name for name in INSTRUCTION_SETS if name in flags]
    return {
        "cpu": _cpu_field("model name", "Model") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "instruction_set": known[-1] if known else platform.machine(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
    }


def usable_cores() -> int:
    """Cores this process may run on (fewer than the machine has, in a container)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Python and the packages that do the work; those not installed are left out."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def blas() -> list[dict[str, Any]]:
    """The thread pools loaded in this process, without the paths of their libraries."""
    keys = ("user_api", "internal_api", "version", "threading_layer", "architecture")
    pools = [
        {key: pool[key] for key in (*keys, "num_threads") if key in pool}
        for pool in threadpoolctl.threadpool_info()
    ]
    return [pool for k, pool in enumerate(pools) if pool not in pools[:k]]


def commit() -> str:
    """Short hash of the checkout, ``-dirty`` where sources differ; ``unknown`` outside git."""
    try:
        short = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", *SOURCES)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{short}-dirty" if changed else short


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _cpu_field(*names: str) -> str:
    """First value of any of these fields in /proc/cpuinfo; empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""
