# SPDX-License-Identifier: Apache-2.0
"""The browser that reads reports and documentation in tests; they skip where there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# As root, and on a machine without a network, Chromium starts with these alone.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--dump-dom",
)


def read(address: str, profile: Path, *, milliseconds: int) -> str:
    """The page as it stands after so much of the browser's time, no word on the console."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the PATH")
    own = (f"--user-data-dir={profile}", f"--virtual-time-budget={milliseconds}")
    done = subprocess.run(
        [chromium, *_FLAGS, *own, address],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout
