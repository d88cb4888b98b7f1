# SPDX-License-Identifier: Apache-2.0
"""Picks that follow one another on a device without the host: the CPU's, however many."""

import numpy as np
import pytest
from problems import arguments

import fisher_select as fs

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("cuda")]


# Q and P take 192 columns of updates before they are consolidated: 21 picks of ten classes,
# 192 of a regression. Batches of picks end there, or at 32, and come again as a graph.
@pytest.mark.parametrize(
    ("kind", "classes", "batch_size"),
    [("softmax", 10, 50), ("gaussian", 1, 140), ("softmax", 2, 120)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_batches_of_picks(kind: str, classes: int, batch_size: int, dtype: type) -> None:
    call = arguments(kind, 300, 4, classes, seed=3, dtype=dtype)
    picks = fs.bait(**call, batch_size=batch_size, backend="cuda")
    expected = fs.bait(**call, batch_size=batch_size, backend="cpu")
    np.testing.assert_array_equal(picks.forward_indices, expected.forward_indices)
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_allclose(picks.objective, expected.objective, rtol=1e-9)
