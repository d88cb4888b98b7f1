# SPDX-License-Identifier: Apache-2.0
"""Information gain: golden scores, the specification, long steps, ties, bad input."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interruption import assert_ctrl_c_stops
from problems import softmax_rows

import fisher_select as fs
from fisher_select.information_gain import KINDS

GOLDEN = Path(__file__).resolve().parents[1].parent / "shared" / "golden"

Case = dict[str, Any]

# Minutes of work; long steps, so that every pair takes the slow way.
LONG_SELECTION = """
import numpy as np
import fisher_select as fs

rng = np.random.default_rng(0)
X = rng.standard_normal((20_000, 64))
W = rng.standard_normal((64, 20))
print("ready", flush=True)
fs.information_gain(
    X, eval_features=X, weight=W, learning_rate=1.0, kind="eig", batch_size=1, threads=2
)
"""


# Function-scoped fixtures are names of backends here: nothing to reset between examples.
few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def case(
    n: int = 50,
    m: int = 40,
    d: int = 4,
    C: int = 3,
    *,
    spread: float = 1.0,
    learning_rate: float = 0.05,
    seed: int = 0,
    dtype: type = np.float64,
) -> Case:
    """Arrays of a random last layer; `spread` scales its logits."""
    rng = np.random.default_rng(seed)
    return {
        "X": rng.standard_normal((n, d)).astype(dtype),
        "eval_features": rng.standard_normal((m, d)).astype(dtype),
        "eval_labels": rng.integers(C, size=m),
        "weight": spread * rng.standard_normal((d, C)),
        "bias": rng.standard_normal(C),
        "learning_rate": learning_rate,
    }


def specification(call: Case) -> np.ndarray:
    return fs.information_gain_scores(**(call | {"backend": "reference"}))


# -------------------------------------------------------------------------------- golden
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_golden(kind: str, dtype: type, tolerance: float, backend: str) -> None:
    path = GOLDEN / "information_gain.npz"
    if not path.exists():
        pytest.skip("no shared/golden next to the checkout")
    with np.load(path) as file:
        golden = dict(file)
    scores = fs.information_gain_scores(
        golden["X_pool"].astype(dtype),
        eval_features=golden["X_eval"].astype(dtype),
        eval_labels=golden["y_eval"],
        weight=golden["W"].astype(dtype),
        bias=golden["b"].astype(dtype),
        learning_rate=float(golden["lr"]),
        kind=kind,
        backend=backend,
    )
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, golden[kind], rtol=0, atol=tolerance)


# --------------------------------------------------------------------- the specification
@pytest.mark.parametrize("classes", [2, 3, 5, 6, 17, 40])
@pytest.mark.parametrize(("n", "m", "d"), [(1, 1, 1), (31, 257, 2), (64, 256, 7), (65, 8, 33)])
def test_scores_are_the_specification_s(
    n: int, m: int, d: int, classes: int, engine: str
) -> None:
    call = case(n, m, d, classes, learning_rate=0.3)
    for kind in KINDS if classes < 10 else ("aeig",):
        call["kind"] = kind
        scores = fs.information_gain_scores(**call, backend=engine)
        np.testing.assert_allclose(scores, specification(call), rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("learning_rate", [1e-6, 1e-3, 0.3, 3.0, 50.0])
@pytest.mark.parametrize("spread", [0.0, 1.0, 40.0])
def test_any_step_and_any_logits(
    spread: float, learning_rate: float, dtype: type, engine: str
) -> None:
    call = case(60, 70, 3, 4, spread=spread, learning_rate=learning_rate, dtype=dtype)
    tolerance = 2e-15 if dtype is np.float64 else 1e-6
    # Where the logits move by whole units, rounding of their change is what is left.
    tolerance *= 1.0 + learning_rate
    for bias in (call["bias"], None):
        call["bias"] = bias
        scores = fs.information_gain_scores(**call, backend=engine)
        np.testing.assert_allclose(scores, specification(call), rtol=0, atol=tolerance)


def long_double_entropies(t: float, logits: np.ndarray, p: np.ndarray) -> list[np.longdouble]:
    """Entropy after each label, straight from the changed logits, in extended precision."""
    found = []
    for c in range(len(p)):
        e_c = np.eye(len(p))[c]
        z = logits.astype(np.longdouble) - np.longdouble(t) * (p.astype(np.longdouble) - e_c)
        odds = np.exp(z - z.max())
        found.append(np.log(odds.sum()) - (odds * (z - z.max())).sum() / odds.sum())
    return found


@pytest.mark.parametrize("t", [0.0, 1e-12, 0.1, 0.33, 0.35, 2.0, 40.0, 800.0, 1e5])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    "logits",
    [
        (0.0, 0.0, 0.0),
        (50.0, 0.0, -50.0),
        (1000.0, 0.0, 0.0),
        (0.0, 3e-9, -1000.0, -1000.0),
        (-700.0, -1500.0, -745.0, -710.0, -705.0),
    ],
)
@pytest.mark.parametrize("sure", [False, True])
def test_one_pair_against_extended_precision(
    t: float, sign: float, logits: tuple[float, ...], sure: bool, cpu: str
) -> None:
    """Nothing overflows, and nothing cancels where one class holds nearly all the mass."""
    C = len(logits)
    p = np.full(C, 1e-18 if sure else 1.0 / C)
    if sure:
        p[C - 1] = 1.0
    z = np.array(logits)
    core = importlib.import_module("fisher_select._core")
    expected = long_double_entropies(sign * t, z, p / p.sum())
    before = long_double_entropies(0.0, z, p)[0]
    for c in range(C):
        # One feature of 1 makes the weight the logits, and the step t.
        scores = core.information_gain(
            features=np.array([[sign]]),
            probabilities=p[None],
            eval_features=np.array([[1.0]]),
            weight=z[None],
            bias=None,
            class_weights=np.eye(C)[c],
            by_probability=False,
            normalize=False,
            learning_rate=max(t, 1e-300),
            threads=1,
        )
        tolerance = 1e-15 * max(1.0, np.log2(C), 0.3 * min(t, 100.0))
        assert abs(scores[0] - float(before - expected[c])) <= tolerance, cpu


@pytest.mark.parametrize("classes", [129, 300, 1030])
@pytest.mark.parametrize("learning_rate", [1e-3, 3.0])
def test_many_classes(learning_rate: float, classes: int, engine: str) -> None:
    """A device spreads them over its threads in ways that depend on their number."""
    call = case(5, 9, 3, classes, learning_rate=learning_rate) | {"kind": "aeig"}
    scores = fs.information_gain_scores(**call, backend=engine)
    np.testing.assert_allclose(scores, specification(call), rtol=0, atol=1e-14)
    single = call | {name: call[name].astype(np.float32) for name in ("X", "eval_features")}
    scores = fs.information_gain_scores(**single, backend=engine)
    np.testing.assert_allclose(scores, specification(single), rtol=0, atol=1e-7)


@pytest.mark.parametrize("learning_rate", [1e-3, 3.0])
def test_many_samples(learning_rate: float, engine: str) -> None:
    """More than any engine takes at once, of the pool and of the evaluation set."""
    few = case(70, 50, 2, 2, learning_rate=learning_rate)
    many = few | {
        "X": np.tile(few["X"], (60, 1)),
        "eval_features": np.tile(few["eval_features"], (42, 1)),
        "eval_labels": np.tile(few["eval_labels"], 42),
    }
    scores = fs.information_gain_scores(**many, backend=engine).reshape(60, 70)
    assert np.all(scores == scores[0])
    np.testing.assert_allclose(scores[0], specification(few), rtol=0, atol=1e-14)


@few
@given(
    n=st.integers(1, 70),
    m=st.integers(1, 300),
    d=st.integers(1, 6),
    classes=st.integers(2, 9),
    log_rate=st.floats(-8, 1.5),
    log_spread=st.floats(-2, 1.5),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_problem(
    engine: str,
    n: int,
    m: int,
    d: int,
    classes: int,
    log_rate: float,
    log_spread: float,
    seed: int,
) -> None:
    call = case(n, m, d, classes, spread=10**log_spread, learning_rate=10**log_rate, seed=seed)
    scores = fs.information_gain_scores(**call, backend=engine)
    np.testing.assert_allclose(
        scores, specification(call), rtol=0, atol=1e-14 * (1 + 10**log_rate)
    )


def test_a_short_step_keeps_its_digits(engine: str) -> None:
    """EIG falls with the square of the step; what is left is not the rounding of H1."""
    call = case(20, 30, 3, 4, learning_rate=1e-3) | {"kind": "eig", "backend": engine}
    scores = fs.information_gain_scores(**call)
    tenth = fs.information_gain_scores(**(call | {"learning_rate": 1e-4}))
    np.testing.assert_allclose(tenth, scores / 100, rtol=2e-2, atol=1e-2 * scores.std() / 100)


def test_an_sgd_step_in_torch(engine: str) -> None:
    """The derivation, against automatic differentiation."""
    torch = pytest.importorskip("torch")
    call = case(4, 30, 5, 3, learning_rate=0.2)
    X, E = torch.from_numpy(call["X"]), torch.from_numpy(call["eval_features"])
    for bias in (call["bias"], None):
        call["bias"] = bias
        gains = np.empty((4, 3))
        for a in range(4):
            for c in range(3):
                layer = torch.nn.Linear(5, 3, bias=bias is not None, dtype=torch.float64)
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(call["weight"].T))
                    if bias is not None:
                        layer.bias.copy_(torch.from_numpy(bias))
                    before = torch.distributions.Categorical(logits=layer(E)).entropy().mean()
                optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
                loss = torch.nn.functional.cross_entropy(layer(X[a : a + 1]), torch.tensor([c]))
                loss.backward()
                optimizer.step()
                after = torch.distributions.Categorical(logits=layer(E)).entropy().mean()
                gains[a, c] = float((before - after).detach())
        scores = fs.information_gain_scores(**call, kind="uig", backend=engine)
        np.testing.assert_allclose(scores, gains.mean(axis=1), rtol=0, atol=1e-12)


# --------------------------------------------------------------------- weights and inputs
def test_given_probabilities_are_used(backend: str) -> None:
    call = case() | {"kind": "eig", "backend": backend}
    logits = call["X"] @ call["weight"] + call["bias"]
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own = fs.information_gain_scores(**call)
    np.testing.assert_allclose(fs.information_gain_scores(P=P, **call), own, atol=1e-14)
    other = softmax_rows(np.random.default_rng(1), 50, 3)
    assert np.abs(fs.information_gain_scores(P=other, **call) - own).max() > 1e-6


def test_normalized_weights_add_up_to_one(backend: str) -> None:
    call = case() | {"backend": backend}
    kinds: dict[tuple[str, bool], np.ndarray] = {
        (kind, normalize): fs.information_gain_scores(**call, kind=kind, normalize=normalize)
        for kind in KINDS
        for normalize in (False, True)
    }
    for kind in ("eig", "uig", "cfig"):
        np.testing.assert_allclose(kinds[kind, True], kinds[kind, False], atol=1e-14)
    assert np.abs(kinds["aeig", True] - kinds["aeig", False]).max() > 0.1
    # Equal frequencies: every weight p_c f_c is p_c / C, and normalised it is EIG's.
    balanced = call | {"eval_labels": np.arange(39) % 3}
    balanced["eval_features"] = balanced["eval_features"][:39]
    aeig = fs.information_gain_scores(**balanced, kind="aeig", normalize=True)
    eig = fs.information_gain_scores(**balanced, kind="eig")
    np.testing.assert_allclose(aeig, eig, atol=1e-14)


def test_labels_are_optional_where_they_have_no_part(backend: str) -> None:
    call = case() | {"backend": backend}
    for kind in ("eig", "uig"):
        with_labels = fs.information_gain_scores(**call, kind=kind)
        without = fs.information_gain_scores(**(call | {"eval_labels": None}), kind=kind)
        np.testing.assert_array_equal(with_labels, without)


def test_arrays_of_any_layout(engine: str) -> None:
    call = case(70, 300, 6, 3) | {"backend": engine}
    expected = fs.information_gain_scores(**call)
    wide = np.zeros((140, 12))
    wide[::2, ::2] = call["X"]
    for X in (np.asfortranarray(call["X"]), wide[::2, ::2], call["X"][::-1].copy()[::-1]):
        np.testing.assert_array_equal(fs.information_gain_scores(**(call | {"X": X})), expected)
    for name in ("eval_features", "weight"):
        changed = call | {name: np.asfortranarray(call[name])}
        np.testing.assert_array_equal(fs.information_gain_scores(**changed), expected)


# --------------------------------------------------------- threads, chunks, sets, ties
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("learning_rate", [1e-3, 0.5])
def test_threads_and_chunks_do_not_change_the_scores(
    learning_rate: float, dtype: type, engine: str
) -> None:
    call = case(500, 300, 9, 4, learning_rate=learning_rate, dtype=dtype)
    one = fs.information_gain_scores(**call, threads=1, backend=engine)
    for threads, chunk_rows in [(1, 1), (1, 1000), (2, None), (3, 130), (4, 1)]:
        scores = fs.information_gain_scores(
            **call, threads=threads, chunk_rows=chunk_rows, backend=engine
        )
        np.testing.assert_array_equal(scores, one)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 9, 130])
def test_equal_rows_tie_wherever_they_stand(d: int, dtype: type, backend: str) -> None:
    call = case(1, 300, d, 5, learning_rate=0.1, dtype=dtype) | {"backend": backend}
    rng = np.random.default_rng(1)
    n = 40 if backend == "reference" else 333
    X = np.repeat(call["X"], n, axis=0)
    # Among them rows whose steps are long, so that whole blocks take the other way as well.
    X[5::7] = 30 * rng.standard_normal((len(X[5::7]), d))
    scores = fs.information_gain_scores(**(call | {"X": X}))
    same = np.setdiff1d(np.arange(n), np.arange(5, n, 7))
    assert np.unique(scores[same]).size == 1
    picks = fs.information_gain(**(call | {"X": X[same]}), labeled=[0, 3], batch_size=4)
    assert picks.indices.tolist() == [1, 2, 4, 5]


def test_permuting_the_pool_permutes_the_scores(engine: str) -> None:
    call = case(200, 100, 5, 4) | {"backend": engine}
    order = np.random.default_rng(0).permutation(200)
    scores = fs.information_gain_scores(**call)
    permuted = fs.information_gain_scores(**(call | {"X": call["X"][order]}))
    np.testing.assert_array_equal(permuted, scores[order])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 4, 7])
def test_every_instruction_set(
    instruction_set: str, dtype: type, classes: int, cpu: str
) -> None:
    core = importlib.import_module("fisher_select._core")
    call = case(70, 90, 5, classes, learning_rate=0.2, dtype=dtype) | {"kind": "uig"}
    scores = core.information_gain(
        features=call["X"],
        probabilities=None,
        eval_features=call["eval_features"],
        weight=call["weight"],
        bias=call["bias"],
        class_weights=np.full(classes, 1.0 / classes),
        by_probability=False,
        normalize=False,
        learning_rate=0.2,
        threads=1,
        instruction_set=instruction_set,
    )
    tolerance = 1e-14 if dtype is np.float64 else 1e-6
    np.testing.assert_allclose(scores, specification(call), rtol=0, atol=tolerance)
    assert cpu


# ------------------------------------------------------------------------------ selection
@pytest.mark.parametrize("kind", KINDS)
def test_picks_are_the_best_free_rows(kind: str, backend: str) -> None:
    call = case() | {"kind": kind, "backend": backend}
    labeled = np.arange(0, 50, 3)
    picks = fs.information_gain(**call, labeled=labeled, batch_size=7)
    scores = fs.information_gain_scores(**call)
    free = np.setdiff1d(np.arange(50), labeled)
    assert picks.indices.tolist() == free[np.argsort(-scores[free], kind="stable")[:7]].tolist()
    np.testing.assert_array_equal(picks.scores, scores[picks.indices])
    assert (picks.indices.dtype, picks.backend) == (np.int64, backend)
    assert (picks.stop_reason, picks.forward_indices) == ("complete", None)
    assert set(picks.seconds) == {"score"}

    arrays = {k: v for k, v in call.items() if k not in {"X", "kind", "backend"}}
    rate = arrays.pop("learning_rate")
    for name, options in [("information_gain", {"kind": kind}), (kind, {})]:
        by_name = fs.select(
            name,
            features=call["X"],
            labeled=labeled,
            batch_size=7,
            learning_rate=rate,
            backend=backend,
            **arrays,
            **options,
        )
        np.testing.assert_array_equal(by_name.indices, picks.indices)


def test_progress_counts_the_rows(backend: str) -> None:
    seen: list[tuple[str, int, int]] = []
    fs.information_gain_scores(
        **case(200), backend=backend, progress=lambda *told: seen.append(told)
    )
    assert {stage for stage, _, _ in seen} == {"score"}
    assert {total for _, _, total in seen} == {200}
    done = [d for _, d, _ in seen]
    assert done == sorted(done)
    assert done[-1] == 200


def test_an_exception_in_progress_reaches_the_caller(backend: str) -> None:
    class StopError(Exception):
        pass

    def progress(stage: str, done: int, total: int) -> None:
        raise StopError(f"{stage}, {done} of {total}")

    with pytest.raises(StopError, match=r"^score, \d of 50$"):
        fs.information_gain_scores(**case(), backend=backend, progress=progress)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT of a subprocess is POSIX")
def test_ctrl_c_stops_within_a_second(cpu: str) -> None:
    assert cpu
    assert_ctrl_c_stops(LONG_SELECTION, wait=1.0)


# ------------------------------------------------------------------------------ bad input
def with_entry(array: np.ndarray, at: tuple[int, ...], value: float) -> np.ndarray:
    changed = np.array(array, dtype=np.float64)
    changed[at] = value
    return changed


BAD: list[tuple[type[Exception], str, Callable[[Case], Case]]] = [
    (ValueError, r"^kind must be one of 'eig', .*, got 'gain'$", lambda _: {"kind": "gain"}),
    (
        ValueError,
        r"^learning_rate must be greater than 0, got 0$",
        lambda _: {"learning_rate": 0.0},
    ),
    (
        ValueError,
        r"^learning_rate must be finite, got nan$",
        lambda _: {"learning_rate": math.nan},
    ),
    (
        ValueError,
        r"^features must be finite: row 3, column 1 is nan$",
        lambda c: {"X": with_entry(c["X"], (3, 1), np.nan)},
    ),
    (
        ValueError,
        r"^eval_features must be finite: row 2, column 0 is inf$",
        lambda c: {"eval_features": with_entry(c["eval_features"], (2, 0), np.inf)},
    ),
    (
        ValueError,
        r"^weight must be finite: row 1, column 2 is nan$",
        lambda c: {"weight": with_entry(c["weight"], (1, 2), np.nan)},
    ),
    (
        ValueError,
        r"^bias must be finite: bias\[1\] is -inf$",
        lambda c: {"bias": with_entry(c["bias"], (1,), -np.inf)},
    ),
    (
        ValueError,
        r"^bias must have 3 entries, one a column of weight, got 2$",
        lambda _: {"bias": [0.0, 1.0]},
    ),
    (
        ValueError,
        r"^features must have 4 columns, as many as weight has rows, got 3$",
        lambda c: {"X": c["X"][:, :3]},
    ),
    (
        ValueError,
        r"^eval_features must have 4 columns, as many as weight has rows, got 3$",
        lambda c: {"eval_features": c["eval_features"][:, :3]},
    ),
    (
        ValueError,
        r"^weight must have at least 2 columns, one a class, got 1$",
        lambda c: {"weight": c["weight"][:, :1], "bias": None},
    ),
    (
        ValueError,
        r"^eval_labels \[m\] must be given for kind='aeig', .* got None$",
        lambda _: {"eval_labels": None},
    ),
    (
        ValueError,
        r"^eval_labels must hold classes from 0 to 2: eval_labels\[4\] is 3$",
        lambda c: {"eval_labels": with_entry(c["eval_labels"], (4,), 3).astype(int)},
    ),
    (
        ValueError,
        r"^eval_labels must hold classes from 0 to 2: eval_labels\[0\] is -1$",
        lambda c: {"eval_labels": with_entry(c["eval_labels"], (0,), -1).astype(int)},
    ),
    (
        TypeError,
        r"^eval_labels must hold integers, got dtype float64$",
        lambda c: {"eval_labels": c["eval_labels"].astype(float)},
    ),
    (
        ValueError,
        r"^eval_labels must have one entry for each row of eval_features: 40 wanted, got 39$",
        lambda c: {"eval_labels": c["eval_labels"][:39]},
    ),
    (
        ValueError,
        r"^eval_labels must have one axis \[m\], m >= 1, got shape \[40, 1\]$",
        lambda c: {"eval_labels": c["eval_labels"][:, None]},
    ),
    (
        ValueError,
        r"^probabilities must have 3 columns, as weight has, got 2$",
        lambda _: {"P": np.full((50, 2), 0.5)},
    ),
    (
        ValueError,
        r"^probabilities must sum to 1 in each row for softmax .*: row 0 sums to 0\.75$",
        lambda _: {"P": np.full((50, 3), 0.25)},
    ),
    (
        ValueError,
        r"^probabilities must have one row for each row of features: 50 wanted, got 49$",
        lambda _: {"P": np.full((49, 3), 1 / 3)},
    ),
    (
        TypeError,
        r"^features must hold real numbers, got dtype object$",
        lambda _: {"X": [None]},
    ),
    (ValueError, r"^chunk_rows must be at least 1, got 0$", lambda _: {"chunk_rows": 0}),
    (TypeError, r"^progress must be a bool or a callable", lambda _: {"progress": 3}),
    (ValueError, r"^backend must be one of", lambda _: {"backend": "gpu"}),
]


@pytest.mark.parametrize(("error", "message", "change"), BAD)
def test_bad_input(
    error: type[Exception], message: str, change: Callable[[Case], Case]
) -> None:
    call = case()
    call |= {"backend": "reference"} | change(call)
    with pytest.raises(error, match=message):
        fs.information_gain_scores(**call)
    with pytest.raises(error, match=message):
        fs.information_gain(**call, batch_size=3)


def test_a_strategy_names_the_array_it_misses() -> None:
    with pytest.raises(ValueError, match=r"^eval_features must be given for strategy 'infor"):
        fs.select("eig", features=np.ones((3, 2)), batch_size=1)
    with pytest.raises(ValueError, match=r"^batch_size must be at most .* got 51"):
        fs.information_gain(**case(), batch_size=51)


def test_weights_of_nothing_cannot_be_normalized(backend: str) -> None:
    call = case() | {"eval_labels": np.zeros(40, dtype=int), "normalize": True}
    P = np.full((50, 3), 1 / 3)
    P[7] = (0.0, 0.5, 0.5)
    with pytest.raises(ValueError, match=r"^normalize: row 7 gives no probability to any "):
        fs.information_gain_scores(**call, P=P, backend=backend)


def test_a_step_that_overflows_is_an_error(backend: str) -> None:
    call = case() | {"weight": np.zeros((4, 3)), "learning_rate": 10.0}
    call["X"][9] *= 1e154
    call["eval_features"] *= 1e154
    with pytest.raises(fs.NumericalError, match=r"^the information gain of row 9 overflows: "):
        fs.information_gain_scores(**call, backend=backend)


def test_a_step_that_overflows_float32_is_an_error(engine: str) -> None:
    call = case(dtype=np.float32) | {"learning_rate": 1e20}
    call["X"][9] *= np.float32(1e19)
    P = np.full((50, 3), 1 / 3)
    with pytest.raises(fs.NumericalError, match=r"^the information gain of row 9 overflows: "):
        fs.information_gain_scores(**call, P=P, backend=engine)
