# SPDX-License-Identifier: Apache-2.0
"""Properties that exact trace selection has on any pool, found by Hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import KINDS, REGRET, arguments, assert_optimal, problem_of

import fisher_select as fs
from fisher_select.reference import fisher as reference

# Function-scoped fixtures are names of backends here: nothing to reset between examples.
few = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def calls(draw: st.DrawFn, **fixed: Any) -> dict[str, Any]:
    """Arguments of `bait` for a small random pool with clear gaps (continuous data)."""
    kind = draw(st.sampled_from(KINDS))
    n = draw(st.integers(8, 40))
    call = arguments(
        kind,
        n,
        draw(st.integers(1, 5)),
        draw(st.integers(2, 4)),
        seed=draw(st.integers(0, 2**32 - 1)),
        dtype=draw(st.sampled_from([np.float32, np.float64])),
    )
    labeled = draw(st.sets(st.integers(0, n - 1), max_size=n // 2))
    options = {
        "labeled": sorted(labeled),
        "batch_size": draw(st.integers(1, max(1, (n - len(labeled)) // 3))),
        "lam": draw(st.sampled_from([1e-2, 1.0])),
        "oversample": draw(st.sampled_from([1.0, 1.5, 2.0])),
        "normalization": draw(st.sampled_from(["reference", "paper"])),
    }
    return call | options | fixed


def changed(call: dict[str, Any], change: Any, **options: Any) -> dict[str, Any]:
    """The call with `change` applied to each of its pool arrays."""
    pool = {k: change(call[k]) for k in ("X", "P", "factors") if k in call}
    return call | pool | options


@few
@given(call=calls())
def test_optimal(call: dict[str, Any], backend: str) -> None:
    assert_optimal(fs.bait(**call, backend=backend), call)


@few
@given(call=calls(), seed=st.integers(0, 2**32 - 1))
def test_permuting_the_pool_permutes_the_picks(
    call: dict[str, Any], seed: int, backend: str
) -> None:
    order = np.random.default_rng(seed).permutation(problem_of(call).n)
    place = np.argsort(order)  # old row -> new row
    permuted = changed(call, lambda a: a[order], labeled=place[call["labeled"]])
    picks, moved = fs.bait(**call, backend=backend), fs.bait(**permuted, backend=backend)
    assert picks.forward_indices is not None
    # Sums over the pool round differently, so near-ties may fall differently: the moved picks
    # must be as good on the pool as it was.
    assert moved.forward_indices is not None
    back = order[moved.forward_indices]
    if not np.array_equal(back, picks.forward_indices):
        assert reference.replay(problem_of(call), back).max() <= REGRET
    else:
        np.testing.assert_array_equal(order[moved.indices], picks.indices)
    np.testing.assert_allclose(moved.objective[-1], picks.objective[-1], rtol=1e-6)


@few
@given(call=calls(use_pool_fisher=False))
def test_an_unlabelled_duplicate_at_the_end_is_never_first(
    call: dict[str, Any], backend: str
) -> None:
    """With F = I a further row changes nothing but the choice: its tie goes to the original."""
    call |= {"oversample": 1.0}
    first = int(fs.bait(**call, backend=backend).indices[0])
    longer = changed(call, lambda a: np.concatenate([a, a[first : first + 1]]))
    picks = fs.bait(**longer, backend=backend)
    assert picks.indices[0] == first
    assert_optimal(picks, longer)


@few
@given(call=calls(), data=st.data())
def test_a_mask_is_the_same_as_indices_and_is_respected(
    call: dict[str, Any], data: st.DataObject, backend: str
) -> None:
    mask = np.isin(np.arange(problem_of(call).n), call["labeled"])
    picks = fs.bait(**call, backend=backend)
    masked = fs.bait(**call | {"labeled": mask}, backend=backend)
    np.testing.assert_array_equal(masked.forward_indices, picks.forward_indices)
    np.testing.assert_array_equal(masked.indices, picks.indices)
    assert not mask[masked.forward_indices].any()
    shuffled = data.draw(st.permutations(call["labeled"]))
    again = fs.bait(**call | {"labeled": shuffled}, backend=backend)
    np.testing.assert_array_equal(again.indices, picks.indices)


@few
@given(call=calls(normalization="paper", oversample=1.0))
def test_forward_picks_of_a_smaller_batch_are_a_prefix(
    call: dict[str, Any], backend: str
) -> None:
    """Without B in the normalization, a smaller batch asks the same questions."""
    picks = fs.bait(**call, backend=backend)
    fewer = max(1, call["batch_size"] // 2)
    prefix = fs.bait(**call | {"batch_size": fewer}, backend=backend)
    np.testing.assert_array_equal(prefix.indices, picks.indices[:fewer])


@few
@given(call=calls())
def test_objective_falls_forward_and_rises_backward(call: dict[str, Any], backend: str) -> None:
    picks = fs.bait(**call, backend=backend)
    assert picks.objective is not None
    assert picks.forward_indices is not None
    k = len(picks.forward_indices)
    rounding = 1e-9 * picks.objective[0]
    assert np.all(np.diff(picks.objective[:k]) <= rounding)
    assert np.all(np.diff(picks.objective[k - 1 :]) >= -rounding)
    assert np.all(picks.scores >= -rounding)


@few
@given(call=calls())
def test_updates_equal_recomputation(call: dict[str, Any], backend: str) -> None:
    """The objective path, updated pick by pick, is what a fresh inverse gives."""
    picks = fs.bait(**call | {"oversample": 1.0}, backend=backend)
    V, M, F = reference.start(problem_of(call | {"oversample": 1.0}))
    assert picks.objective is not None
    for pick, value in zip(picks.indices, picks.objective, strict=True):
        M = M + V[pick] @ V[pick].T
        np.testing.assert_allclose(value, np.trace(np.linalg.inv(M) @ F), rtol=1e-6)
