# SPDX-License-Identifier: Apache-2.0
"""Mean distances: exact sums on every backend, whatever moves from unlabelled to labelled."""

from __future__ import annotations

import importlib
import math
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from exporters import LAYOUTS, Export
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interruption import assert_ctrl_c_stops
from problems import features
from scipy.spatial.distance import cdist

import fisher_select as fs
from fisher_select import backends, reference

Float64 = npt.NDArray[np.float64]

RTOL = 1e-13  # of a mean: d / 2 + 4 roundings of 2^-53 each, d up to 600 here


# --------------------------------------------------------------------------- brute force
def distances(X: npt.ArrayLike, Y: npt.ArrayLike) -> Float64:
    """Of all pairs [n, k], each a correctly rounded sum of squares."""
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    return np.array([[math.sqrt(math.fsum((x - y) ** 2)) for y in Y] for x in X])


def brute_force(X: npt.ArrayLike, is_labeled: npt.NDArray[np.bool_]) -> tuple[Float64, Float64]:
    """Mean distances to the labelled rows, and to the unlabelled ones but the row itself."""
    D = distances(X, X)
    n = len(D)
    near, far = np.zeros(n), np.zeros(n)
    for i in range(n):
        others = ~is_labeled & (np.arange(n) != i)
        if is_labeled.any():
            near[i] = math.fsum(D[i, is_labeled]) / is_labeled.sum()
        if others.any():
            far[i] = math.fsum(D[i, others]) / others.sum()
    return near, far


def assert_means(means: fs.MeanDistances, X: npt.ArrayLike, rtol: float = RTOL) -> None:
    is_labeled = np.isin(np.arange(len(means)), means.labeled)
    near, far = brute_force(X, is_labeled)
    np.testing.assert_allclose(means.to_labeled, near, rtol=rtol, atol=0)
    np.testing.assert_allclose(means.to_unlabeled, far, rtol=rtol, atol=0)
    assert means.to_labeled.dtype == means.to_unlabeled.dtype == np.float64


def assert_same(a: fs.MeanDistances, b: fs.MeanDistances) -> None:
    """Bit for bit."""
    np.testing.assert_array_equal(a.labeled, b.labeled)
    np.testing.assert_array_equal(a.to_labeled, b.to_labeled)
    np.testing.assert_array_equal(a.to_unlabeled, b.to_unlabeled)


