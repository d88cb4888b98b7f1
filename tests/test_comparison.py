# SPDX-License-Identifier: Apache-2.0
"""Comparisons against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fisher_select.comparison import (
    Scores,
    area_under_curve,
    labels_to_reach,
    level_of,
    penalty_matrix,
)

LABELED = np.array([10, 15, 20, 25, 30, 35])  # M = 10, B = 5


def scores(values: dict[str, list[list[float]]], **options: object) -> Scores:
    """Curves by strategy and seed."""
    by_seed = {
        name: {seed: np.array(curve) for seed, curve in enumerate(curves)}
        for name, curves in values.items()
    }
    plain: dict[str, object] = {"metric": "accuracy", "batch_size": 5, "labeled": LABELED}
    return Scores(values=by_seed, **(plain | options))  # type: ignore[arg-type]


def test_the_area_is_the_mean_height() -> None:
    # (0.2 + 0.4) / 2 * 10 + (0.4 + 0.8) / 2 * 20 = 15, over a range of 30.
    assert area_under_curve([10, 20, 40], [0.2, 0.4, 0.8]) == pytest.approx(0.5)
    np.testing.assert_allclose(area_under_curve([1, 2], [[1, 3], [0, 0]]), [2, 0])
    assert area_under_curve([10], [0.7]) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("lower_is_better", "mean", "level", "labels"),
    [
        (False, [0.5, 0.8, 0.7, 0.9], 0.8, 20),
        (False, [0.5, 0.8, 0.7, 0.9], 0.81, 40),
        (False, [0.5, 0.8, 0.7, 0.9], 0.95, None),
        (True, [3.0, 2.0, 2.5, 1.0], 2.0, 20),
        (True, [3.0, 2.0, 2.5, 1.0], 0.5, None),
    ],
)
def test_labels_to_reach_a_level(
    lower_is_better: bool, mean: list[float], level: float, labels: int | None
) -> None:
    found = labels_to_reach([10, 20, 30, 40], mean, level, lower_is_better=lower_is_better)
    assert found == labels


def test_a_level_is_a_share_of_the_best() -> None:
    assert level_of(0.95, 0.8, lower_is_better=False) == pytest.approx(0.76)
    assert level_of(0.95, 0.19, lower_is_better=True) == pytest.approx(0.2)
    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="level must be above 0 and at most 1"):
            level_of(share, 0.8, lower_is_better=False)


def test_checkpoints_double_until_the_baseline_is_done() -> None:
    flat = [[0.0, 0.1, 0.2, 0.3, 0.5, 0.6]] * 2
    assert scores({"a": flat}).checkpoints() == [1, 2, 4]  # 15, 20 and 30 labels
    assert scores({"a": flat}, baseline="a").checkpoints() == [1, 2, 4]
    early = [[0.0, 0.5, 0.999, 0.9, 0.9, 1.0]] * 2  # over at 20 labels
    assert scores({"a": flat, "b": early}, baseline="b").checkpoints() == [1]
    falling = [[9.0, 2.0, 1.005, 1.0, 1.0, 1.0]] * 2
    assert scores({"a": falling}, baseline="a", metric="rmse").checkpoints() == [1]
    assert scores({"a": [[0.5] * 6]}, baseline="a").checkpoints() == []


def test_a_win_is_significant_over_pairs() -> None:
    # Differences 1, 2, 3: t = 2 / (1 / sqrt(3)) = 3.46 < 4.30, the quantile of 2 degrees of
    # freedom; 2, 3, 3: t = 8; the unpaired spread of both is far larger.
    one = [[1.0] * 6, [12.0] * 6, [23.0] * 6]
    close = [[0.0] * 6, [10.0] * 6, [20.0] * 6]
    clear = [[-1.0] * 6, [9.0] * 6, [20.0] * 6]
    table = scores({"one": one, "close": close, "clear": clear})
    assert not table.beats("one", "close", 0)
    assert table.beats("one", "clear", 0)
    assert not table.beats("clear", "one", 0)
    falling = scores({"one": one, "clear": clear}, metric="rmse")
    assert falling.beats("clear", "one", 0)
    assert not falling.beats("one", "clear", 0)


def test_the_papers_critical_value_for_five_seeds() -> None:
    """BADGE's appendix: with five runs one beats another where t is above 2.776."""
    noise = np.array([-1.0, -1.0, 0.0, 1.0, 1.0])  # standard deviation 1: t = sqrt(5) shift
    zeros = [[0.0] * 6] * 5
    for t, wins in ((2.77, False), (2.78, True)):
        shifted = [[value + t / np.sqrt(5)] * 6 for value in noise]
        assert scores({"a": shifted, "b": zeros}).beats("a", "b", 0) is wins


def test_what_decides_nothing() -> None:
    same = scores({"a": [[0.5] * 6] * 3, "b": [[0.5] * 6] * 3})
    assert not same.beats("a", "b", 0)
    one_seed = scores({"a": [[0.9] * 6], "b": [[0.5] * 6]})
    assert not one_seed.beats("a", "b", 0)
    constant = scores({"a": [[0.3] * 6, [0.4] * 6], "b": [[0.2] * 6, [0.3] * 6]})
    assert constant.beats("a", "b", 0)


def test_seeds_are_paired_by_number() -> None:
    table = scores({"a": [[1.0] * 6, [2.0] * 6, [9.0] * 6], "b": [[0.0] * 6, [1.0] * 6]})
    assert table.beats("a", "b", 0)  # seed 2 has no partner


def test_the_matrix_counts_shares_of_checkpoints() -> None:
    low = [[0.1, 0.1, 0.1, 0.1, 0.1, 0.1]] * 2
    third = [[0.1, 0.5, 0.1, 0.1, 0.1, 0.1]] * 2  # better at 15 labels alone
    every = [[0.9, 0.9, 0.9, 0.9, 0.9, 0.9]] * 2
    first = scores({"low": low, "third": third, "every": every})
    second = scores({"low": low, "every": every})
    found = penalty_matrix([first, second])
    assert found.strategies == ("low", "third", "every")
    assert (found.experiments, found.checkpoints) == (2, (3, 3))
    np.testing.assert_allclose(found.matrix, [[0, 0, 0], [1 / 3, 0, 0], [2, 1, 0]])
    np.testing.assert_allclose(found.column_means, [7 / 9, 1 / 3, 0])


def test_an_experiment_without_checkpoints_is_not_counted() -> None:
    short = scores({"a": [[0.5]] * 2, "b": [[0.1]] * 2}, labeled=LABELED[:1])
    found = penalty_matrix([short])
    assert (found.experiments, found.checkpoints) == (0, ())
    assert not found.matrix.any()
    with pytest.raises(ValueError, match="experiments must hold at least one"):
        penalty_matrix([])
