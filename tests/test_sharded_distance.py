# SPDX-License-Identifier: Apache-2.0
"""k-centre and BADGE on shards of a pool: to the last bit what one process finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from problems import features, softmax_rows
from thread_ranks import Stop, sharded

import fisher_select as fs
from fisher_select import distributed
from fisher_select.first_center import first_center

METHODS: dict[str, dict[str, Any]] = {
    "features": {"embedding": "features"},
    "gradient": {"embedding": "gradient"},
    "badge": {"seed": 3},
}
SIZES = ([90], [1, 89], [30, 2, 58], [9, 40, 1, 40])


def pool(n: int, d: int = 6, dtype: Any = np.float32, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    X, P = features(rng, n, d), softmax_rows(rng, n, 4)
    return {"X": X.astype(dtype), "P": P.astype(dtype)}


def one_process(method: str, call: dict[str, Any]) -> fs.Selection:
    return (fs.badge if method == "badge" else fs.k_center)(**call)


def check(
    method: str, call: dict[str, Any], sizes: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> fs.Selection:
    """The selection of ranks with these shards, which must be one process's."""
    call = call | METHODS[method]
    found = on_shards(method, call, sizes, monkeypatch)
    expected = one_process(method, call)
    for picks in found:
        np.testing.assert_array_equal(picks.indices, expected.indices)
        np.testing.assert_array_equal(picks.scores, expected.scores)
        assert picks.diagnostics == found[0].diagnostics
    return found[0]


def on_shards(
    method: str,
    call: dict[str, Any],
    sizes: Sequence[int],
    monkeypatch: pytest.MonkeyPatch,
    **how: Any,
) -> list[fs.Selection]:
    name = "badge" if method == "badge" else "k_center"
    return sharded(monkeypatch, sizes, call, name, **how)


