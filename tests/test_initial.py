# SPDX-License-Identifier: Apache-2.0
"""The first rows of a run: each class in its share, none without a row, seeded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from toys import blobs, learner

from fisher_select.datasets import Dataset
from fisher_select.initial import initial_rows, shares
from fisher_select.loop import FileOracle


def imbalanced() -> Dataset:
    """36 rows of class 0, three of class 1, one of class 2."""
    labels = np.zeros(40, dtype=np.int64)
    labels[[5, 17, 31]] = 1
    labels[22] = 2
    return replace(blobs(), pool_labels=labels)


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        ([60, 30, 10], 10, [6, 3, 1]),
        ([60, 30, 10], 3, [1, 1, 1]),
        ([97, 2, 1], 10, [8, 1, 1]),
        ([5, 5], 3, [2, 1]),  # a tie goes to the lowest class
        ([8, 0, 2], 5, [4, 0, 1]),
        ([292, 177, 10, 19, 2], 20, [11, 6, 1, 1, 1]),
        ([3, 1], 4, [3, 1]),
    ],
)
def test_shares_by_hand(sizes: list[int], count: int, expected: list[int]) -> None:
    assert shares(np.array(sizes), count).tolist() == expected


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any), st.data())
def test_shares_hold_every_class_and_grow_with_the_count(
    sizes: list[int], data: st.DataObject
) -> None:
    counts = np.array(sizes)
    least, most = np.count_nonzero(counts), counts.sum()
    count = data.draw(st.integers(least, most))
    found = shares(counts, count)
    assert found.sum() == count
    assert (found <= counts).all()
    assert ((found > 0) == (counts > 0)).all()
    assert (shares(counts, most) == counts).all()
    if count < most:
        assert (shares(counts, count + 1) >= found).all()
    # Webster: a row beyond the first has gone to no class that was less behind than another.
    ahead, behind = found > 1, found < counts
    if ahead.any() and behind.any():
        last = (counts[ahead] / (2 * found[ahead] - 1)).min()
        assert last >= (counts[behind] / (2 * found[behind] + 1)).max()


def test_a_stratified_start_holds_the_rare_classes() -> None:
    data = imbalanced()
    starts = [learner(data, start="stratified", seed=seed).initial for seed in range(5)]
    for rows in starts:
        assert np.bincount(data.pool_labels[rows]).tolist() == [3, 1, 1]
        assert rows.tolist() == sorted(set(rows.tolist()))
    assert len({tuple(rows) for rows in starts}) > 1
    again = learner(data, start="stratified", seed=3, strategy="random")
    assert again.initial.tolist() == starts[3].tolist()
    missing = [np.bincount(data.pool_labels[learner(data, seed=s).initial]) for s in range(5)]
    assert min(len(counts) for counts in missing) < 3


def test_any_row_of_a_class_may_be_drawn() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    drawn = [initial_rows(6, 2, seed=seed, strata=labels) for seed in range(60)]
    assert {tuple(rows) for rows in drawn} == {(i, j) for i in (0, 1, 2) for j in (3, 4, 5)}


def test_a_whole_pool_is_a_start(tmp_path: Path) -> None:
    made = learner(imbalanced(), start="stratified", initial=40, rounds=None, run_dir=tmp_path)
    assert made.initial.tolist() == list(range(40))
    assert [record.labeled for record in made] == [40]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "even"}, "start must be one of 'random', 'stratified', got 'even'"),
        ({"initial": 2}, "initial must be at least 3 with start='stratified', one row a class"),
        ({"initial": 41}, "initial must be at most the 40 rows of the pool, got 41"),
        ({"initial": [3, 4]}, "initial must be a number of rows with start='stratified'"),
        (
            {"oracle": FileOracle(), "run_dir": "unused"},
            "start='stratified' draws by the labels .* pass start='random' with one",
        ),
        ({"oracle": list(range(40))}, "which an oracle is to give"),
    ],
)
def test_what_a_stratified_start_cannot_do_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        learner(imbalanced(), **({"start": "stratified"} | changes))
    assert not (tmp_path / "unused").exists()


def test_other_tasks_have_no_classes_to_draw_by() -> None:
    data = blobs()
    values = replace(
        data,
        pool_labels=data.pool_labels.astype(float),
        test_labels=data.test_labels.astype(float),
        classes=1,
        task="regression",
    )
    with pytest.raises(ValueError, match="blobs is of the task 'regression'; pass start='rand"):
        learner(values, start="stratified")
