# SPDX-License-Identifier: Apache-2.0
"""Uncertainty sampling against its formulas, row by row; and the ranking all scores end in."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import softmax_rows

import fisher_select as fs
from fisher_select import strategies
from fisher_select.ranking import top

SAMPLED = ("mc_dropout_entropy", "bald")
KINDS = ("entropy", "margin", "least_confidence", "average_confidence", *SAMPLED)


def entropy(p: list[float]) -> float:
    return -math.fsum(x * math.log(x) for x in p if x > 0)


def mean_row(samples: list[list[float]]) -> list[float]:
    return [math.fsum(column) / len(samples) for column in zip(*samples, strict=True)]


# One row p [C], or its samples [T, C].
LITERAL: dict[str, Callable[[Any], float]] = {
    "entropy": entropy,
    "margin": lambda p: 1 - (sorted(p)[-1] - sorted(p)[-2]),
    "least_confidence": lambda p: 1 - max(p),
    "average_confidence": lambda q: 1 - math.fsum(max(x, 1 - x) for x in q) / len(q),
    "mc_dropout_entropy": lambda s: entropy(mean_row(s)),
    "bald": lambda s: entropy(mean_row(s)) - math.fsum(map(entropy, s)) / len(s),
}


def outputs(kind: str, n: int, C: int, dtype: type = np.float64, seed: int = 0) -> Any:
    """[n, C], or [T, n, C] for the sampled kinds; one row in ten is certain."""
    rng = np.random.default_rng(seed)
    P = np.stack([softmax_rows(rng, n, C, spread=2.0) for _ in range(7)])
    P[:, ::10] = np.eye(C)[rng.integers(C, size=len(P[0, ::10]))]
    if kind == "average_confidence":
        return rng.random((n, C)).astype(dtype)
    return (P if kind in SAMPLED else P[0]).astype(dtype)


def rows_of(kind: str, P: Any) -> list[Any]:
    """Row by row: p [C], or its samples [T, C]."""
    wide = np.asarray(P, np.float64)
    return (wide.transpose(1, 0, 2) if kind in SAMPLED else wide).tolist()


# -------------------------------------------------------------------------------- scores
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "C"), [(1, 2), (31, 2), (40, 10), (33, 101)])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_formulas(kind: str, n: int, C: int, dtype: type) -> None:
    P = outputs(kind, n, C, dtype)
    scores = fs.uncertainty_scores(P, kind=kind)
    assert scores.dtype == np.float64
    expected = [LITERAL[kind](row) for row in rows_of(kind, P)]
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-14)
    assert np.all(scores >= 0)


@pytest.mark.parametrize("kind", KINDS)
def test_picks_are_the_largest_scores(kind: str) -> None:
    P = outputs(kind, 200, 5)
    labeled = np.arange(3, 200, 4)
    literal = np.array([LITERAL[kind](row) for row in rows_of(kind, P)])
    literal[labeled] = -np.inf
    picks = fs.uncertainty(P, kind=kind, labeled=labeled, batch_size=30)
    np.testing.assert_array_equal(picks.indices, np.argsort(-literal, kind="stable")[:30])
    assert picks.indices.dtype == np.int64
    np.testing.assert_array_equal(
        picks.scores, fs.uncertainty_scores(P, kind=kind)[picks.indices]
    )
    assert picks.backend == "numpy"
    assert picks.stop_reason == "complete"
    mask = np.isin(np.arange(200), labeled)
    again = fs.uncertainty(P, kind=kind, labeled=mask, batch_size=30)
    np.testing.assert_array_equal(again.indices, picks.indices)


def test_the_ends_of_each_scale() -> None:
    certain, even = [[1.0, 0.0, 0.0, 0.0]], [[0.25] * 4]
    for kind in ("entropy", "margin", "least_confidence"):
        assert fs.uncertainty_scores(certain, kind=kind).tolist() == [0.0]
    assert fs.uncertainty_scores(even)[0] == pytest.approx(math.log(4))
    assert fs.uncertainty_scores(even, kind="margin").tolist() == [1.0]
    assert fs.uncertainty_scores(even, kind="least_confidence").tolist() == [0.75]
    labels = [[0.5, 0.5, 0.5], [0.0, 1.0, 1.0], [0.9, 0.1, 0.5]]
    scores = fs.uncertainty_scores(labels, kind="average_confidence")
    np.testing.assert_allclose(scores, [0.5, 0.0, 0.7 / 3])


def test_bald_is_what_the_samples_disagree_about() -> None:
    agree = np.tile(softmax_rows(np.random.default_rng(0), 5, 3), (4, 1, 1))
    np.testing.assert_allclose(fs.uncertainty_scores(agree, kind="bald"), 0, atol=1e-15)
    np.testing.assert_allclose(
        fs.uncertainty_scores(agree, kind="mc_dropout_entropy"),
        fs.uncertainty_scores(agree[0]),
        rtol=1e-14,
    )
    opposite = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert fs.uncertainty_scores(opposite, kind="bald")[0] == pytest.approx(math.log(2))


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_strides_and_arrays_do_not_change_a_bit(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    P = outputs(kind, 77, 6, np.float32)
    expected = fs.uncertainty_scores(P, kind=kind)
    np.save(tmp_path / "P.npy", P)
    wide = np.zeros((*P.shape[:-1], 12), np.float32)
    wide[..., ::2] = P
    arrays = (
        np.load(tmp_path / "P.npy", mmap_mode="r"),
        np.asfortranarray(P),
        wide[..., ::2],
        torch.from_numpy(P),
    )
    for chunk in (1, 100, 1 << 17):
        monkeypatch.setattr(uncertainty_module(), "_CHUNK_VALUES", chunk)
        for array in arrays:
            np.testing.assert_array_equal(fs.uncertainty_scores(array, kind=kind), expected)


def uncertainty_module() -> Any:
    """The module: fisher_select.uncertainty itself is the function."""
    return importlib.import_module("fisher_select.uncertainty")


@pytest.mark.parametrize("kind", KINDS)
def test_equal_rows_go_by_index(kind: str) -> None:
    P = outputs(kind, 12, 5)
    repeated = np.tile(P, (1,) * (P.ndim - 2) + (50, 1))
    one = fs.uncertainty(P, kind=kind, batch_size=12)
    many = fs.uncertainty(repeated, kind=kind, batch_size=600)
    best = fs.uncertainty_scores(P, kind=kind).max()
    copies = [i for i in range(600) if fs.uncertainty_scores(P, kind=kind)[i % 12] == best]
    assert many.indices[: len(copies)].tolist() == copies
    assert one.indices[0] == copies[0]


# ------------------------------------------------------------------------------ registry
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_strategy(kind: str) -> None:
    P = outputs(kind, 30, 4)
    picks = fs.select(kind, probabilities=P, labeled=[0], batch_size=4)
    expected = fs.uncertainty(P, kind=kind, labeled=[0], batch_size=4)
    np.testing.assert_array_equal(picks.indices, expected.indices)
    assert strategies.get(kind) == strategies.get("uncertainty", kind=kind)
    with pytest.raises(ValueError, match=r"^probabilities must be given, got None$"):
        fs.select(kind, batch_size=4)


# ------------------------------------------------------------------------------ bad input
P = softmax_rows(np.random.default_rng(0), 20, 4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "std"}, ValueError, "^kind must be one of 'entropy', 'margin', 'least_conf"),
        ({"batch_size": 0}, ValueError, "^batch_size must be at least 1, got 0$"),
        ({"batch_size": 18}, ValueError, "^batch_size must be at most the number of unlab"),
        ({"labeled": [20]}, ValueError, "^labeled must hold indices from 0 to 19: labeled"),
        ({"P": P * 2}, ValueError, r"^probabilities must lie in \[0, 1\] \(not logits\)"),
        ({"P": P * 0.9}, ValueError, "^probabilities must sum to 1 in each row for softmax"),
        (
            {"P": P[:, :1]},
            ValueError,
            "^probabilities must have at least 2 columns for softmax",
        ),
        ({"P": P[0]}, ValueError, "^probabilities must have 2 axes"),
        ({"P": np.stack([P, P])}, ValueError, "^probabilities must have 2 axes"),
        ({"P": np.where(P < 2, np.nan, P)}, ValueError, "^probabilities must be finite: row 0"),
        ({"P": P.astype(object)}, TypeError, "^probabilities must hold real numbers"),
        ({"kind": "bald"}, ValueError, r"^probabilities must be samples \[T, n, C\], each at"),
        (
            {"kind": "bald", "P": np.stack([P, P * 0.9])},
            ValueError,
            r"^probabilities\[1\] must sum to 1 in each row for softmax",
        ),
        (
            {"kind": "bald", "P": np.empty((0, 20, 4))},
            ValueError,
            r"^probabilities must be samples \[T, n, C\], each at least 1, got shape \[0, 20",
        ),
    ],
)
def test_bad_input(options: dict[str, Any], error: type, message: str) -> None:
    call = {"P": P, "batch_size": 3, "labeled": [0, 1, 2]} | options
    with pytest.raises(error, match=message):
        fs.uncertainty(**call)
    if not {"batch_size", "labeled"} & set(options):
        with pytest.raises(error, match=message):
            fs.uncertainty_scores(call["P"], kind=call.get("kind", "entropy"))


# ------------------------------------------------------------------------------- ranking
@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, np.inf]), min_size=1),
    data=st.data(),
)
def test_top_is_a_stable_sort(scores: list[float], data: st.DataObject) -> None:
    n = len(scores)
    labeled = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n - 1))
    batch = data.draw(st.integers(1, n - len(labeled)))
    free = [i for i in range(n) if i not in labeled]
    picks = top(np.array(scores), np.array(sorted(labeled), np.int64), batch)
    assert picks.dtype == np.int64
    assert picks.tolist() == sorted(free, key=lambda i: -scores[i])[:batch]
