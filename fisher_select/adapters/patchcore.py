# SPDX-License-Identifier: Apache-2.0
"""anomalib: PatchCore's memory bank by exact k-centre greedy, or by any other strategy.

    from anomalib.models.image.patchcore import torch_model
    from fisher_select.adapters.patchcore import FisherSelectSampler
    torch_model.KCenterGreedy = FisherSelectSampler

anomalib names a class to take, so that nothing of it is imported here.
"""

from __future__ import annotations

from typing import Any

from fisher_select.adapters._inputs import Provide, gathered, resolved
from fisher_select.options import as_real
from fisher_select.strategies import Strategy

__all__ = ["FisherSelectSampler"]

_GIVEN = ("features", "data")


class FisherSelectSampler:
    """Takes the place of ``anomalib.models.components.KCenterGreedy``.

    Distances are those of the embedding itself, where anomalib projects it at random first;
    the coreset is the same each time, where anomalib's starts at random.

    Parameters
    ----------
    embedding : tensor [n, ...]
        Patches, on the CPU or on a CUDA device, where it stays.
    sampling_ratio : float
        Size of the coreset: int(n * sampling_ratio) rows.
    strategy : str or Strategy
        A registered name, or ``fisher_select.strategies.get("k_center", first=0)``.
    provide : mapping or None
        Functions of (None, embedding) by the name of an array, for strategies that need more
        than features.

    Raises
    ------
    ValueError, TypeError
        A coreset of no row or of more than there are, or a strategy that misses something.
    """

    def __init__(
        self,
        embedding: Any,
        sampling_ratio: float,
        strategy: str | Strategy = "k_center",
        provide: Provide | None = None,
    ) -> None:
        ratio = as_real("sampling_ratio", sampling_ratio, above=0.0)
        self.strategy = resolved(strategy, host="PatchCore", gives=_GIVEN, provide=provide)
        self.embedding = embedding
        self.coreset_size = int(len(embedding) * ratio)
        if not 1 <= self.coreset_size <= len(embedding):
            raise ValueError(
                f"sampling_ratio must give 1 to {len(embedding)} rows of the embedding, got "
                f"{sampling_ratio}, which gives {self.coreset_size}"
            )
        self._provide = {} if provide is None else provide

    def select_coreset_idxs(self) -> list[int]:
        """Rows of the coreset, in the order picked."""
        arrays = gathered(self.strategy, self._array)
        picks = self.strategy.select(batch_size=self.coreset_size, **arrays)
        return [int(row) for row in picks.indices]

    def sample_coreset(self) -> Any:
        """The rows themselves, a tensor [coreset_size, ...] where the embedding is."""
        return self.embedding[self.select_coreset_idxs()]

    def _array(self, name: str) -> Any:
        if name in self._provide:
            return self._provide[name](None, self.embedding)
        return self.embedding.reshape(len(self.embedding), -1)
