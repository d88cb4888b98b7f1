# SPDX-License-Identifier: Apache-2.0
"""Pools that do not fit a device: streamed from the host, or an error that says why."""

import numpy as np
import pytest

import fisher_select as fs
from fisher_select import cuda_module

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("cuda")]


@pytest.fixture
def device_memory(monkeypatch):
    """Sets the bytes of memory that the emulated device has."""
    if not cuda_module.load().emulated:
        pytest.skip("the memory of a real device is what it is")
    return lambda size: monkeypatch.setenv("FS_EMULATION_MEMORY", str(size))


@pytest.fixture(scope="module")
def pool():
    """Features [6,000, 64] of 1.5 MB and their probabilities."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((6_000, 64), dtype=np.float32)
    logits = features @ rng.standard_normal((64, 3), dtype=np.float32) / 4
    probabilities = np.exp(logits)
    return features, probabilities / probabilities.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("writeable", [True, False])
def test_a_pool_beyond_the_devices_memory_gives_the_same_picks(
    pool, writeable, device_memory, tmp_path
):
    features, probabilities = pool
    np.save(tmp_path / "features.npy", features)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r+" if writeable else "r")
    expected = fs.bait(features, probabilities, batch_size=4, backend="cpu")
    # 2.5 MB of a chunk in float64 and its weighted copies, 1.1 MB of state: X has no room.
    device_memory(2 * features.nbytes + 2_500_000)
    picks = fs.bait(mapped, probabilities, batch_size=4, backend="cuda", chunk_rows=500)
    device_memory(20_000_000)
    whole = fs.bait(features, probabilities, batch_size=4, backend="cuda", chunk_rows=500)
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_array_equal(picks.objective, whole.objective)


def test_too_little_memory_names_what_was_wanted(pool, device_memory):
    device_memory(1_000_000)
    with pytest.raises(MemoryError, match=r"needs \d+ MB that could not be allocated; "):
        fs.bait(*pool, batch_size=4, backend="cuda")
