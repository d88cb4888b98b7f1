# SPDX-License-Identifier: Apache-2.0
"""k-centre greedy and BADGE: exact picks on every backend, however awkward the rows."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interruption import assert_ctrl_c_stops
from problems import features, softmax_rows
from scipy.stats import chisquare

import fisher_select as fs
from fisher_select.reference import distance as reference

Float64 = npt.NDArray[np.float64]

GOLDEN = Path(__file__).resolve().parents[1].parent / "shared" / "golden" / "k_center.npz"


# --------------------------------------------------------------------------- brute force
def gradients(X: npt.ArrayLike, P: npt.ArrayLike) -> Float64:
    """x (x) (e_yhat - p), formed: [n, C d]."""
    X, P = np.asarray(X, np.float64), np.asarray(P, np.float64)
    R = np.eye(P.shape[1])[P.argmax(axis=1)] - P
    return (R[:, :, None] * X[:, None, :]).reshape(len(X), -1)


def assert_farthest_first(
    picks: fs.Selection, points: Float64, labeled: list[int], first: int | None = None
) -> None:
    """Each pick is as far from its nearest centre as any, and its score says how far."""
    points = np.asarray(points, np.float64)
    nearest = np.full(len(points), np.inf)
    free = np.ones(len(points), bool)
    free[labeled] = False
    for row in labeled:
        nearest = np.minimum(nearest, ((points - points[row]) ** 2).sum(axis=1))
    for k, row in enumerate(picks.indices.tolist()):
        assert free[row]
        if np.isinf(nearest).all():
            assert first is None or row == first
            assert picks.scores[k] == np.inf
        else:
            best = nearest[free].max()
            assert nearest[row] >= best * (1 - 1e-12)
            assert picks.scores[k] == pytest.approx(np.sqrt(nearest[row]), rel=1e-9, abs=1e-300)
        free[row] = False
        nearest = np.minimum(nearest, ((points - points[row]) ** 2).sum(axis=1))


# ------------------------------------------------------------------------- k-centre greedy
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_golden_k_center(dtype: type, rtol: float, backend: str) -> None:
    if not GOLDEN.exists():
        pytest.skip("no shared/golden next to the checkout")
    with np.load(GOLDEN) as case:
        picks = fs.k_center(
            case["X"].astype(dtype),
            labeled=case["labeled"],
            batch_size=int(case["batch"]),
            backend=backend,
        )
        np.testing.assert_array_equal(picks.indices, case["kept"])
        np.testing.assert_allclose(picks.scores, case["radius"], rtol=rtol)
    assert picks.backend == backend
    assert picks.stop_reason == "complete"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 2, 13, 14, 15, 16, 31, 33, 129])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 33, 257, 600])
def test_k_center_of_odd_shapes(n: int, d: int, dtype: type, engine: str) -> None:
    rng = np.random.default_rng(n * 1000 + d)
    X = features(rng, n, d).astype(dtype)
    labeled = rng.permutation(n)[: n // 5].tolist()
    picks = fs.k_center(X, labeled=labeled, batch_size=n - len(labeled), backend=engine)
    assert sorted(picks.indices.tolist() + labeled) == list(range(n))
    assert_farthest_first(picks, X, labeled)
    assert np.all(np.diff(picks.scores[1:]) <= 0)


def test_k_center_equals_the_reference_on_clusters(engine: str) -> None:
    rng = np.random.default_rng(5)
    X = 4 * rng.standard_normal((12, 40))[rng.integers(12, size=3000)]
    X += rng.standard_normal(X.shape) * np.linspace(1, 0.1, 40)
    for labeled in (None, np.arange(0, 3000, 10)):
        call: dict[str, Any] = {"labeled": labeled, "batch_size": 300}
        fast = fs.k_center(X, **call, backend=engine)
        slow = fs.k_center(X, **call, backend="reference")
        np.testing.assert_array_equal(fast.indices, slow.indices)
        np.testing.assert_allclose(fast.scores, slow.scores, rtol=1e-12)
        assert 0 < fast.diagnostics["full_share"] < 0.1
        assert slow.diagnostics["full_share"] == 1.0


@pytest.mark.parametrize("d", [3, 30, 200])
def test_k_center_where_nothing_prunes(d: int, engine: str) -> None:
    X = np.random.default_rng(d).standard_normal((700, d)).astype(np.float32)
    picks = fs.k_center(X, labeled=[3, 500], batch_size=200, backend=engine)
    assert_farthest_first(picks, X, [3, 500])


def test_equal_rows_are_at_distance_zero_and_go_lowest_first(backend: str) -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.standard_normal((5, 20)).astype(np.float32) * 1e4, 8, axis=0)
    picks = fs.k_center(X, labeled=[17], batch_size=39, backend=backend)
    # The lowest row of each other group first; from then on all is at distance exactly 0.
    assert sorted(picks.indices[:4].tolist()) == [0, 8, 24, 32]
    assert np.all(picks.scores[4:] == 0.0)
    taken = {17, *picks.indices[:4].tolist()}
    assert picks.indices[4:].tolist() == [i for i in range(40) if i not in taken]


def test_ties_go_to_the_lowest_index(backend: str) -> None:
    corners = np.eye(40)  # all sqrt(2) apart
    picks = fs.k_center(corners, labeled=[7], batch_size=39, backend=backend)
    assert picks.indices.tolist() == [i for i in range(40) if i != 7]
    assert np.all(picks.scores == np.sqrt(2.0))
    grid = np.stack(np.meshgrid(*[np.arange(6.0)] * 3), axis=-1).reshape(-1, 3)
    expected = fs.k_center(grid, labeled=[100], batch_size=60, backend="reference")
    found = fs.k_center(grid, labeled=[100], batch_size=60, backend=backend)
    np.testing.assert_array_equal(found.indices, expected.indices)


@pytest.mark.parametrize("offset", [1e3, 1e8, 1e15, 1e100])
def test_tiny_differences_of_huge_rows(offset: float, engine: str) -> None:
    """|x|^2 + |y|^2 - 2 x.y would lose everything here."""
    rng = np.random.default_rng(1)
    step = offset * 2.0**-50
    X = offset + step * rng.integers(0, 8, size=(300, 20))
    picks = fs.k_center(X, labeled=[0], batch_size=100, backend=engine)
    expected = fs.k_center(X, labeled=[0], batch_size=100, backend="reference")
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-12)


def test_one_far_outlier_among_close_rows(engine: str) -> None:
    rng = np.random.default_rng(2)
    X = 1e-6 * rng.standard_normal((500, 30))
    X[123] += 1e9
    picks = fs.k_center(X, labeled=[5], batch_size=60, backend=engine)
    assert picks.indices[0] == 123
    assert_farthest_first(picks, X, [5])


@pytest.mark.parametrize("size", [1e-160, 1e-100, 1e-30, 1e30, 1e100, 1e150])
def test_any_unit_of_length(size: float, engine: str) -> None:
    X = features(np.random.default_rng(3), 200, 25) * size
    picks = fs.k_center(X, labeled=[9], batch_size=50, backend=engine)
    if size > 1e-150:  # else squares underflow, and what is left of them is tied
        plain = fs.k_center(X / size, labeled=[9], batch_size=50, backend=engine)
        np.testing.assert_array_equal(picks.indices, plain.indices)
    assert len(set(picks.indices.tolist())) == 50


@pytest.mark.parametrize("size", [1e160, 1e300])
def test_overflow_is_an_error(size: float, backend: str) -> None:
    X = features(np.random.default_rng(3), 50, 5) * size
    P = np.full((50, 2), 0.5)
    with pytest.raises(fs.NumericalError, match="overflow: scale the features down"):
        fs.k_center(X, labeled=[0], batch_size=3, backend=backend)
    with pytest.raises(fs.NumericalError, match="overflow: scale the features down"):
        fs.badge(X, P, batch_size=3, backend=backend)


def test_first_is_the_first_centre_where_nothing_is_labelled(backend: str) -> None:
    X = features(np.random.default_rng(4), 90, 6)
    picks = fs.k_center(X, batch_size=20, first=11, backend=backend)
    assert_farthest_first(picks, X, [], first=11)
    nearest_to_mean = int(np.argmin(((X - X.mean(axis=0)) ** 2).sum(axis=1)))
    assert fs.k_center(X, batch_size=2, backend=backend).indices[0] == nearest_to_mean
    ignored = fs.k_center(X, labeled=[11], batch_size=19, first=3, backend=backend)
    np.testing.assert_array_equal(ignored.indices, picks.indices[1:])


# ------------------------------------------------------------------- many labelled rows
def isotropic(n: int, d: int, dtype: type = np.float64) -> npt.NDArray[Any]:
    """Small integers, of which no direction tells more than another.

    Sums of their squares are exact in any order, so scores can be compared bit for bit.
    """
    X = np.rint(4 * np.random.default_rng(n + d).standard_normal((n, d)))
    return X.astype(dtype)


def some_rows(n: int, m: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(m).permutation(n)[:m]


def exact_greedy(X: npt.ArrayLike, labeled: npt.NDArray[np.int64], batch: int) -> Any:
    """Farthest-first out of all distances, by a product that is exact on integers."""
    X = np.asarray(X, np.float64)
    norms = (X * X).sum(axis=1)
    squares = norms[:, None] + norms - 2 * X @ X.T
    nearest = squares[:, labeled].min(axis=1)
    nearest[labeled] = -1.0
    picks, scores = [], []
    for _ in range(batch):
        picks.append(int(nearest.argmax()))
        scores.append(np.sqrt(nearest[picks[-1]]))
        nearest = np.minimum(nearest, squares[picks[-1]])
        nearest[picks[-1]] = -1.0
    return picks, scores


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n", "d", "m"), [(301, 29, 256), (900, 63, 257), (1500, 40, 1431), (1501, 257, 600)]
)
def test_many_labelled_rows_where_nothing_prunes(
    n: int, d: int, m: int, dtype: type, cpu: str
) -> None:
    X, labeled = isotropic(n, d, dtype), some_rows(n, m)
    for batch in (1, (n - m) // 3, n - m):
        found = fs.k_center(X, labeled=labeled, batch_size=batch, backend=cpu)
        picks, scores = exact_greedy(X, labeled, batch)
        assert found.indices.tolist() == picks
        np.testing.assert_array_equal(found.scores, scores)
        assert found.diagnostics["screened_distances"] > 0


def test_many_labelled_rows_where_summaries_tell_enough(cpu: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(-9, 9, (1000, 6)) @ rng.integers(-3, 3, (6, 40))
    labeled = some_rows(1000, 500)
    found = fs.k_center(X.astype(np.float64), labeled=labeled, batch_size=200, backend=cpu)
    picks, scores = exact_greedy(X, labeled, 200)
    assert found.indices.tolist() == picks
    np.testing.assert_array_equal(found.scores, scores)
    assert found.diagnostics["screened_distances"] == 0
    few = fs.k_center(
        isotropic(500, 40), labeled=some_rows(500, 255), batch_size=9, backend=cpu
    )
    assert few.diagnostics["screened_distances"] == 0


def test_labelled_rows_in_several_panels(cpu: str) -> None:
    """Rows so long that no more than 256 centres are packed at a time."""
    X, labeled = isotropic(700, 20_000, np.float32), some_rows(700, 600)
    for batch in (3, 100):
        found = fs.k_center(X, labeled=labeled, batch_size=batch, backend=cpu)
        picks, scores = exact_greedy(X, labeled, batch)
        assert found.indices.tolist() == picks
        np.testing.assert_array_equal(found.scores, scores)
    # All but the 32 rows of the sample that the summaries alone are tried on.
    assert found.diagnostics["screened_distances"] == (100 - 32) * 600


def test_copies_of_many_labelled_rows_are_at_distance_zero(cpu: str) -> None:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((400, 60)).astype(np.float32) * 1e4
    pool = np.concatenate([X, X[::-1], X[:3] + 1])  # labelled twice, and a copy of each row
    labeled = np.concatenate([np.arange(0, 400, 2), np.arange(400, 600)])
    found = fs.k_center(pool, labeled=labeled, batch_size=403, backend=cpu)
    slow = fs.k_center(pool, labeled=labeled, batch_size=403, backend="reference")
    np.testing.assert_array_equal(found.indices, slow.indices)
    np.testing.assert_array_equal(found.scores == 0.0, slow.scores == 0.0)
    np.testing.assert_allclose(found.scores, slow.scores, rtol=1e-12)
    assert np.sum(found.scores == 0.0) == 300
    assert found.diagnostics["screened_distances"] > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [2, 40])
def test_many_labelled_gradients(C: int, dtype: type, cpu: str) -> None:
    rng = np.random.default_rng(C)
    X, P = isotropic(800, 45).astype(dtype), softmax_rows(rng, 800, C).astype(dtype)
    X[700:], P[700:] = X[:100], P[:100]
    call: dict[str, Any] = {"labeled": np.arange(300), "batch_size": 500}
    found = fs.k_center(X, P, **call, embedding="gradient", backend=cpu)
    slow = fs.k_center(X, P, **call, embedding="gradient", backend="reference")
    np.testing.assert_array_equal(found.indices, slow.indices)
    np.testing.assert_allclose(found.scores, slow.scores, rtol=1e-9)
    assert np.all(found.scores[-100:] == 0.0)
    assert found.diagnostics["screened_distances"] > 0


@pytest.mark.parametrize("size", [1e-140, 1e-30, 1e30, 1e140])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_many_labelled_rows_in_any_unit(size: float, offset: float, cpu: str) -> None:
    X = isotropic(700, 50) + offset
    X[11] *= 1e6  # so long that float32 tells the others apart by their last digits
    call: dict[str, Any] = {"labeled": some_rows(700, 400), "batch_size": 200, "backend": cpu}
    plain, found = fs.k_center(X, **call), fs.k_center(X * size, **call)
    picks, _ = exact_greedy(X, call["labeled"], 200)
    assert plain.indices.tolist() == picks
    np.testing.assert_allclose(found.scores / size, plain.scores, rtol=1e-9)
    assert found.diagnostics["screened_distances"] > 0


def test_the_screen_of_labelled_rows_depends_on_neither_threads_nor_arrays(cpu: str) -> None:
    X = np.random.default_rng(5).standard_normal((3000, 70)).astype(np.float32)
    P = softmax_rows(np.random.default_rng(6), 3000, 5).astype(np.float32)
    labeled = some_rows(3000, 1100)
    call: dict[str, Any] = {"labeled": labeled, "batch_size": 150, "backend": cpu}
    for own in ({}, {"embedding": "gradient"}):
        one = fs.k_center(X, P, **call, **own, threads=1)
        assert one.diagnostics["screened_distances"] > 0
        runs = [
            fs.k_center(X, P, **call, **own, threads=threads, chunk_rows=chunk_rows)
            for threads, chunk_rows in [(1, 1), (2, None), (2, 7), (3, 9000)]
        ]
        fortran = np.asfortranarray(X), np.asfortranarray(P)
        runs.append(fs.k_center(*fortran, **call, **own, threads=2))
        runs.append(fs.k_center(X[:, ::-1].copy()[:, ::-1], P, **call, **own, threads=2))
        for run in runs:
            np.testing.assert_array_equal(run.indices, one.indices)
            np.testing.assert_array_equal(run.scores, one.scores)
            assert (
                run.diagnostics["screened_distances"] == (one.diagnostics["screened_distances"])
            )


# ------------------------------------------------------------------------------ gradients
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("d", "C"), [(1, 2), (7, 3), (20, 14), (20, 15), (33, 40)])
def test_k_center_on_gradients(d: int, C: int, dtype: type, backend: str) -> None:
    rng = np.random.default_rng(d + C)
    X, P = features(rng, 150, d).astype(dtype), softmax_rows(rng, 150, C).astype(dtype)
    picks = fs.k_center(
        X, P, labeled=[1, 2], batch_size=60, embedding="gradient", backend=backend
    )
    assert_farthest_first(picks, gradients(X, P), [1, 2])
    first = fs.k_center(X, P, batch_size=1, embedding="gradient", backend=backend).indices[0]
    assert first == np.argmax((gradients(X, P) ** 2).sum(axis=1))


def test_equal_gradients_are_at_distance_zero(backend: str) -> None:
    rng = np.random.default_rng(0)
    X = np.tile(rng.standard_normal((6, 20)) * 1e3, (5, 1)).astype(np.float32)
    P = np.tile(softmax_rows(rng, 6, 4), (5, 1)).astype(np.float32)
    call: dict[str, Any] = {"batch_size": 29, "embedding": "gradient", "backend": backend}
    picks = fs.k_center(X, P, labeled=[2], **call)
    assert sorted((picks.indices[:5] % 6).tolist()) == [0, 1, 3, 4, 5]
    assert np.all(picks.scores[5:] == 0.0)
    rest = sorted(set(range(30)) - {2, *picks.indices[:5].tolist()})
    assert picks.indices[5:].tolist() == rest


def test_gradients_that_vanish(backend: str) -> None:
    """Certain rows: e_yhat - p is exactly 0, whatever x is."""
    rng = np.random.default_rng(0)
    X, P = rng.standard_normal((40, 5)), np.eye(3)[rng.integers(3, size=40)]
    P[7] = [0.5, 0.25, 0.25]
    picks = fs.badge(X, P, batch_size=40, backend=backend)
    second = picks.indices[1]  # all others are equally far from row 7: any of them
    rest = [i for i in range(40) if i not in (7, second)]
    assert picks.indices.tolist() == [7, second, *rest]
    assert np.all(picks.scores[2:] == 0.0)
    picks = fs.k_center(X, P, labeled=[3], batch_size=9, embedding="gradient", backend=backend)
    assert picks.indices.tolist() == [7, 0, 1, 2, 4, 5, 6, 8, 9]


# --------------------------------------------------------------------- threads and arrays
def test_threads_chunks_and_instruction_sets_do_not_change_the_picks(cpu: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9000, 33)).astype(np.float32)
    P = softmax_rows(rng, 9000, 3).astype(np.float32)
    labeled = np.arange(0, 9000, 300)
    for function in (
        lambda **k: fs.k_center(X, labeled=labeled, batch_size=150, backend=cpu, **k),
        lambda **k: fs.badge(X, P, labeled=labeled, batch_size=150, backend=cpu, **k),
    ):
        one = function(threads=1)
        for threads, chunk_rows in [(1, 1), (2, None), (3, 7), (4, 9000)]:
            picks = function(threads=threads, chunk_rows=chunk_rows)
            np.testing.assert_array_equal(picks.indices, one.indices)
            np.testing.assert_array_equal(picks.scores, one.scores)


def test_every_instruction_set_is_exact(instruction_set: str, cpu: str) -> None:
    assert cpu
    core = importlib.import_module("fisher_select._core")
    rng = np.random.default_rng(1)
    X, P = features(rng, 400, 45), softmax_rows(rng, 400, 20)
    call: dict[str, Any] = {
        "features": X,
        "labeled": np.arange(0, 400, 40),
        "batch_size": 100,
    }
    engine = call | {"threads": 1, "instruction_set": instruction_set}
    for own in ({"probabilities": None}, {"probabilities": P}):
        fast = core.k_center(**engine, **own, first=0)
        slow = reference.k_center(**call, **own, first=0)
        np.testing.assert_array_equal(fast["indices"], slow["indices"])
    many: dict[str, Any] = {"features": isotropic(500, 47), "labeled": some_rows(500, 300)}
    fast = core.k_center(**(engine | many), probabilities=None, first=0)
    assert fast["indices"].tolist() == exact_greedy(many["features"], many["labeled"], 100)[0]
    assert fast["screened_distances"] > 0
    fast = core.badge(**engine, probabilities=P, seed=4)
    slow = reference.badge(**call, probabilities=P, seed=4)
    np.testing.assert_array_equal(fast["indices"], slow["indices"])


def test_heavy_picks_are_shared_between_threads(cpu: str) -> None:
    """Wide rows that all stay in the running: the search of a pick goes parallel."""
    X = np.random.default_rng(6).standard_normal((5000, 1200)).astype(np.float32)
    one, two = (fs.k_center(X, batch_size=40, backend=cpu, threads=t) for t in (1, 3))
    np.testing.assert_array_equal(one.indices, two.indices)
    np.testing.assert_array_equal(one.scores, two.scores)


def test_strides_memory_maps_and_widths_give_the_same_picks(
    engine: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 21)).astype(np.float32)
    P = softmax_rows(rng, 400, 6).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    wide = np.zeros((800, 42), np.float32)
    wide[::2, ::2] = X
    views = {
        "memmap": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "fortran": np.asfortranarray(X),
        "strided": wide[::2, ::2],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "float64": X.astype(np.float64),
        "float64 fortran": np.asfortranarray(X.astype(np.float64)),
    }
    calls: list[Any] = [
        lambda A: fs.k_center(A, labeled=[0, 9], batch_size=80, backend=engine),
        lambda A: fs.badge(A, P, labeled=[0, 9], batch_size=80, backend=engine),
    ]
    for call in calls:
        expected = call(X)
        for view in views.values():
            np.testing.assert_array_equal(call(view).indices, expected.indices)


# ---------------------------------------------------------------------------------- BADGE
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d", "C"), [(2, 1, 2), (40, 5, 3), (300, 30, 10), (200, 9, 31)])
def test_badge_equals_the_reference_for_many_seeds(
    n: int, d: int, C: int, dtype: type, engine: str
) -> None:
    rng = np.random.default_rng(n)
    X, P = features(rng, n, d).astype(dtype), softmax_rows(rng, n, C).astype(dtype)
    labeled = np.arange(n // 10)
    for seed in [*range(25), 2**63, 2**64 - 1]:
        call: dict[str, Any] = {"labeled": labeled, "batch_size": n // 2, "seed": seed}
        fast = fs.badge(X, P, **call, backend=engine)
        slow = fs.badge(X, P, **call, backend="reference")
        np.testing.assert_array_equal(fast.indices, slow.indices)
        np.testing.assert_allclose(fast.scores, slow.scores, rtol=1e-6)


def test_badge_starts_with_the_largest_gradient_and_never_repeats(backend: str) -> None:
    rng = np.random.default_rng(3)
    X, P = features(rng, 120, 8), softmax_rows(rng, 120, 4)
    norms = (gradients(X, P) ** 2).sum(axis=1)
    norms[:30] = -1.0
    picks = fs.badge(X, P, labeled=np.arange(30), batch_size=90, seed=1, backend=backend)
    assert picks.indices[0] == np.argmax(norms)
    assert sorted(picks.indices.tolist()) == list(range(30, 120))
    nearest = np.full(120, np.inf)
    for row, score in zip(picks.indices, picks.scores, strict=True):
        assert score == pytest.approx(np.sqrt(nearest[row]), rel=1e-7, abs=1e-12)
        g = gradients(X, P)
        nearest = np.minimum(nearest, ((g - g[row]) ** 2).sum(axis=1))


def test_a_larger_badge_batch_extends_a_smaller_one(backend: str) -> None:
    rng = np.random.default_rng(3)
    X, P = features(rng, 100, 8), softmax_rows(rng, 100, 4)
    few, many = (fs.badge(X, P, batch_size=b, seed=9, backend=backend) for b in (12, 70))
    np.testing.assert_array_equal(many.indices[:12], few.indices)


def test_badge_seeds_differ_and_none_is_fresh(engine: str) -> None:
    rng = np.random.default_rng(3)
    X, P = features(rng, 500, 8), softmax_rows(rng, 500, 4)
    for seeds in ((0, 1), (None, None)):
        a, b = (fs.badge(X, P, batch_size=30, seed=s, backend=engine) for s in seeds)
        assert not np.array_equal(a.indices, b.indices)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_badge_draws_in_proportion_to_the_squared_distance(step: int, backend: str) -> None:
    """Chi-square over many seeds: each pick given all before it, not the second alone."""
    rng = np.random.default_rng(8)
    X, P = rng.standard_normal((9, 3)), softmax_rows(rng, 9, 3)
    g = gradients(X, P)
    squares = ((g[:, None] - g[None]) ** 2).sum(axis=-1)
    observed, expected = np.zeros(9), np.zeros(9)
    for seed in range(4000):
        picks = fs.badge(X, P, batch_size=step + 1, seed=seed, backend=backend).indices
        weights = squares[:, picks[:step]].min(axis=1)
        expected += weights / weights.sum()
        observed[picks[step]] += 1
    possible = expected > 5
    assert observed[~possible].sum() <= 20
    seen, wanted = observed[possible], expected[possible]
    assert chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue > 1e-3


def test_draws_are_those_of_philox(cpu: str) -> None:
    """Row i's clock comes from word i alone, on every platform: these picks are a promise."""
    X = np.eye(8)
    P = np.full((8, 2), 0.5)
    picks = fs.badge(X, P, batch_size=8, seed=0, backend=cpu).indices.tolist()
    # All squared distances equal: the order of the draws is the order of the picks.
    draws = reference.exponential_draws(0, 8)
    assert picks == [0, *(np.argsort(draws[1:]) + 1).tolist()]


