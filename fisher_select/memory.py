# SPDX-License-Identifier: Apache-2.0
"""How much memory a FisherMask selection takes, said before any is taken."""

from __future__ import annotations

from dataclasses import dataclass

from fisher_select import dual
from fisher_select.free_memory import free_memory
from fisher_select.options import as_count

__all__ = ["MemoryNeed", "check_memory"]

_ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float64": 8}


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a FisherMask selection holds at its peak beside the model.

    Attributes
    ----------
    diagonal : int
        Information of all parameters, twice while it is averaged.
    factors : int
        The stored factors [n, r, D]; 0 where they are in a file.
    selection : int
        Of the greedy: n r x n r numbers in the dual form, 4 D x D in the primal one.
    dual : bool
        Which form of the greedy: the dual one works on inner products of the factors.
    """

    diagonal: int
    factors: int
    selection: int
    dual: bool

    @property
    def peak(self) -> int:
        """The diagonal is gone when the factors come."""
        return max(self.diagonal, self.factors + self.selection)

    @classmethod
    def of(
        cls,
        parameters: int,
        n: int,
        width: int,
        rank: int,
        *,
        dtype: str = "float32",
        in_file: bool = False,
        dual_allowed: bool = True,
        steps: int = 0,
    ) -> MemoryNeed:
        """Of n samples with factors [width, rank], out of so many trainable parameters.

        `steps` are those of the greedy, forward and backward, of which the dual keeps a trace.
        """
        numbers, columns = n * rank * width, n * rank
        is_dual = dual_allowed and columns <= width
        # Dual: the Gram matrix, and a piece of the factors before and after widening. Primal:
        # M, F, Q, P, the state of each candidate, and the float32 copy bfloat16 needs.
        selection = (
            8 * columns**2 + columns * (12 * min(width, dual.PIECE) + 8 * steps * rank)
            if is_dual
            else 32 * width**2 + 8 * n * rank**2 + (4 * numbers if dtype == "bfloat16" else 0)
        )
        stored = 0 if in_file else _ITEM_BYTES[dtype] * numbers
        return cls(16 * parameters, stored, selection, is_dual)


def check_memory(need: MemoryNeed, limit: int | None, what: str) -> None:
    """Refuse a selection that needs more than `limit` bytes, or than the machine has free.

    Raises
    ------
    MemoryError
        What is needed for `what`, what is allowed, and which options of
        `fisher_select.fisher_mask` lower the need.
    """
    allowed = free_memory() if limit is None else as_count("memory_limit", limit)
    if need.peak <= allowed:
        return
    source = "free on this machine" if limit is None else "allowed by memory_limit"
    raise MemoryError(
        f"fisher_mask needs {_size(need.peak)} for {what} (factors {_size(need.factors)}, "
        f"selection {_size(need.selection)}), more than the {_size(allowed)} {source}; lower "
        "sparsity, pass sketch_dim (a random projection), path (factors in a file) or "
        "dtype='bfloat16', or offer a smaller pool"
    )


def _size(count: int) -> str:
    """Bytes with three digits and a unit."""
    unit, name = (1e9, "GB") if count >= 1e9 else (1e6, "MB")
    return f"{count / unit:.3g} {name}"
