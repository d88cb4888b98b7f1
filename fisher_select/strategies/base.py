# SPDX-License-Identifier: Apache-2.0
"""What a strategy is: its options as a frozen dataclass, and one way to run it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fisher_select.arrays import Array
from fisher_select.selection import Selection


@dataclass(frozen=True)
class Strategy(ABC):
    """A selection function with its options bound; the fields are its keyword arguments.

    A new strategy is one small file: a frozen dataclass with `name`, `takes` and `_run`, and a
    line in strategies/__init__.py.
    """

    name: ClassVar[str]
    """Name in the registry."""

    takes: ClassVar[tuple[str, ...]]
    """Names of all arrays `select` accepts, such as "features" [n, d]."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the arrays a loop has to compute for `select`, with these options."""
        return self.takes

    def check_likelihood(self, likelihood: str) -> None:
        """Refuse outputs that the strategy, with these options, cannot select by.

        Parameters
        ----------
        likelihood : {"softmax", "sigmoid", "gaussian"}
            Of the model: classes that exclude each other, independent labels, or a regression.

        Raises
        ------
        ValueError
            Says what is missing, or which option to change.
        """
        uses_outputs = {"probabilities", "weight"} & set(self.needs)
        if likelihood == "softmax" or not uses_outputs or "likelihood" in self.options():
            return
        if likelihood == "gaussian":
            raise ValueError("it needs probabilities, which a regression has not")
        raise ValueError("it needs classes that exclude each other, not several labels a row")

    def select(
        self, *, batch_size: int, labeled: Array | None = None, **arrays: Array
    ) -> Selection:
        """Pick `batch_size` unlabelled rows of the pool that `arrays` describe.

        Raises
        ------
        TypeError
            An array this strategy does not take.
        TypeError, ValueError, NumericalError
            As the strategy's function.
        """
        for name in arrays:
            if name not in self.takes:
                raise TypeError(
                    f"strategy {self.name!r} takes no array {name!r}, only "
                    f"{', '.join(self.takes)}"
                )
        return self._run(arrays, batch_size=batch_size, labeled=labeled, **self.options())

    def check(self) -> None:  # noqa: B027  # most have nothing to check without arrays
        """Raise where the options alone say that no selection is possible."""

    def described(self) -> dict[str, Any]:
        """The fields as the description of a run has them: equal where the picks are."""
        return self.options()

    def options(self) -> dict[str, Any]:
        """The fields by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @abstractmethod
    def _run(self, arrays: Mapping[str, Array], **keywords: Any) -> Selection:
        """Call the function with `arrays` and all other `keywords`."""


class FactorStrategy(Strategy):
    """A strategy over the factors of the last layer, or over dense ones; see bait, max_det."""

    takes = ("features", "probabilities", "factors")

    likelihood: str
    """A field of every subclass."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the arrays a loop has to compute."""
        if self.likelihood == "gaussian":
            return ("features",)
        return ("features", "probabilities")