@pytest.mark.parametrize("labeled", [[], range(0, 90, 9), [40, 41]], ids=["none", "all", "one"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_picks_and_scores(
    method: str, sizes: list[int], dtype: Any, labeled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = pool(90, dtype=dtype) | {"labeled": np.array(labeled, np.int64), "batch_size": 25}
    check(method, call, sizes, monkeypatch)


@pytest.mark.parametrize("method", METHODS)
def test_until_no_row_is_left(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One shard has no free row, others run out of them."""
    call = pool(40) | {"labeled": np.arange(10, 25), "batch_size": 25}
    check(method, call, [10, 15, 2, 13], monkeypatch)


@pytest.mark.parametrize("method", METHODS)
@hypothesis.given(seed=st.integers(0, 10**6), ranks=st.integers(2, 4), copies=st.integers(2, 5))
@hypothesis.settings(max_examples=15, deadline=None)
def test_ties_across_shards_go_to_the_lowest_row(
    method: str, seed: int, ranks: int, copies: int
) -> None:
    """Every row comes several times, on whichever ranks; the last picks lie on centres."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.repeat(np.arange(12), copies))
    call = {name: array[rows] for name, array in pool(12, seed=seed).items()}
    cuts = np.sort(rng.choice(np.arange(1, len(rows)), ranks - 1, replace=False))
    sizes = np.diff([0, *cuts, len(rows)]).tolist()
    with pytest.MonkeyPatch.context() as monkeypatch:
        check(method, call | {"batch_size": 16}, sizes, monkeypatch)


@pytest.mark.parametrize("method", METHODS)
def test_shards_of_other_scales(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What rules a far centre out must bear norms that no row of the shard has."""
    call = pool(90, dtype=np.float64) | {"batch_size": 30}
    call["X"][:30] *= 1e-20
    call["X"][60:] = 1e20 * (1.0 + call["X"][60:])
    check(method, call, [30, 30, 30], monkeypatch)
    check(method, call, [45, 45], monkeypatch)


@pytest.mark.parametrize("method", ["features", "gradient"])
def test_many_labeled_rows_by_products(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that summaries do not tell apart; more labelled ones than a message takes."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((900, 3000)).astype(np.float32)
    call = {"X": X, "P": softmax_rows(rng, 900, 3), "batch_size": 5}
    call["labeled"] = np.arange(100, 800)
    found = check(method, call, [60, 640, 200], monkeypatch)
    assert found.diagnostics["screened_distances"] > 0


def test_an_array_in_fortran_order(monkeypatch: pytest.MonkeyPatch) -> None:
    call = pool(60) | {"batch_size": 20, "labeled": np.arange(5)}
    call["X"] = np.asfortranarray(call["X"])
    check("gradient", call, [25, 35], monkeypatch)


def test_the_row_nearest_to_the_mean_does_not_depend_on_the_shards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mean is exactly 0, so x and -x are equally near; a rounded mean would choose."""
    half = pool(50, dtype=np.float64)["X"] * np.logspace(0, 6, 50)[:, None]
    X = np.concatenate([half, -half])[np.random.default_rng(1).permutation(100)]
    lowest = int(np.argmin(np.sum(X * X, axis=1)))
    assert first_center(X, None) == lowest
    for sizes in ([100], [30, 70], [13, 41, 46]):
        assert (
            check("features", {"X": X, "batch_size": 3}, sizes, monkeypatch).indices[0]
            == lowest
        )


def test_a_first_row_is_one_of_the_whole_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    call = pool(90) | {"batch_size": 4, "first": 77}
    assert check("features", call, [30, 60], monkeypatch).indices[0] == 77
    with pytest.raises(ValueError, match=r"first must be an index from 0 to 89, got 90"):
        on_shards("features", call | {"first": 90}, [30, 60], monkeypatch)


# ------------------------------------------------------------------------- state and errors
@pytest.mark.parametrize("picks", [1, 2, 9])
@pytest.mark.parametrize("method", METHODS)
def test_a_broken_run_is_resumed_with_other_shards(
    method: str, picks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "picks.json"
    call = pool(90) | {"batch_size": 20} | METHODS[method]
    expected = one_process(method, call)
    with pytest.raises(Stop):
        on_shards(method, call, [60, 30], monkeypatch, state=state, stop_after=picks)
    kept = json.loads(state.read_text())
    assert kept["rows"] == expected.indices[:picks].tolist()
    assert kept["gains"][0] is None  # infinite
    for found in on_shards(method, call, [20, 30, 40], monkeypatch, state=state):
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.scores, expected.scores)
    assert not state.exists()


@pytest.mark.parametrize("method", METHODS)
def test_a_state_of_other_data_is_refused(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "picks.json"
    call = pool(90) | {"batch_size": 20} | METHODS[method]
    with pytest.raises(Stop):
        on_shards(method, call, [60, 30], monkeypatch, state=state, stop_after=5)
    with pytest.raises(ValueError, match="is of other data"):
        on_shards(method, call | pool(90, seed=1), [60, 30], monkeypatch, state=state)


def test_ranks_must_hold_one_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = distributed.k_center

    def mixed(X: Any, **options: Any) -> fs.Selection:
        return whole(X.astype(np.float64) if len(X) == 20 else X, **options)

    monkeypatch.setattr(distributed, "k_center", mixed)
    with pytest.raises(ValueError, match=r"^dtype of features must be the same on all ranks: "):
        on_shards("features", {"X": pool(60)["X"], "batch_size": 2}, [40, 20], monkeypatch)


def test_options_that_one_process_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    call = pool(60) | {"batch_size": 2}
    with pytest.raises(TypeError, match=r"^k_center\(\) got an unexpected .* 'lam'"):
        on_shards("features", call | {"lam": 1.0}, [40, 20], monkeypatch)
    with pytest.raises(ValueError, match=r"rank 0: embedding must be one of"):
        on_shards("features", call | {"embedding": "x"}, [40, 20], monkeypatch)
    with pytest.raises(ValueError, match=r"rank 0: seed must be an integer that all ranks"):
        on_shards("badge", call | {"seed": None}, [40, 20], monkeypatch)