# ------------------------------------------------------------------------------ hypothesis
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a name, the same each time
)
@given(data=st.data())
def test_picks_are_those_of_the_reference_on_grids(engine: str, data: st.DataObject) -> None:
    """Small integers: exact in every order of summation, full of ties and duplicates."""
    n = data.draw(st.integers(2, 40))
    d = data.draw(st.sampled_from([1, 2, 5, 16, 20]))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    X = rng.integers(-2, 3, size=(n, d)).astype(np.float64)
    m = data.draw(st.integers(0, n - 1))
    labeled = rng.permutation(n)[:m]
    batch = data.draw(st.integers(1, n - m))
    call: dict[str, Any] = {"labeled": labeled, "batch_size": batch}
    fast = fs.k_center(X, **call, backend=engine)
    slow = fs.k_center(X, **call, backend="reference")
    np.testing.assert_array_equal(fast.indices, slow.indices)
    np.testing.assert_array_equal(fast.scores, slow.scores)


# ------------------------------------------------------------------------------- bad input
X0, P0 = np.linspace(-1, 1, 60).reshape(20, 3), np.full((20, 4), 0.25)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "^batch_size must be at least 1, got 0$"),
        ({"batch_size": 19, "labeled": [0, 1]}, ValueError, "^batch_size must be at most"),
        ({"labeled": [20]}, ValueError, "^labeled must hold indices from 0 to 19"),
        ({"labeled": [4, 4]}, ValueError, "^labeled must name each row once: index 4"),
        ({"X": X0[:, 0]}, ValueError, r"^features must have 2 axes"),
        ({"X": X0.astype(object)}, TypeError, "^features must hold real numbers"),
        ({"X": np.where(X0[3, 1] == X0, np.nan, X0)}, ValueError, "row 3, column 1 is nan"),
        ({"threads": 0}, ValueError, "^threads must be at least 1, got 0$"),
        ({"chunk_rows": 1.5}, TypeError, "^chunk_rows must be an integer"),
        ({"progress": 3}, TypeError, "^progress must be a bool or a callable"),
        ({"backend": "gpu"}, ValueError, "^backend must be one of"),
    ],
)
@pytest.mark.parametrize("name", ["k_center", "badge"])
def test_bad_input(name: str, call: Any, error: type[Exception], message: str) -> None:
    call = {"X": X0, "P": P0, "batch_size": 4, "backend": "reference"} | call
    with pytest.raises(error, match=message):
        getattr(fs, name)(**call)
    arrays = {"features": call.pop("X"), "probabilities": call.pop("P")}
    with pytest.raises(error, match=message):
        fs.select(name, **arrays, **call)


