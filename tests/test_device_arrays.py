# SPDX-License-Identifier: Apache-2.0
"""Arrays on a CUDA device, put there by every way: picks and sums are those of host arrays."""

from __future__ import annotations

import numpy as np
import pytest
from exporters import LAYOUTS, Export
from operations import LARGE, OPERATIONS, N, pool, run

import fisher_select as fs
from fisher_select import arrays

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_picks_are_those_of_host_arrays(operation: str, dtype: type, export: Export) -> None:
    given = pool(dtype)
    there = given | {name: export(given[name]) for name in LARGE}
    found, expected = run(operation, there), run(operation, given, backend="cuda")
    assert found.backend == "cuda"
    assert found.indices.dtype == np.int64
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.indices, run(operation, given, backend="cpu").indices)


def test_strategies_by_name(export: Export) -> None:
    given = pool()
    X, P = given["features"], given["probabilities"]
    found = fs.select("badge", features=export(X), probabilities=export(P), batch_size=4)
    assert found.backend == "cuda"
    np.testing.assert_array_equal(found.indices, fs.badge(X, P, batch_size=4).indices)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("operation", ["bait", "bait dense", "k_center", "badge"])
def test_any_strides(operation: str, layout: str, export: Export) -> None:
    given = pool()
    there = given | {name: export(LAYOUTS[layout](given[name])) for name in LARGE}
    np.testing.assert_array_equal(run(operation, there).indices, run(operation, given).indices)


def test_small_arrays_lie_on_either_side(export: Export) -> None:
    given = pool()
    there = {name: export(value) for name, value in given.items() if name != "labeled"}
    there["labeled"] = export(np.array([40, 3, 11]))
    expected = run("information_gain", given)
    found = run("information_gain", there)
    np.testing.assert_array_equal(found.indices, expected.indices)
    # On the host all stays as it was: only the small ones are copied there.
    mixed = {name: given[name] if name in LARGE else there[name] for name in given}
    found = run("information_gain", mixed)
    assert found.backend == "cpu"
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_a_mask_of_labelled_rows_on_the_device(export: Export) -> None:
    given = pool()
    rows = arrays.as_labeled(export(given["labeled"]), N)
    np.testing.assert_array_equal(rows, [3, 11, 40])


def test_information_gain_scores(export: Export) -> None:
    given = pool()
    X, P = given.pop("features"), given.pop("probabilities")
    del given["factors"], given["labeled"]
    expected = fs.information_gain_scores(X, P, **given, backend="cuda")
    given["eval_features"] = export(given["eval_features"])
    found = fs.information_gain_scores(export(X), export(P), **given)
    np.testing.assert_array_equal(found, expected)


def test_top_k_mask(export: Export) -> None:
    diagonal = np.random.default_rng(1).random(500).astype(np.float32).round(2)
    always = np.array([7, 3, 250])
    found = fs.top_k_mask(export(diagonal[::2]), 40, export(always[:2]))
    np.testing.assert_array_equal(found, fs.top_k_mask(diagonal[::2], 40, always[:2]))
    diagonal[30] = np.nan
    with pytest.raises(ValueError, match=r"^diagonal must be finite: entry 30 is nan$"):
        fs.top_k_mask(export(diagonal), 40)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_diagonal_fisher_sums_where_the_gradients_lie(dtype: str, export: Export) -> None:
    rng = np.random.default_rng(2)
    parts = [rng.standard_normal((4, 30)).astype(np.float32) for _ in range(4)]
    weights = np.array([0.5, 1.0, 0.0, 2.0])
    sums = fs.DiagonalFisher(30, dtype=dtype)
    # To the device, on it, back to the host, and to the device again.
    for part, there in zip(parts, [True, True, False, True], strict=True):
        sums.add(export(part) if there else part, export(weights) if there else weights)
    expected = fs.DiagonalFisher(30, dtype=dtype, backend="cpu")
    for part in parts:
        expected.add(part, weights)
    np.testing.assert_array_equal(sums.mean(), expected.mean())
    assert sums.mean().dtype == dtype


def test_first_center_is_the_hosts_with_ties(export: Export) -> None:
    X = np.tile(np.arange(12.0), (6, 1)).T  # rows 5 and 6 are equally near to the mean
    assert fs.k_center(X, batch_size=1).indices[0] == 5
    assert fs.k_center(export(X), batch_size=1).indices[0] == 5
    X, P = np.repeat(X, 3, axis=0), np.tile([0.4, 0.2, 0.4], (36, 1))
    for layout in (np.ascontiguousarray, np.asfortranarray):
        there = {"X": export(layout(X)), "P": export(layout(P))}
        assert fs.k_center(**there, batch_size=1, embedding="gradient").indices[0] == 33


def test_many_rows_for_the_first_center(export: Export) -> None:
    X = np.random.default_rng(4).standard_normal((5_000, 3))
    expected = int(np.argmin(((X - X.mean(axis=0)) ** 2).sum(axis=1)))
    assert fs.k_center(export(X), batch_size=1).indices[0] == expected
