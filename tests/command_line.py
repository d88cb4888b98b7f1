# SPDX-License-Identifier: Apache-2.0
"""The type of the fixture `call`, which runs the command line in the test's process."""

from collections.abc import Callable
from typing import TypeAlias

Call: TypeAlias = Callable[..., tuple[int, str, str]]
"""From words to (exit code, stdout, stderr)."""
