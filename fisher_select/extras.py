# SPDX-License-Identifier: Apache-2.0
"""Optional dependencies: objects of libraries that were loaded, and extras to install.

Only the experiments need torch, scikit-learn and matplotlib; selection itself never does.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["MissingExtraError", "is_a", "require"]


class MissingExtraError(ModuleNotFoundError):
    """An optional dependency is not installed; the message names the extra that brings it."""


def require(*modules: str, extra: str) -> None:
    """Raise unless every module can be found; nothing is imported.

    Parameters
    ----------
    modules
        Top-level names, such as ``"torch"``.
    extra
        The extra of ``fisher-select`` that installs them.

    Raises
    ------
    MissingExtraError
        Naming the modules that are missing and the command that installs them.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed; "
            f"try: pip install 'fisher-select[{extra}]'",
            name=missing[0],
        )


def is_a(value: object, library: str, kind: str) -> bool:
    """Whether a library that may be loaded calls it so; nothing is imported."""
    return isinstance(value, getattr(sys.modules.get(library), kind, ()))