# ----------------------------------------------------------------------------- the values
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 2, 15, 16, 17, 33, 130])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 33, 70])
def test_means_of_odd_shapes(n: int, d: int, dtype: type, backend: str) -> None:
    rng = np.random.default_rng(n * 1000 + d)
    X = features(rng, n, d).astype(dtype)
    Y = features(rng, 1 + n // 3, d).astype(dtype)
    found = fs.mean_distances(X, Y, backend=backend)
    np.testing.assert_allclose(found, distances(X, Y).mean(axis=1), rtol=RTOL, atol=0)
    assert found.dtype == np.float64
    means = fs.MeanDistances(X, labeled=rng.permutation(n)[: n // 4], backend=backend)
    assert_means(means, X)
    assert means.backend == backend
    assert len(means) == n


@pytest.mark.parametrize(("n", "k", "d"), [(257, 300, 40), (600, 65, 129), (130, 129, 600)])
def test_the_engine_equals_the_reference(n: int, k: int, d: int, engine: str) -> None:
    rng = np.random.default_rng(n)
    X, Y = features(rng, n, d), features(rng, k, d).astype(np.float32)
    slow = fs.mean_distances(X, Y, backend="reference")
    np.testing.assert_allclose(fs.mean_distances(X, Y, backend=engine), slow, rtol=RTOL)
    labeled = rng.permutation(n)[:50]
    fast = fs.MeanDistances(X, labeled=labeled, backend=engine)
    means = fs.MeanDistances(X, labeled=labeled, backend="reference")
    np.testing.assert_allclose(fast.to_labeled, means.to_labeled, rtol=RTOL)
    np.testing.assert_allclose(fast.to_unlabeled, means.to_unlabeled, rtol=RTOL)


def test_means_of_small_integers_are_correctly_rounded(backend: str) -> None:
    """Squares are exact, and so is the division by 64: the sum alone is rounded, once."""
    X = np.random.default_rng(0).integers(-9, 10, (64, 25))
    D = np.sqrt(((X[:, None] - X[None]) ** 2).sum(axis=-1))
    exact = [float(sum(map(Fraction, row)) / len(row)) for row in D.tolist()]
    np.testing.assert_array_equal(fs.mean_distances(X, X, backend=backend), exact)


def test_equal_rows_are_exactly_zero_apart(backend: str) -> None:
    rng = np.random.default_rng(1)
    X = np.repeat(rng.standard_normal((3, 50)) * 1e4 + 1e6, 20, axis=0)[:50]
    same = fs.mean_distances(X, X[:9], backend=backend)
    assert np.all(same[:20] == 0.0)
    assert np.all(same[20:] > 0.0)
    means = fs.MeanDistances(X, labeled=np.arange(20, 50), backend=backend)
    assert np.all(means.to_unlabeled[:20] == 0.0)
    assert_means(means, X)


@pytest.mark.parametrize("offset", [1e3, 1e8, 1e15, 1e100])
def test_tiny_differences_of_huge_rows(offset: float, backend: str) -> None:
    """|x|^2 + |y|^2 - 2 x.y would lose everything here."""
    rng = np.random.default_rng(1)
    X = offset + offset * 2.0**-50 * rng.integers(0, 8, size=(40, 20))
    assert_means(fs.MeanDistances(X, labeled=[0, 7], backend=backend), X)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e-30, 1e30, 1e160, 1e306])
def test_any_unit_of_length(size: float, backend: str) -> None:
    X = features(np.random.default_rng(3), 40, 25)
    power = 2.0 ** round(math.log2(size))
    plain = fs.MeanDistances(X, labeled=[9], backend=backend)
    found = fs.MeanDistances(X * power, labeled=[9], backend=backend)
    np.testing.assert_array_equal(found.to_labeled / power, plain.to_labeled)
    np.testing.assert_array_equal(found.to_unlabeled / power, plain.to_unlabeled)


def test_overflow_is_an_error(backend: str) -> None:
    X = np.array([[1.5e308], [-1.5e308]])
    with pytest.raises(fs.NumericalError, match="row 0 overflows: scale the features down"):
        fs.mean_distances(X, X[1:], backend=backend)


# ---------------------------------------------------------------- what is left at the end
@pytest.mark.parametrize("far", [1e3, 1e9, 1e15])
def test_near_rows_left_among_far_ones(far: float, backend: str) -> None:
    """A difference of two rounded sums would keep no digit of what is left."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 12))
    X[10:] *= far
    means = fs.MeanDistances(X, labeled=np.arange(10, 60), backend=backend)
    assert_means(means, X)
    means.label(np.arange(2, 10))
    assert_means(means, X)


def test_what_is_cut_off_a_distance_is_as_little_as_promised(backend: str) -> None:
    """n^3 2^-152 of the longest distance that the largest entry allows."""
    n, d, near = 64, 4, 2.0**-80
    X = np.zeros((n, d))
    X[1, 0] = near * (1.0 + 2.0**-52)  # 53 bits, 64 of them below the largest entry's unit
    X[2:] = 1.0
    means = fs.MeanDistances(X, labeled=np.arange(2, n), backend=backend)
    promised = n**3 * 2.0**-152 * 2.0 * math.sqrt(d)
    assert abs(means.to_unlabeled[0] - X[1, 0]) <= promised
    assert abs(means.to_unlabeled[0] - X[1, 0]) < near * 1e-9


def test_where_nothing_or_everything_is_labelled(backend: str) -> None:
    X = features(np.random.default_rng(4), 30, 5)
    means = fs.MeanDistances(X, backend=backend)
    assert means.labeled.size == 0
    assert np.all(means.to_labeled == 0.0)
    means.label(np.arange(29))
    assert means.to_unlabeled[29] == 0.0  # but itself there is none
    assert np.all(means.to_unlabeled[:29] > 0.0)
    means.label([29])
    assert np.all(means.to_unlabeled == 0.0)
    everything = np.ones(30, bool)
    assert_same(means, fs.MeanDistances(X, labeled=everything, backend=backend))
    assert_means(means, X)


# -------------------------------------------------------------------------------- labelling
def test_labelling_in_any_order_equals_recomputation(backend: str) -> None:
    rng = np.random.default_rng(5)
    X = features(rng, 90, 21) * np.exp(3 * rng.standard_normal((90, 1)))
    order = rng.permutation(90)
    means = fs.MeanDistances(X, labeled=order[:4], backend=backend)
    begin = 4
    for k in (1, 1, 3, 17, 40, 24):
        means.label(order[begin : begin + k])
        begin += k
        assert_same(means, fs.MeanDistances(X, labeled=order[:begin], backend=backend))
    assert begin == 90


def test_label_takes_masks_and_empty_lists(backend: str) -> None:
    X = features(np.random.default_rng(6), 20, 3)
    means = fs.MeanDistances(X, labeled=[4], backend=backend)
    means.label([])
    assert means.labeled.tolist() == [4]
    means.label(np.isin(np.arange(20), [1, 7]))
    assert means.labeled.tolist() == [1, 4, 7]
    assert_means(means, X)


def test_reset_starts_again(backend: str) -> None:
    X = features(np.random.default_rng(7), 40, 6)
    means = fs.MeanDistances(X, labeled=[4, 9], backend=backend)
    means.label([11, 30])
    means.reset(labeled=[2])
    assert_same(means, fs.MeanDistances(X, labeled=[2], backend=backend))
    means.reset()
    assert_same(means, fs.MeanDistances(X, backend=backend))


def test_results_are_the_callers_own(backend: str) -> None:
    X = features(np.random.default_rng(8), 10, 3)
    means = fs.MeanDistances(X, labeled=[4], backend=backend)
    means.to_labeled[:] = -1.0
    means.to_unlabeled[:] = -1.0
    assert_means(means, X)


# ------------------------------------------------------------------------ how it is run
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_chunks_and_strides_do_not_change_a_bit(dtype: type, engine: str) -> None:
    rng = np.random.default_rng(9)
    X = features(rng, 333, 70).astype(dtype)
    one = fs.MeanDistances(X, labeled=[5, 200], backend=engine, threads=1)
    one.label([7, 8, 9])
    to_all = fs.mean_distances(X, X[:100], backend=engine, threads=1)
    variants: list[dict[str, Any]] = [
        {"X": X, "threads": threads, "chunk_rows": chunk_rows}
        for threads, chunk_rows in [(1, 1), (2, None), (2, 7), (3, 100), (4, 9000)]
    ]
    variants += [{"X": layout(X)} for layout in LAYOUTS.values()]
    for variant in variants:
        other = fs.MeanDistances(**variant, labeled=[5, 200], backend=engine)
        other.label([7, 8, 9])
        assert_same(one, other)
        Y = variant["X"][:100]
        np.testing.assert_array_equal(
            fs.mean_distances(**variant, references=Y, backend=engine), to_all
        )


@pytest.mark.parametrize("chunk_rows", [0, 16, 64, 300])
def test_each_pair_once_equals_each_pair_twice(chunk_rows: int, engine: str) -> None:
    """A distance serves both its rows where all meet all; chosen rows meet them one way."""
    X = features(np.random.default_rng(14), 290, 11)
    call: dict[str, Any] = {"features": X, "references": None, "scale": 2.0**-9, "bits": 40}
    call |= {"threads": 2, "chunk_rows": chunk_rows}
    run = backends.get(engine).call
    once, twice = (
        run("distance_sums", **call, rows=rows) for rows in (None, np.arange(290)[::-1].copy())
    )
    np.testing.assert_array_equal(once, twice)


def test_references_in_several_panels(cpu: str) -> None:
    """Rows so long that some fifty are packed at a time."""
    X = np.random.default_rng(15).standard_normal((230, 20_000)).astype(np.float32)
    expected = cdist(X, X)
    for chunk_rows in (None, 48, 230):
        means = fs.MeanDistances(X, backend=cpu, threads=2, chunk_rows=chunk_rows)
        np.testing.assert_allclose(
            means.to_unlabeled, expected.sum(axis=1) / 229, rtol=1e-12, atol=0
        )
    means.label(np.arange(100, 230))
    np.testing.assert_allclose(means.to_labeled, expected[:, 100:].mean(axis=1), rtol=1e-12)


def test_every_instruction_set(instruction_set: str, cpu: str) -> None:
    assert cpu
    core = importlib.import_module("fisher_select._core")
    X = features(np.random.default_rng(10), 150, 37)
    call: dict[str, Any] = {"features": X, "references": None, "scale": 2.0**-9, "bits": 40}
    for rows in (None, np.array([3, 77, 149])):
        found = core.distance_sums(
            **call, rows=rows, threads=2, instruction_set=instruction_set
        )
        slow = reference.distance_sums(**call, rows=rows)
        np.testing.assert_allclose(found.sum(axis=0), slow.sum(axis=0), rtol=RTOL)


def test_progress_counts_the_distances(backend: str) -> None:
    X = features(np.random.default_rng(11), 50, 4)
    seen: list[tuple[str, int, int]] = []
    fs.mean_distances(X, X[:7], backend=backend, progress=lambda *a: seen.append(a))
    stage, done, total = seen[-1]
    assert stage == "distances"
    assert done == total > 0
    assert [s[1] for s in seen] == sorted(s[1] for s in seen)


def test_a_failed_call_changes_nothing(backend: str) -> None:
    X = features(np.random.default_rng(12), 50, 4)
    stop = False

    def progress(*_: object) -> None:
        if stop:
            raise RuntimeError("stopped")

    means = fs.MeanDistances(X, labeled=[1], backend=backend, progress=progress)
    stop = True
    with pytest.raises(RuntimeError, match="stopped"):
        means.label([2, 3])
    assert_same(means, fs.MeanDistances(X, labeled=[1], backend=backend))


LONG = """
import numpy as np
import fisher_select as fs

X = np.random.default_rng(0).standard_normal((200_000, 64), dtype=np.float32)
print("ready", flush=True)
fs.{}
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT of a subprocess is POSIX")
@pytest.mark.parametrize(
    "call",
    ["MeanDistances(X, threads=2)", "mean_distances(X, X, threads=1, chunk_rows=200_000)"],
)
def test_ctrl_c_stops_within_a_second(call: str, cpu: str) -> None:
    assert cpu
    assert_ctrl_c_stops(LONG.format(call), wait=1.0)


# ------------------------------------------------------------------------------ hypothesis
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a name, the same each time
)
@given(data=st.data())
def test_any_history_of_labels(backend: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 40))
    d = data.draw(st.sampled_from([1, 2, 5, 16, 20]))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    X = rng.integers(-2, 3, size=(n, d)) * 10.0 ** rng.integers(-8, 9, size=(n, 1))
    parts = np.split(
        rng.permutation(n), sorted(data.draw(st.lists(st.integers(0, n), max_size=4)))
    )
    means = fs.MeanDistances(X, backend=backend)
    for part in parts[:-1]:
        means.label(part)
    assert_means(means, X)
    order = rng.permutation(n)
    back = np.argsort(order)
    moved = fs.MeanDistances(X[order], labeled=back[means.labeled], backend=backend)
    np.testing.assert_array_equal(moved.to_labeled[back], means.to_labeled)
    np.testing.assert_array_equal(moved.to_unlabeled[back], means.to_unlabeled)