def test_bad_input_of_each_alone() -> None:
    with pytest.raises(ValueError, match=r"^first must be an index from 0 to 19, got 20$"):
        fs.k_center(X0, batch_size=1, first=20)
    with pytest.raises(TypeError, match=r"^first must be a row index or None, got float$"):
        fs.k_center(X0, batch_size=1, first=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^embedding must be one of 'features', 'gradient'"):
        fs.k_center(X0, batch_size=1, embedding="kernel")
    with pytest.raises(ValueError, match=r"^probabilities \[n, C\] must be given for embedd"):
        fs.k_center(X0, batch_size=1, embedding="gradient")
    with pytest.raises(ValueError, match=r"^probabilities \[n, C\] must be given, got None$"):
        fs.badge(X0, None, batch_size=1)
    with pytest.raises(ValueError, match=r"^probabilities must have one row for each row"):
        fs.badge(X0, P0[:19], batch_size=1)
    with pytest.raises(ValueError, match=r"^probabilities must sum to 1"):
        fs.badge(X0, P0 / 2, batch_size=1)
    with pytest.raises(ValueError, match=r"^seed must be below 2\*\*64, got 18446744073709"):
        fs.badge(X0, P0, batch_size=1, seed=2**64)
    with pytest.raises(TypeError, match=r"^seed must be an integer or None"):
        fs.badge(X0, P0, batch_size=1, seed=0.5)  # type: ignore[arg-type]


# -------------------------------------------------------------------------- interruption
LONG = """
import numpy as np
import fisher_select as fs

X = np.random.default_rng(0).standard_normal((120_000, 32), dtype=np.float32)
P = np.full((len(X), 2), 0.5)
print("ready", flush=True)
fs.{}
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT of a subprocess is POSIX")
@pytest.mark.parametrize(
    "call",
    [
        "k_center(X, labeled=np.arange(60_000), batch_size=60_000, threads=2)",
        "k_center(X, batch_size=100_000, threads=1)",
        "badge(X, P, batch_size=100_000, threads=1)",
    ],
)
def test_ctrl_c_stops_within_a_second(call: str, cpu: str) -> None:
    assert cpu
    assert_ctrl_c_stops(LONG.format(call), wait=1.0)


# ------------------------------------------------------------------------------- by name
def test_by_name(backend: str) -> None:
    rng = np.random.default_rng(0)
    X, P = features(rng, 50, 4), softmax_rows(rng, 50, 3)
    call: dict[str, Any] = {"batch_size": 5, "labeled": [1], "backend": backend}
    for name, direct in {
        "k_center": fs.k_center(X, **call),
        "k_center_gradient": fs.k_center(X, P, embedding="gradient", **call),
        "badge": fs.badge(X, P, **call),
    }.items():
        picks = fs.select(name, features=X, probabilities=P, **call)
        np.testing.assert_array_equal(picks.indices, direct.indices)
    assert fs.strategies.get("k_center").needs == ("features",)
    assert fs.strategies.get("k_center_gradient").needs == ("features", "probabilities")


def test_progress_counts_the_picks(backend: str) -> None:
    rng = np.random.default_rng(0)
    X, P = features(rng, 50, 4), softmax_rows(rng, 50, 3)
    seen: list[tuple[str, int, int]] = []
    for function in (fs.k_center, fs.badge):
        function(X, P, batch_size=5, backend=backend, progress=lambda *a: seen.append(a))
        assert seen[-1] == ("pick", 5, 5)
