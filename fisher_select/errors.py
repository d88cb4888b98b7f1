# SPDX-License-Identifier: Apache-2.0
"""Exceptions of our own: numbers, or ranks, that went wrong in spite of valid input.

The caller's faults are plain TypeError and ValueError (see arrays.py and options.py); what
another library raised is quoted in them by its first line.
"""

from __future__ import annotations


class NumericalError(ArithmeticError):
    """Valid input, but the arithmetic broke down; no picks are returned.

    Raised when the information matrix M is not positive definite in floating point, or when
    the fast state drifts and refreshing it does not help. Usually `lam` is too small for the
    scale of the features: raise it, or scale the features.

    Parameters
    ----------
    message : str
        What broke, where, and which option helps.
    step : int or None
        How many times M had been changed by then, over both stages: 0 is the start, k the
        k-th entry (counted from 1) of `Selection.objective`.
    """

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__(message)
        self.step = step


class RankError(RuntimeError):
    """A distributed selection lost a rank, or a rank stopped with an error of its own.

    Parameters
    ----------
    message : str
        Who, as far as it is known, and why.
    ranks : tuple of int
        Those that gave no answer.
    """

    def __init__(self, message: str, ranks: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.ranks = ranks


def first_line(error: BaseException) -> str:
    """An error's first line, or its kind where it has no words."""
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