# --------------------------------------------------------------------- arrays on a device
@pytest.mark.cuda
@pytest.mark.parametrize("layout", [np.asarray, *LAYOUTS.values()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_device_arrays_give_the_means_of_host_arrays(
    dtype: type, layout: Any, export: Export
) -> None:
    X = features(np.random.default_rng(13), 60, 9).astype(dtype)
    there = export(layout(X))
    expected = fs.MeanDistances(X, labeled=[3], backend="cuda")
    found = fs.MeanDistances(there, labeled=export(np.array([3])))
    assert found.backend == "cuda"
    assert_same(found, expected)
    found.label(export(np.array([8, 1])))
    expected.label([8, 1])
    assert_same(found, expected)
    np.testing.assert_array_equal(
        fs.mean_distances(there, export(X[:5])), fs.mean_distances(X, X[:5], backend="cuda")
    )
    with pytest.raises(ValueError, match=r"^features and references must lie in one place"):
        fs.mean_distances(there, X)
    with pytest.raises(ValueError, match=r"^backend 'cpu' reads the CPU's memory alone"):
        fs.MeanDistances(there, backend="cpu")


@pytest.mark.cuda
def test_device_arrays_are_checked_there(cuda: str, export: Export) -> None:
    assert cuda
    X = np.ones((7, 3))
    X[4, 2] = np.inf
    with pytest.raises(ValueError, match=r"^features must be finite: row 4, column 2 is inf"):
        fs.MeanDistances(export(X))


# ------------------------------------------------------------------------------- bad input
X0 = np.linspace(-1, 1, 60).reshape(20, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"X": X0[:, 0]}, ValueError, r"^features must have 2 axes"),
        ({"X": X0.astype(object)}, TypeError, "^features must hold real numbers"),
        ({"X": np.where(X0[3, 1] == X0, np.nan, X0)}, ValueError, "row 3, column 1 is nan"),
        ({"threads": 0}, ValueError, "^threads must be at least 1, got 0$"),
        ({"chunk_rows": 1.5}, TypeError, "^chunk_rows must be an integer"),
        ({"progress": 3}, TypeError, "^progress must be a bool or a callable"),
        ({"backend": "gpu"}, ValueError, "^backend must be one of"),
    ],
)
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    call = {"X": X0, "backend": "reference"} | call
    with pytest.raises(error, match=message):
        fs.MeanDistances(**call)
    with pytest.raises(error, match=message):
        fs.mean_distances(**call, references=X0)


