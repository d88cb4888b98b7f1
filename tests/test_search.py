# SPDX-License-Identifier: Apache-2.0
"""Searches of the forward stage that do not look at every candidate: lazy and stochastic."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from problems import REGRET, features, problem_of, softmax_rows

import fisher_select as fs
from fisher_select.reference import fisher as reference

Floats = npt.NDArray[Any]


def pool(n: int = 3000, d: int = 12, classes: int = 5) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(11)
    return features(rng, n, d).astype(np.float32), softmax_rows(rng, n, classes)


def leading(n: int, d: int, classes: int) -> tuple[Floats, Floats]:
    """A pool whose features have leading directions, as those of a trained network."""
    rng = np.random.default_rng(12)
    X = rng.standard_normal((n, d)) * 0.8 ** np.arange(d)
    return X.astype(np.float32), softmax_rows(rng, n, classes)


def same(picks: fs.Selection, expected: fs.Selection) -> None:
    assert picks.forward_indices is not None
    assert expected.forward_indices is not None
    assert picks.forward_indices.tolist() == expected.forward_indices.tolist()
    assert picks.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lam": 1e-1},
        {"fisher": "block_diagonal"},
        {"fisher": "binary"},
        {"rank": 2},
        {"likelihood": "sigmoid"},
        {"prefilter": 6000},
        {"use_pool_fisher": False},
    ],
    ids=str,
)
def test_lazy_search_makes_the_picks_of_the_full_one(options: dict[str, Any]) -> None:
    X, P = leading(8000, 32, 4)
    call = {"labeled": np.arange(0, 300, 10), "batch_size": 30} | options
    lazy = fs.bait(X, P, search="lazy", **call)
    same(lazy, fs.bait(X, P, **call))
    assert 0.0 < lazy.diagnostics["search_share"] < 1.0


def test_lazy_regression_and_dense_factors() -> None:
    X, P = leading(8000, 32, 4)
    regression = {"likelihood": "gaussian", "batch_size": 20}
    same(fs.bait(X, search="lazy", **regression), fs.bait(X, **regression))
    V = np.einsum("nd,nc->ndc", X, np.sqrt(P[:, :2])).reshape(8000, -1, 1)
    V = np.concatenate([V, V[::-1]], axis=2)
    dense = {"factors": V, "batch_size": 15}
    lazy = fs.bait(search="lazy", **dense)
    same(lazy, fs.bait(**dense))
    assert 0.0 < lazy.diagnostics["search_share"] < 1.0


def test_a_lazy_search_that_saves_nothing_becomes_a_full_one() -> None:
    X, P = pool()  # few directions, each of which counts
    call = {"labeled": np.arange(0, 300, 10), "batch_size": 40}
    lazy = fs.bait(X, P, search="lazy", **call)
    same(lazy, fs.bait(X, P, **call))
    # What the attempt cost is at most what a full search costs.
    assert 1.0 < lazy.diagnostics["search_share"] < 2.0


def test_lazy_search_of_a_wide_pool_screens_by_ever_more_directions() -> None:
    X, P = leading(6000, 64, 3)
    X = X + 0.05 * np.random.default_rng(1).standard_normal(X.shape).astype(np.float32)
    call = {"batch_size": 60, "lam": 0.1}
    same(fs.bait(X, P, search="lazy", **call), fs.bait(X, P, **call))


def test_every_instruction_set_screens_alike(
    instruction_set: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = importlib.import_module("fisher_select._core")
    X, P = leading(8000, 32, 4)
    call = {"labeled": np.arange(0, 300, 10), "batch_size": 30}
    usual = fs.bait(X, P, search="lazy", **call)
    chosen = functools.partial(core.trace_select, instruction_set=instruction_set)
    monkeypatch.setattr(core, "trace_select", chosen)
    found = fs.bait(X, P, search="lazy", **call)
    same(found, usual)
    # What a screen says decides how many rows are scored.
    share = usual.diagnostics["search_share"]
    assert found.diagnostics["search_share"] == pytest.approx(share, rel=1e-2)


@pytest.mark.parametrize("search", ["lazy", "stochastic"])
def test_threads_and_strides_do_not_matter(search: str) -> None:
    X, P = pool()
    call: dict[str, Any] = {"batch_size": 25, "search": search}
    one = fs.bait(X, P, threads=1, **call)
    same(fs.bait(X, P, threads=3, **call), one)
    same(fs.bait(np.asfortranarray(X), P, threads=2, **call), one)


@pytest.mark.parametrize("width", [12, 40])
def test_copies_of_a_row_go_to_the_lowest(width: int) -> None:
    X, P = pool(400) if width == 12 else leading(4000, width, 4)
    X, P = np.concatenate([X, X]), np.concatenate([P, P])
    call = {"batch_size": 30}
    same(fs.bait(X, P, search="lazy", **call), fs.bait(X, P, **call))


def test_every_row_can_be_picked() -> None:
    X, P = pool(70)
    call = {"labeled": np.arange(10), "batch_size": 60, "oversample": 1.0}
    same(fs.bait(X, P, search="lazy", **call), fs.bait(X, P, **call))
    drawn = fs.bait(X, P, search="stochastic", **call)
    assert sorted(drawn.indices) == list(range(10, 70))


def test_a_stochastic_search_loses_little_and_follows_its_seed() -> None:
    X, P = pool()
    call = {"labeled": np.arange(20), "batch_size": 20, "oversample": 1.0}
    full = fs.bait(X, P, **call)
    found = [fs.bait(X, P, search="stochastic", seed=seed, **call) for seed in (0, 0, 1)]
    assert found[0].indices.tolist() == found[1].indices.tolist()
    assert found[0].indices.tolist() != found[2].indices.tolist()

    assert full.objective is not None
    for picks in found:
        assert picks.objective is not None
        assert picks.indices.tolist() != full.indices.tolist()
        assert not set(picks.indices) & set(range(20))
        assert full.objective[-1] < picks.objective[-1] < 1.1 * full.objective[-1]


def test_a_stochastic_pick_is_the_best_of_those_drawn() -> None:
    X, P = leading(600, 24, 3)
    seed, epsilon, labeled = 5, 0.05, np.arange(0, 600, 20)
    call = {"labeled": labeled, "batch_size": 15, "oversample": 1.0}
    picks = fs.bait(X, P, search="stochastic", epsilon=epsilon, seed=seed, **call)
    assert picks.forward_indices is not None

    words = np.random.Philox(key=seed).random_raw(15 * 600).reshape(15, 600)
    drawn = ((words >> np.uint64(11)) + 0.5) * 2.0**-53 < -np.log(epsilon) / 15
    V, M, F = reference.start(problem_of({"X": X, "P": P} | call))
    free = np.ones(600, bool)
    free[labeled] = False
    for step, pick in enumerate(picks.forward_indices.tolist()):
        among = np.flatnonzero(drawn[step] & free)
        gains = reference.gains(V[among], reference.inverse_root(M, step), F)
        assert pick in among
        assert gains[among == pick] >= (1 - REGRET) * gains.max()
        M = M + V[pick] @ V[pick].T
        free[pick] = False


def test_a_stochastic_search_that_draws_all_is_the_full_one() -> None:
    X, P = pool(200)
    call = {"batch_size": 5, "oversample": 1.0}
    # ln(1 / epsilon) / 5 is above 1: every candidate is drawn.
    same(fs.bait(X, P, search="stochastic", epsilon=1e-3, **call), fs.bait(X, P, **call))


def test_searches_go_on_after_a_refresh_and_in_float64() -> None:
    rng = np.random.default_rng(3)
    X = np.repeat(features(rng, 200, 4), 4, axis=0).astype(np.float32)
    P = softmax_rows(rng, 800, 4)
    call = {"batch_size": 60, "lam": 1e-7, "oversample": 1.0}
    full = fs.bait(X, P, **call)
    lazy = fs.bait(X, P, search="lazy", **call)
    assert full.refreshes > 0
    assert lazy.refreshes > 0
    assert full.objective is not None
    assert lazy.objective is not None
    np.testing.assert_allclose(lazy.objective[-1], full.objective[-1], rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": "eager"}, "search must be one of"),
        ({"search": "stochastic", "epsilon": 1.0}, "epsilon must be less than 1, got 1"),
        ({"search": "stochastic", "epsilon": 0}, "epsilon must be greater than 0, got 0"),
        ({"search": "lazy", "backend": "reference"}, "search='lazy' is for the cpu backend"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    X, P = pool(30)
    with pytest.raises(ValueError, match=message):
        fs.bait(X, P, batch_size=3, **options)
