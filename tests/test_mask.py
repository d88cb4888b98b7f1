# SPDX-License-Identifier: Apache-2.0
"""The Fisher mask: top-k of a diagonal, and the diagonal summed from streamed gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fisher_select as fs

torch = pytest.importorskip("torch")

GOLDEN = Path(__file__).resolve().parents[1].parent / "shared/golden/fisher_mask_top_k.npz"
MANY = 200_001  # several of the core's chunks and blocks, and a piece of one


# Function-scoped fixtures are names of backends here: nothing to reset between examples.
few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def sorted_mask(diagonal: Any, k: int, always: Any = ()) -> list[int]:
    """The formula: `always` first, then the others by a stable sort."""
    kept = [int(i) for i in always]
    order = np.argsort(-np.asarray(diagonal), kind="stable").tolist()
    return sorted(kept + [i for i in order if i not in set(kept)][: k - len(kept)])


def drawn(kind: str, n: int, dtype: type, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    values = {
        "chi2": lambda: rng.standard_normal(n) ** 2,
        "layers": lambda: (
            rng.random(n) * np.exp(rng.normal(size=20) * 5).repeat(n // 20 + 1)[:n]
        ),
        "three_values": lambda: rng.integers(0, 3, n),
        "zeros": lambda: np.zeros(n),
        "negative_zeros": lambda: np.where(rng.random(n) < 0.9, -0.0, rng.random(n)),
        "denormal": lambda: rng.random(n) * float(np.finfo(dtype).tiny),
        "close": lambda: 1.0 + rng.random(n) * 1e-5,
        "wide": lambda: np.exp(rng.normal(size=n) * 12.0),
        "falling": lambda: np.arange(n, 0, -1.0),
        "periodic": lambda: np.tile(np.arange(1.0, 65.0) ** 3, n // 64 + 1)[:n],
    }
    return values[kind]().astype(dtype)


KINDS = (
    "chi2",
    "layers",
    "three_values",
    "zeros",
    "negative_zeros",
    "denormal",
    "close",
    "wide",
    "falling",
    "periodic",
)


# -------------------------------------------------------------------------------- golden
@pytest.mark.skipif(not GOLDEN.exists(), reason="no shared/golden next to the checkout")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_golden(dtype: type, backend: str) -> None:
    with np.load(GOLDEN) as case:
        diagonal, k, always = case["diagonal"].astype(dtype), int(case["k"]), case["always"]
        mask = fs.top_k_mask(diagonal, k, always, backend=backend)
        np.testing.assert_array_equal(mask, case["mask"])
        plain = fs.top_k_mask(diagonal, k, backend=backend)
        np.testing.assert_array_equal(plain, case["mask_plain"])
        assert mask.dtype == plain.dtype == np.int64


# --------------------------------------------------------------------- against the formula
@pytest.mark.parametrize("n", [1, 2, 31, 63, 64, 65, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_small(kind: str, n: int, backend: str) -> None:
    diagonal = drawn(kind, n, np.float32, seed=n)
    for k in sorted({1, (n + 1) // 2, max(n - 1, 1), n}):
        assert fs.top_k_mask(diagonal, k, backend=backend).tolist() == sorted_mask(diagonal, k)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_large(kind: str, dtype: type, engine: str) -> None:
    diagonal = drawn(kind, 3 * MANY, dtype)
    order = np.argsort(-diagonal, kind="stable")
    for k in (1, 500, 60_000, MANY, 3 * MANY - 1):
        mask = fs.top_k_mask(diagonal, k, backend=engine)
        np.testing.assert_array_equal(mask, np.sort(order[:k]))


@few
@given(
    values=st.lists(st.floats(0, 2.0**127, width=32), min_size=1, max_size=60), data=st.data()
)
def test_any_numbers(backend: str, values: list[float], data: st.DataObject) -> None:
    always = data.draw(st.lists(st.integers(0, len(values) - 1), unique=True))
    k = data.draw(st.integers(max(len(always), 1), len(values)))
    expected = sorted_mask(np.float32(values), k, always)
    for dtype in (np.float32, np.float64):
        mask = fs.top_k_mask(np.array(values, dtype), k, always, backend=backend)
        assert mask.tolist() == expected


def test_a_misleading_sample_is_noticed(engine: str) -> None:
    """The threshold is guessed from a sample: all that is large lies between its places."""
    diagonal = np.zeros(1 << 21, np.float32)
    diagonal[-(1 << 14) :] = np.arange(1 << 14)
    for k in (100, 5_000, 20_000, 100_000):
        expected = np.sort(np.argsort(-diagonal, kind="stable")[:k])
        mask = fs.top_k_mask(diagonal, k, backend=engine)
        np.testing.assert_array_equal(mask, expected)


# ------------------------------------------------------------------------------ arguments
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["chi2", "three_values"])
def test_threads_do_not_change_the_answer(kind: str, threads: int, engine: str) -> None:
    diagonal = drawn(kind, MANY, np.float32)
    call = {"scope": "per_layer", "layers": (MANY - 100_000, 100_000), "backend": engine}
    one = fs.top_k_mask(diagonal, 1234, range(5, 400), threads=1, **call)
    many = fs.top_k_mask(diagonal, 1234, range(5, 400), threads=threads, **call)
    np.testing.assert_array_equal(one, many)


def test_kinds_of_arrays(backend: str, tmp_path: Path) -> None:
    diagonal = drawn("chi2", 5000, np.float32)
    expected = fs.top_k_mask(diagonal, 77)
    np.save(tmp_path / "diagonal.npy", diagonal)
    wide = np.zeros((5000, 3), np.float32)
    wide[:, 1] = diagonal
    backwards = diagonal[::-1].copy()[::-1]
    for array in (
        np.load(tmp_path / "diagonal.npy", mmap_mode="r"),
        wide[:, 1],
        backwards,
        torch.from_numpy(diagonal),
        diagonal.astype(">f4"),
        diagonal.tolist(),
    ):
        np.testing.assert_array_equal(fs.top_k_mask(array, 77, backend=backend), expected)
    counts = fs.top_k_mask([3, 0, 7, 7, 1], 2, backend=backend)
    assert counts.tolist() == [2, 3]


@pytest.mark.parametrize(
    "always",
    [
        [3, 40, 41, 42, 99],
        np.array([99, 42, 3, 41, 40]),
        (range(40, 43), slice(99, None), slice(3, 4)),
        [slice(-1, None), range(3, 4), range(40, 43)],
        np.isin(np.arange(100), [3, 40, 41, 42, 99]),
        torch.tensor([3, 40, 41, 42, 99]),
    ],
    ids=["list", "unsorted", "ranges", "slices", "mask", "torch"],
)
def test_ways_to_say_always(always: Any, backend: str) -> None:
    diagonal = drawn("chi2", 100, np.float64)
    diagonal[[3, 41]] = 0.0
    expected = sorted_mask(diagonal, 20, [3, 40, 41, 42, 99])
    assert fs.top_k_mask(diagonal, 20, always, backend=backend).tolist() == expected
    assert fs.top_k_mask(diagonal, 5, always, backend=backend).tolist() == [3, 40, 41, 42, 99]


def test_one_slice_or_range(backend: str) -> None:
    diagonal = drawn("chi2", 100, np.float64)
    expected = sorted_mask(diagonal, 20, range(90, 100))
    for always in (slice(-10, None), range(90, 100), slice(90, 100)):
        assert fs.top_k_mask(diagonal, 20, always, backend=backend).tolist() == expected
    assert fs.top_k_mask(diagonal, 100, slice(None), backend=backend).tolist() == [*range(100)]


# ------------------------------------------------------------------------------ per layer
def test_each_layer_keeps_its_share(backend: str) -> None:
    diagonal = np.concatenate([np.full(60, 9.0), np.arange(30.0), np.full(10, 5.0)])
    call = {"scope": "per_layer", "layers": [60, 30, 10], "backend": backend}
    mask = fs.top_k_mask(diagonal, 10, **call)
    assert mask.tolist() == [0, 1, 2, 3, 4, 5, 87, 88, 89, 90]
    # 7 of 100: shares 4.2, 2.1 and 0.7, so the last has the largest remainder.
    mask = fs.top_k_mask(diagonal, 7, **call)
    assert mask.tolist() == [0, 1, 2, 3, 88, 89, 90]


def test_always_is_shared_out_first(backend: str) -> None:
    diagonal = np.arange(100.0)
    call = {"scope": "per_layer", "layers": [50, 40, 10], "backend": backend}
    # The last layer and 10 of the second are kept; 8 more go to 50 and 30 free parameters.
    mask = fs.top_k_mask(diagonal, 28, range(80, 100), **call)
    assert mask.tolist() == [*range(45, 50), *range(77, 100)]
    whole = fs.top_k_mask(diagonal, 20, range(80, 100), **call)
    assert whole.tolist() == [*range(80, 100)]
    across = fs.top_k_mask(diagonal, 100, range(30, 95), **call)
    assert across.tolist() == [*range(100)]


@few
@given(data=st.data())
def test_any_layers(engine: str, data: st.DataObject) -> None:
    layers = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    n = sum(layers)
    diagonal = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), float)
    always = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    k = data.draw(st.integers(max(len(always), 1), n))
    call: dict[str, Any] = {"scope": "per_layer", "layers": layers}
    masks = [
        fs.top_k_mask(diagonal, k, always, **call, backend=name).tolist()
        for name in (engine, "reference")
    ]
    assert masks[0] == masks[1]
    assert len(masks[0]) == k
    assert set(always) <= set(masks[0])
    free = np.array(layers, float)
    ends = np.cumsum(layers)
    for i in always:
        free[np.searchsorted(ends, i, side="right")] -= 1
    share = (k - len(always)) * free / max(free.sum(), 1)
    kept = np.histogram(masks[0], np.concatenate([[0], ends - 0.5]))[0]
    took = kept - (np.array(layers) - free)
    assert np.all(np.abs(took - share) < 1)


def test_large_layers(engine: str) -> None:
    """Quotas of 0, of all, and of a part; ranges over the ends of layers; many ties."""
    rng = np.random.default_rng(0)
    layers = [3, 50_000, 17, 1, 20_000, 40_000]
    diagonal = rng.integers(0, 40, sum(layers)).astype(np.float32)
    for always in (range(0), range(49_990, 50_030), rng.choice(110_021, 300, replace=False)):
        for k in (5_000, 60_000, 110_000):
            call = {"scope": "per_layer", "layers": layers}
            mask = fs.top_k_mask(diagonal, k, always, **call, backend=engine)
            expected = fs.top_k_mask(diagonal, k, always, **call, backend="reference")
            np.testing.assert_array_equal(mask, expected)


# ------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("value", "wanted"), [(np.nan, "finite"), (np.inf, "finite"), (-0.5, "at least 0")]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("place", [0, 77, 70_000, MANY - 1])
def test_bad_entries_are_named(
    value: float, wanted: str, dtype: type, place: int, backend: str
) -> None:
    diagonal = drawn("chi2", MANY, dtype)
    diagonal[[place, MANY - 1]] = value
    message = rf"^diagonal must be {wanted}: entry {place} is {value}$"
    for k, options in [
        (5, {}),
        (MANY, {}),
        (1000, {"always": range(60, 80)}),
        (2, {"scope": "per_layer", "layers": [50, 100, MANY - 150]}),
    ]:
        with pytest.raises(ValueError, match=message):
            fs.top_k_mask(diagonal, k, **options, backend=backend)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "^k must be at least 1, got 0$"),
        ({"k": -1}, ValueError, "^k must be at least 1, got -1$"),
        ({"k": 11}, ValueError, "^k must be at most the 10 parameters of diagonal, got 11$"),
        ({"k": 2.0}, TypeError, r"^k must be an integer, got float 2\.0$"),
        (
            {"always": [1, 2, 3, 4]},
            ValueError,
            "^k must be at least the 4 parameters of always, got 3$",
        ),
        ({"always": [10]}, ValueError, "^always must name parameters from 0 to 9, got 10$"),
        ({"always": [-1]}, ValueError, "^always must name parameters from 0 to 9, got -1$"),
        ({"always": range(8, 11)}, ValueError, "^always must name parameters from 0 to 9"),
        (
            {"always": slice(8, 11)},
            ValueError,
            "^always must stay within 10 parameters, got sl",
        ),
        ({"always": [2, 2]}, ValueError, "^always must name each parameter once: index 2 is"),
        ({"always": [range(3), slice(2, 4)]}, ValueError, "index 2 is duplicated$"),
        ({"always": [range(1), 4]}, TypeError, "^always must hold slices and ranges alone"),
        ({"always": [0.5]}, TypeError, "^always must hold integers, bools, slices or ranges"),
        ({"always": [[1]]}, ValueError, r"^always must have one axis, got shape \[1, 1\]$"),
        ({"always": [True] * 9}, ValueError, "^always is a boolean mask of length 9, but dia"),
        ({"scope": "layer"}, ValueError, "^scope must be one of 'global', 'per_layer', got 'l"),
        ({"scope": "per_layer"}, ValueError, "^layers must be given for scope='per_layer'"),
        ({"layers": [10]}, ValueError, "^layers must be given for scope='per_layer'"),
        (
            {"scope": "per_layer", "layers": [5, 4]},
            ValueError,
            "^layers must add up to the 10 entries of diagonal, got 9$",
        ),
        (
            {"scope": "per_layer", "layers": [10, 0]},
            ValueError,
            "^layers must be at least 1, got 0$",
        ),
        ({"threads": 0}, ValueError, "^threads must be at least 1, got 0$"),
        ({"diagonal": np.ones((5, 2))}, ValueError, r"^diagonal must have one axis \[n\]"),
        ({"diagonal": []}, ValueError, r"^diagonal must have one axis \[n\], n >= 1, got"),
        ({"diagonal": np.ones(5, complex)}, TypeError, "^diagonal must hold real numbers"),
        ({"diagonal": ["a", "b"]}, TypeError, "^diagonal must hold real numbers"),
    ],
)
def test_bad_arguments(options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        fs.top_k_mask(**({"diagonal": np.ones(10), "k": 3} | options))


# ----------------------------------------------------------------------- the diagonal itself
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("total", ["float32", "float64"])
@pytest.mark.parametrize("params", [1, 2047, 2048, 2049, 5000])
def test_mean_of_squares(params: int, total: str, dtype: type, backend: str) -> None:
    rng = np.random.default_rng(params)
    gradients = rng.standard_normal((12, params)).astype(dtype)
    weights = rng.random(12)
    fisher = fs.DiagonalFisher(params, dtype=total, backend=backend)
    assert fisher.add(gradients[:7], weights[:7]) is fisher
    fisher.add(gradients[7:], weights[7:])
    expected = weights @ gradients.astype(np.float64) ** 2 / weights.sum()
    mean = fisher.mean()
    assert mean.dtype == total
    rtol = 1e-13 if total == "float64" else 1e-6
    np.testing.assert_allclose(mean, expected, rtol=rtol)
    assert fisher.weight == pytest.approx(weights.sum())
    unweighted = fs.DiagonalFisher(params, backend=backend).add(gradients)
    np.testing.assert_allclose(
        unweighted.mean(), np.mean(gradients.astype(np.float64) ** 2, axis=0), rtol=1e-13
    )


def test_strides_threads_and_tensors_do_not_change_the_sum(engine: str) -> None:
    gradients = np.random.default_rng(0).standard_normal((9, 5000)).astype(np.float32)
    weights = np.linspace(0, 1, 9)
    expected = fs.DiagonalFisher(5000, threads=1, backend=engine).add(gradients, weights).mean()
    wide = np.zeros((9, 10_000), np.float32)
    wide[:, ::2] = gradients
    backwards = gradients[::-1, ::-1].copy()[::-1, ::-1]
    for array in (
        np.asfortranarray(gradients),
        wide[:, ::2],
        backwards,
        torch.tensor(gradients),
    ):
        for threads in (1, 2, 4):
            fisher = fs.DiagonalFisher(5000, threads=threads, backend=engine)
            np.testing.assert_array_equal(fisher.add(array, weights).mean(), expected)


def test_many_small_additions_are_not_lost_in_float32(backend: str) -> None:
    fisher = fs.DiagonalFisher(1, dtype="float32", backend=backend)
    gradients = np.full((1000, 1), 1e-3, np.float32)
    fisher.add([[1.0]])
    for _ in range(10):
        fisher.add(gradients)
    assert fisher.mean()[0] * fisher.weight == pytest.approx(1.01, rel=1e-6)


def test_bad_gradients_add_nothing(backend: str) -> None:
    fisher = fs.DiagonalFisher(3, backend=backend).add(np.ones((2, 3)))
    for gradients, weights, error, message in [
        ([[1, 2, np.nan]], None, ValueError, "^gradients must be finite: row 0, column 2 is n"),
        ([[1, 2]], None, ValueError, "^gradients must have a column for each of 3 param"),
        ([1, 2, 3], None, ValueError, "^gradients must have 2 axes"),
        ([[1, 2, 3]], [1, 2], ValueError, "^weights must have one entry for each of 1 grad"),
        (
            [[1, 2, 3]],
            [-1],
            ValueError,
            "^weights must be finite and at least 0: entry 0 is -1$",
        ),
        ([[1, 2, 3]], [np.inf], ValueError, "^weights must be finite and at least 0: entry 0"),
        ([["a", "b", "c"]], None, TypeError, "^gradients must hold real numbers"),
    ]:
        with pytest.raises(error, match=message):
            fisher.add(gradients, weights)
    np.testing.assert_array_equal(fisher.mean(), np.ones(3))
    with pytest.raises(ValueError, match=r"^add gradients with a weight above 0 before"):
        fs.DiagonalFisher(3, backend=backend).mean()
    with pytest.raises(ValueError, match=r"^num_parameters must be at least 1, got 0$"):
        fs.DiagonalFisher(0)
    with pytest.raises(
        ValueError, match=r"^dtype must be one of 'float64', 'float32', got 'f2'$"
    ):
        fs.DiagonalFisher(3, dtype="f2")
