# SPDX-License-Identifier: Apache-2.0
"""Checks of arrays on a CUDA device: what the host finds, in the host's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from exporters import LAYOUTS, Export
from operations import LARGE, D, N, pool, run

from fisher_select import arrays, device_arrays, pool_arrays

pytestmark = pytest.mark.cuda


def refusal(
    call: Callable[..., object], *arguments: Any, **keywords: Any
) -> tuple[type[Exception], str] | None:
    """Type and text of the error, if there is one."""
    try:
        call(*arguments, **keywords)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    return None


def test_finiteness_in_the_hosts_words(export: Export) -> None:
    rng = np.random.default_rng(5)
    for shape in [(40, 3), (33, 1), (1, 70), (40, 6, 4), (40, 4, 6), (3, 9_000)]:
        for _ in range(4):
            bad = rng.standard_normal(shape).astype(rng.choice([np.float32, np.float64]))
            at = [tuple(int(rng.integers(extent)) for extent in shape) for _ in range(3)]
            for place_of_bad in at:
                bad[place_of_bad] = rng.choice([np.nan, np.inf, -np.inf])
            given = LAYOUTS["every second"](bad) if rng.integers(2) else bad
            given = np.asfortranarray(given) if rng.integers(2) else given
            name = "features" if bad.ndim == 2 else "factors"
            host = arrays.as_matrix if bad.ndim == 2 else arrays.as_factors
            there = pool_arrays.as_pool_matrix if bad.ndim == 2 else pool_arrays.as_pool_factors
            view = device_arrays.device_view(name, export(given))
            expected = refusal(host, name, given)
            assert expected is not None
            assert refusal(there, name, view) == expected


def test_finite_arrays_pass_uncopied(export: Export) -> None:
    for shape in [(40, 3), (3, 9_000)]:
        values = np.full(shape, np.finfo(np.float32).max, np.float32)  # their sum overflows
        view = device_arrays.device_view("features", export(values))
        assert pool_arrays.as_pool_matrix("features", view) is view


def with_entry(array: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    changed = array.copy()
    changed[row, column] = value
    return changed


P = pool(np.float64)["probabilities"]


@pytest.mark.parametrize("likelihood", ["softmax", "sigmoid"])
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(with_entry(P, 9, 2, 1.25), id="above"),
        pytest.param(with_entry(P, 50, 0, -0.5), id="below"),
        pytest.param(with_entry(with_entry(P, 50, 0, -0.5), 7, 1, 0.9999), id="both"),
        pytest.param(with_entry(P, 31, 2, np.nan), id="nan"),
        pytest.param(P * 0.99, id="sums"),
        pytest.param(P[:-1], id="rows"),
        pytest.param(np.ones((N, 1)), id="one class"),
        pytest.param(P[0], id="axes"),
        pytest.param(P[:0], id="empty"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bad_probabilities_in_the_hosts_words(
    bad: np.ndarray, likelihood: str, dtype: type, export: Export
) -> None:
    bad = bad.astype(dtype)
    view = device_arrays.device_view("probabilities", export(bad))
    expected = refusal(arrays.as_probabilities, "probabilities", bad, N, likelihood)
    found = refusal(pool_arrays.as_pool_probabilities, "probabilities", view, N, likelihood)
    assert found == expected
    assert likelihood == "sigmoid" or expected is not None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_probabilities_are_repaired_as_on_the_host(
    dtype: type, layout: str, export: Export
) -> None:
    rng = np.random.default_rng(6)
    off = (P * (1.0 - 5e-4 * rng.random((N, 1)))).astype(dtype)
    off[4] = [1.0 + 5e-7, -5e-7, 0.0]
    for likelihood in ("softmax", "sigmoid"):
        expected = arrays.as_probabilities("probabilities", off, N, likelihood)
        view = device_arrays.device_view("probabilities", export(LAYOUTS[layout](off)))
        seen = pool_arrays.as_pool_probabilities("probabilities", view, N, likelihood)
        assert isinstance(seen, device_arrays.DeviceArray)
        assert seen is not view
        assert seen.dtype == dtype
        # The order of a row's sum is another.
        np.testing.assert_allclose(seen.copy(), expected, rtol=2 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(view.copy(), off)  # the caller's is left alone
    view = device_arrays.device_view("probabilities", export(P.astype(dtype)))
    assert pool_arrays.as_pool_probabilities("probabilities", view, N, "softmax") is view


def test_shapes_in_the_hosts_words(export: Export) -> None:
    for shape in [(3,), (0, 3), (3, 0), (2, 2, 2)]:
        bad = np.ones(shape)
        expected = refusal(run, "bait gaussian", {"features": bad})
        assert expected is not None
        assert refusal(run, "bait gaussian", {"features": export(bad)}) == expected
    wrong = np.ones((20, D + 1))
    given = pool()
    there = given | {name: export(given[name]) for name in LARGE}
    expected = refusal(run, "information_gain", given, eval_features=wrong)
    assert expected is not None
    found = refusal(run, "information_gain", there, eval_features=export(wrong))
    assert found == expected
