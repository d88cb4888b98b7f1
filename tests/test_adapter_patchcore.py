# SPDX-License-Identifier: Apache-2.0
"""In the place of anomalib's sampler: its two methods, called as PatchCore calls them."""

from __future__ import annotations

from typing import Any

import hosts
import numpy as np
import pytest

import fisher_select as fs
from fisher_select import strategies
from fisher_select.adapters.patchcore import FisherSelectSampler

torch = pytest.importorskip("torch")


class Patchcore:
    """What anomalib's PatchCore does with a sampler: stack patches, keep the coreset."""

    sampler_class: Any = FisherSelectSampler

    def __init__(self) -> None:
        self.embedding_store: list[Any] = []
        self.memory_bank = torch.empty(0)

    def subsample_embedding(self, sampling_ratio: float) -> None:
        stacked = torch.vstack(self.embedding_store)
        sampler = self.sampler_class(embedding=stacked, sampling_ratio=sampling_ratio)
        self.memory_bank = sampler.sample_coreset()


@pytest.fixture(scope="module")
def patches() -> Any:
    """Patches of 4 x 4 pixels of digit images [4 * 100, 16]."""
    images = hosts.digits(100)[0].reshape(-1, 2, 4, 2, 4)
    return torch.as_tensor(images.transpose(0, 1, 3, 2, 4).reshape(-1, 16))


def test_the_memory_bank_is_the_exact_k_centre(patches: Any) -> None:
    core = Patchcore()
    core.embedding_store = list(patches.split(64))
    core.subsample_embedding(0.1)
    picks = fs.k_center(patches.numpy(), batch_size=40)
    assert torch.equal(core.memory_bank, patches[picks.indices])


def test_it_covers_no_worse_than_greedy_from_the_same_row(patches: Any) -> None:
    sampler = FisherSelectSampler(patches, 0.05, strategies.get("k_center", first=3))
    chosen = sampler.select_coreset_idxs()
    distances = torch.linalg.norm(patches - patches[3], dim=1)
    for _ in range(19):  # farthest first, in full, as anomalib does
        farthest = patches[distances.argmax()]
        distances = torch.minimum(distances, torch.linalg.norm(patches - farthest, dim=1))
    assert torch.cdist(patches, patches[chosen]).amin(1).max() <= distances.max() + 1e-12
    assert chosen[0] == 3


def test_further_axes_are_laid_side_by_side(patches: Any) -> None:
    sampler = FisherSelectSampler(patches.reshape(-1, 4, 4), 0.02)
    assert sampler.sample_coreset().shape == (8, 4, 4)
    flat = FisherSelectSampler(patches, 0.02)
    assert sampler.select_coreset_idxs() == flat.select_coreset_idxs()
    assert all(type(row) is int for row in flat.select_coreset_idxs())


@pytest.mark.parametrize("name", hosts.PLAIN)
def test_every_strategy_given_what_it_needs(name: str, patches: Any) -> None:
    strategy = hosts.strategy(name)
    P = torch.softmax(patches[:, :5], 1)
    provide = {"probabilities": lambda _none, _rows: P}
    needs = {k: v for k, v in provide.items() if k in strategy.needs}
    found = FisherSelectSampler(patches, 0.02, strategy, needs).select_coreset_idxs()
    arrays = {"features": patches, "data": patches, "probabilities": P}
    picks = strategy.select(batch_size=8, **{k: arrays[k] for k in strategy.needs})
    assert found == picks.indices.tolist()


def test_bait_is_fs_bait(patches: Any) -> None:
    bait = strategies.get("bait", likelihood="gaussian")
    found = FisherSelectSampler(patches, 0.05, bait).select_coreset_idxs()
    picks = fs.bait(patches, likelihood="gaussian", batch_size=20)
    np.testing.assert_array_equal(found, picks.indices)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampling_ratio": 0.001}, "must give 1 to 400 rows of the embedding, got 0.001"),
        ({"sampling_ratio": 1.5}, "which gives 600"),
        ({"sampling_ratio": -1.0}, "sampling_ratio must be greater than 0"),
        ({"strategy": "bait"}, "needs probabilities, which PatchCore does not give"),
    ],
)
def test_refused_when_made(arguments: Any, message: str, patches: Any) -> None:
    with pytest.raises(ValueError, match=message):
        FisherSelectSampler(patches, **{"sampling_ratio": 0.1, **arguments})


def test_the_real_sampler_has_the_same_face() -> None:
    pytest.importorskip("jsonargparse")  # of anomalib's own needs
    real = pytest.importorskip("anomalib.models.components").KCenterGreedy
    assert callable(real.select_coreset_idxs)
    assert callable(real.sample_coreset)
    assert real.__init__.__code__.co_varnames[1:3] == ("embedding", "sampling_ratio")
