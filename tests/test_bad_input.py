# SPDX-License-Identifier: Apache-2.0
"""Bad input to select and bait, DESIGN section 7 row by row: type and text, before work."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fisher_select as fs
from fisher_select.factors import trace_problem
from fisher_select.options import resolve_threads

torch = pytest.importorskip("torch")

X = np.linspace(-1.0, 1.0, 60).reshape(20, 3)
P = np.full((20, 4), 0.25)
V = np.ones((20, 3, 2))


def with_entry(array: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    changed = array.copy()
    changed[row, column] = value
    return changed


def refused(error: type[Exception], message: str, **call: Any) -> None:
    """`bait` with this call raises that, and so does `select` by name."""
    call = {"X": X, "P": P, "batch_size": 4, "backend": "reference"} | call
    with pytest.raises(error, match=message):
        fs.bait(**call)
    arrays = {"features": call.pop("X"), "probabilities": call.pop("P")}
    with pytest.raises(error, match=message):
        fs.select("bait", **arrays, **call)


# ---------------------------------------------------------------------- NaN or infinity
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad: float) -> None:
    refused(
        ValueError,
        f"^features must be finite: row 7, column 2 is {bad}$",
        X=with_entry(X, 7, 2, bad),
    )
    refused(
        ValueError,
        f"^probabilities must be finite: row 3, column 1 is {bad}$",
        P=with_entry(P, 3, 1, bad),
    )
    factors = V.copy()
    factors[5, 1, 0] = bad
    refused(
        ValueError,
        f"^factors must be finite: row 5, column 1 is {bad}$",
        X=None,
        P=None,
        factors=factors,
    )


# ------------------------------------------------------------------------ probabilities
def test_rows_that_do_not_sum_to_one() -> None:
    refused(
        ValueError,
        r"^probabilities must sum to 1 in each row for softmax \(within 0\.001\): "
        r"row 6 sums to 0\.85$",
        P=with_entry(P, 6, 0, 0.1),
    )


@pytest.mark.parametrize(("value", "total"), [(1.25, "2"), (-0.5, "0.25")])
def test_values_outside_the_unit_interval(value: float, total: str) -> None:
    message = (
        rf"^probabilities must lie in \[0, 1\] \(not logits\): row 9, column 3 is {value:g}, "
        rf"the row's sum {total}$"
    )
    refused(ValueError, message, P=with_entry(P, 9, 3, value))
    refused(ValueError, message, P=with_entry(P, 9, 3, value), likelihood="sigmoid")


def test_softmax_of_one_class() -> None:
    refused(
        ValueError,
        "^probabilities must have at least 2 columns for softmax, got 1$",
        P=np.ones((20, 1)),
    )


# ------------------------------------------------------------------------------- numbers
@pytest.mark.parametrize("batch_size", [0, -3])
def test_batch_size_not_positive(batch_size: int) -> None:
    refused(
        ValueError, f"^batch_size must be at least 1, got {batch_size}$", batch_size=batch_size
    )


def test_batch_size_above_the_free_rows() -> None:
    refused(
        ValueError,
        r"^batch_size must be at most the number of unlabelled rows: got 18, but only 17 of "
        r"20 rows are free \(3 labelled\)$",
        batch_size=18,
        labeled=[0, 1, 2],
    )


@pytest.mark.parametrize("batch_size", [2.0, "4", None, True])
def test_batch_size_not_an_integer(batch_size: Any) -> None:
    refused(TypeError, "^batch_size must be an integer, got ", batch_size=batch_size)


@pytest.mark.parametrize("lam", [0.0, -1.0])
def test_lam_not_positive(lam: float) -> None:
    refused(ValueError, f"^lam must be greater than 0, got {lam:g}$", lam=lam)


def test_oversample_below_one() -> None:
    refused(ValueError, r"^oversample must be at least 1, got 0\.5$", oversample=0.5)


@pytest.mark.parametrize("name", ["lam", "oversample"])
def test_reals_must_be_finite_numbers(name: str) -> None:
    refused(ValueError, f"^{name} must be finite, got nan$", **{name: np.nan})
    refused(ValueError, f"^{name} must be finite, got inf$", **{name: np.inf})
    refused(TypeError, f"^{name} must be a real number, got str '1'$", **{name: "1"})
    refused(TypeError, f"^{name} must be a real number, got bool True$", **{name: True})


@pytest.mark.parametrize("name", ["threads", "chunk_rows"])
def test_counts_must_be_positive_integers(name: str) -> None:
    refused(ValueError, f"^{name} must be at least 1, got 0$", **{name: 0})
    refused(TypeError, rf"^{name} must be an integer, got float 1\.5$", **{name: 1.5})


# --------------------------------------------------------------------------------- words
@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("normalization", "'reference', 'paper'"),
        ("likelihood", "'softmax', 'sigmoid', 'gaussian'"),
        ("fisher", "'full', 'block_diagonal', 'binary'"),
        ("backend", "'auto', 'cpu', 'reference', 'cuda'"),
    ],
)
def test_unknown_words_list_the_known_ones(name: str, known: str) -> None:
    refused(ValueError, f"^{name} must be one of {known}, got 'other'$", **{name: "other"})
    refused(ValueError, f"^{name} must be one of {known}, got None$", **{name: None})


def test_seed_must_be_an_integer() -> None:
    refused(TypeError, r"^seed must be an integer or None, got float 0\.5$", seed=0.5)
    refused(ValueError, "^seed must be at least 0, got -1$", seed=-1)


def test_progress_must_be_callable() -> None:
    refused(TypeError, r"^progress must be a bool or a callable taking \(", progress="bar")


# ------------------------------------------------------------------------- labelled rows
@pytest.mark.parametrize(
    ("labeled", "error", "message"),
    [
        ([0, 20], ValueError, r"^labeled must hold indices from 0 to 19: labeled\[1\] is 20$"),
        ([-1], ValueError, r"^labeled must hold indices from 0 to 19: labeled\[0\] is -1$"),
        ([4, 7, 4], ValueError, "^labeled must name each row once: index 4 is duplicated"),
        (
            np.ones(19, bool),
            ValueError,
            "^labeled is a boolean mask of length 19, but there are 20 rows$",
        ),
        (np.eye(20, dtype=bool), ValueError, r"^labeled must be an index array \[m\] or a bo"),
        ([1.0, 2.0], TypeError, "^labeled must hold integers or bools, got dtype float64$"),
        (["a"], TypeError, "^labeled must hold integers or bools, got dtype <U1$"),
        ({1, 2}, ValueError, r"^labeled must be an index array \[m\] or a boolean mask \[n\]"),
    ],
)
def test_labeled(labeled: Any, error: type[Exception], message: str) -> None:
    refused(error, message, labeled=labeled)


# --------------------------------------------------------------- shapes, dtypes, devices
def test_rows_that_disagree() -> None:
    refused(
        ValueError,
        "^probabilities must have one row for each row of features: 20 wanted, got 19$",
        P=P[:19],
    )


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (X[:, 0], ValueError, r"^features must have 2 axes \[n, d\], got 1 with shape \[20\]$"),
        (X[:0], ValueError, r"^features must not be empty: \[n, d\] wanted, got \[0, 3\]$"),
        (X.astype(object), TypeError, "^features must hold real numbers, got dtype object$"),
        (X.astype(complex), TypeError, "^features must hold real numbers, got dtype complex12"),
        (X.astype(str), TypeError, "^features must hold real numbers, got dtype <U"),
        (
            torch.empty(20, 3, device="meta"),
            ValueError,
            r"^features must be in the CPU's memory, got an array on torch device 'meta': copy "
            r"it with \.cpu\(\) or \.get\(\)$",
        ),
    ],
)
def test_features(features: Any, error: type[Exception], message: str) -> None:
    refused(error, message, X=features)


def test_arrays_that_do_not_go_together() -> None:
    refused(
        ValueError,
        r"^features \[n, d\] \(or factors \[n, D, r\]\) must be given, got None$",
        X=None,
    )
    refused(
        ValueError,
        r"^probabilities \[n, C\] must be given for likelihood='softmax', got None; only "
        "likelihood='gaussian' takes features alone$",
        P=None,
    )
    refused(
        ValueError,
        "^probabilities must be None for likelihood='gaussian'$",
        likelihood="gaussian",
    )
    refused(ValueError, "^factors must come alone: they take the place of", factors=V)


def test_fisher_that_does_not_go_with_the_likelihood() -> None:
    refused(
        ValueError,
        "^fisher must be one of 'full', 'block_diagonal' for likelihood='sigmoid', got 'bin",
        likelihood="sigmoid",
        fisher="binary",
    )
    refused(
        ValueError,
        "^fisher must be one of 'full' for likelihood='gaussian', got 'block_diagonal'$",
        P=None,
        likelihood="gaussian",
        fisher="block_diagonal",
    )
    refused(
        ValueError,
        "^fisher must be 'full' with dense factors, got 'binary'$",
        X=None,
        P=None,
        factors=V,
        fisher="binary",
    )


def test_scalars_are_checked_before_arrays_are_read() -> None:
    class Untouchable:
        def __array__(self, *_: Any, **__: Any) -> np.ndarray:
            raise AssertionError("the array was read before the options were checked")

    refused(ValueError, "^lam must be", X=Untouchable(), lam=-1.0)
    refused(ValueError, "^batch_size must be", X=Untouchable(), batch_size=0)


# -------------------------------------------------------------------------------- select
def test_unknown_strategy_lists_the_known_ones() -> None:
    known = ", ".join(fs.strategies.names())
    with pytest.raises(ValueError, match=f"^strategy must be one of {known}, got 'best'$"):
        fs.select("best", features=X, batch_size=2)


def test_unknown_field_is_named() -> None:
    with pytest.raises(
        TypeError, match=r"^strategy 'bait' has no field 'lamb', only lam, over"
    ):
        fs.select("bait", features=X, probabilities=P, batch_size=2, lamb=0.1)


def test_random() -> None:
    with pytest.raises(ValueError, match=r"^batch_size must be at most the number of unlab"):
        fs.random(5, labeled=[1], batch_size=5)
    with pytest.raises(ValueError, match=r"^pool must be at least 1, got 0$"):
        fs.random(0, batch_size=1)
    with pytest.raises(TypeError, match=r"^pool must be an array or a number of rows, got flo"):
        fs.random(2.5, batch_size=1)
    with pytest.raises(ValueError, match=r"^one of features, probabilities, factors must be"):
        fs.select("random", batch_size=1)
    with pytest.raises(ValueError, match=r"number of rows, got features 20, probabilities 19$"):
        fs.select("random", features=X, probabilities=P[:19], batch_size=1)


# ---------------------------------------------------------------- numerical breakdown
def test_information_that_is_not_positive_definite_names_the_step(backend: str) -> None:
    # Eight equal rows of norm 1e8 under lam = 1e-12: rank one to double precision.
    rows = np.full((8, 4), 5e7)
    with pytest.raises(fs.NumericalError, match=r"^M is not positive definite") as caught:
        fs.bait(rows, batch_size=4, likelihood="gaussian", lam=1e-12, backend=backend)
    assert_names_its_step(caught.value)


def test_overflow_names_the_step(backend: str) -> None:
    with pytest.raises(fs.NumericalError) as caught:
        fs.bait(X * 1e200, batch_size=4, likelihood="gaussian", backend=backend)
    assert_names_its_step(caught.value)


def assert_names_its_step(error: fs.NumericalError) -> None:
    assert isinstance(error.step, int)
    assert 0 <= error.step <= 12
    assert re.search(rf"\b{error.step}\b", str(error))
    assert "lam" in str(error)  # what helps


def test_memory_error_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("fisher_select.reference.factors.last_layer", full)
    with pytest.raises(MemoryError, match=r"dense .* 20 rows \(.* 9 TiB\); use backend='cpu'"):
        fs.bait(X, P, batch_size=4, backend="reference")


# ------------------------------------------------------------------- what is resolved how
def test_forward_count_rounds_up_and_stops_at_the_free_rows() -> None:
    def forward_count(oversample: float, batch_size: int) -> int:
        return trace_problem(X, P, batch_size=batch_size, oversample=oversample).forward_count

    assert forward_count(1.5, 5) == 8
    assert forward_count(1.1, 10) == 11  # not the 12 that 11.000000000000002 rounds up to
    assert forward_count(2, 15) == 20
    assert forward_count(1e300, 1) == 20


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert resolve_threads(None) == 3
    assert resolve_threads(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    usable = resolve_threads(None)
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert resolve_threads(None) == usable >= 1