def test_bad_references() -> None:
    with pytest.raises(ValueError, match=r"^references must have 3 columns, as many as feat"):
        fs.mean_distances(X0, X0[:, :2])
    with pytest.raises(ValueError, match=r"^references must not be empty: \[n, d\] wanted"):
        fs.mean_distances(X0, X0[:0])
    with pytest.raises(ValueError, match=r"^references must be finite: row 1, column 0 is nan"):
        fs.mean_distances(X0, [[1, 2, 3], [np.nan, 2, 3]])
    with pytest.raises(TypeError, match=r"^references must hold real numbers"):
        fs.mean_distances(X0, X0.astype(complex))


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([20], ValueError, r"^rows must hold indices from 0 to 19: rows\[0\] is 20$"),
        ([-1], ValueError, r"^rows must hold indices from 0 to 19: rows\[0\] is -1$"),
        ([6, 6], ValueError, "^rows must name each row once: index 6 is duplicated"),
        ([1, 4], ValueError, "^rows must be unlabelled: row 4 is labelled already$"),
        (np.zeros(19, bool), ValueError, "^rows is a boolean mask of length 19, but there are"),
        ([0.5], TypeError, "^rows must hold integers or bools, got dtype float64$"),
        (3, ValueError, r"^rows must be an index array \[m\] or a boolean mask \[n\], got"),
        (None, TypeError, "^rows must be an index array"),
    ],
)
def test_bad_rows(rows: Any, error: type[Exception], message: str) -> None:
    means = fs.MeanDistances(X0, labeled=[4], backend="reference")
    with pytest.raises(error, match=message):
        means.label(rows)
    assert means.labeled.tolist() == [4]
    with pytest.raises(ValueError, match=r"^labeled must hold indices from 0 to 19"):
        means.reset(labeled=[20])
    with pytest.raises(ValueError, match=r"^labeled must hold indices from 0 to 19"):
        fs.MeanDistances(X0, labeled=[20], backend="reference")


def test_a_missing_engine_is_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """No backend stands in for another."""

    def missing() -> None:
        raise ImportError("gone")

    monkeypatch.setattr(backends, "_cpu", missing)
    with pytest.raises(ImportError, match="gone"):
        fs.MeanDistances(X0)
