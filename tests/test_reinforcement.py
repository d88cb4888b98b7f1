# SPDX-License-Identifier: Apache-2.0
"""Selection by a learned policy: against the definition, in the loop, and bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from toys import learner, policy

import fisher_select as fs
from fisher_select.observation import Observation
from fisher_select.policy import Policy, View
from fisher_select.strategies import Reinforcement

DRAW = np.random.default_rng(0)
X = DRAW.standard_normal((50, 4))
P = DRAW.dirichlet(np.ones(3), 50)
DATA = DRAW.standard_normal((50, 6))
LABELED = np.array([3, 17, 40, 41])


def by_hand(
    known: Policy, features: Any, scores: Any, apart: Any, labeled: Any = LABELED
) -> Any:
    """Q of each unlabelled row, from the definition; minus infinity for the labelled."""
    values = np.full(len(features), -np.inf)
    free = np.setdiff1d(np.arange(len(features)), labeled)
    near = cdist(features[free], features[free]).sum(axis=1) / (len(free) - 1)
    away = cdist(features[free], features[labeled]).mean(axis=1)
    actions = np.stack([scores[free], away / near.mean(), near / near.mean()], axis=1)
    state = np.quantile(apart, np.linspace(0, 1, known.view.state_size))
    seen = Observation(state.astype(np.float32), actions.astype(np.float32))
    values[free] = known.q_values(seen)
    return values


@pytest.mark.parametrize("space", ["latent", "data"])
@pytest.mark.parametrize("batch_size", [1, 7, 46])
def test_picks_are_the_largest_values(backend: str, space: str, batch_size: int) -> None:
    known = policy(view=View("confidence", space, 5))
    picks = fs.reinforcement(
        X, P, policy=known, data=DATA, labeled=LABELED, batch_size=batch_size, backend=backend
    )
    scores = P.max(axis=1)
    apart = np.delete(scores, LABELED)
    values = by_hand(known, X if space == "latent" else DATA, scores, apart)
    expected = np.argsort(-values, kind="stable")[:batch_size]
    np.testing.assert_array_equal(picks.indices, expected)
    np.testing.assert_allclose(picks.scores, values[expected], rtol=1e-4, atol=1e-5)
    assert np.all(np.diff(picks.scores) <= 0)
    assert (picks.backend, set(picks.seconds)) == (backend, {"distances", "score"})


def test_the_state_may_be_of_a_set_aside() -> None:
    known, apart = policy(view=View("margin", state_size=5)), P[20:33]
    options: dict[str, Any] = {"labeled": LABELED, "batch_size": 5, "backend": "reference"}
    picks = fs.reinforcement(X, P, policy=known, state_probabilities=apart, **options)
    margins = [np.diff(np.sort(p, axis=1)[:, -2:])[:, 0] for p in (P, apart)]
    values = by_hand(known, X, *margins)
    np.testing.assert_allclose(picks.scores, np.sort(values)[::-1][:5], rtol=1e-4, atol=1e-5)
    other = fs.reinforcement(X, P, policy=known, **options)
    assert not np.array_equal(other.scores, picks.scores)


def test_ties_go_to_the_lowest_row() -> None:
    twice, both = np.concatenate([X, X]), np.concatenate([P, P])
    picks = fs.reinforcement(
        twice, both, policy=policy(hidden=32), labeled=[0, 50], batch_size=98,
        backend="reference",
    )  # fmt: skip
    first, second = picks.indices[::2], picks.indices[1::2]
    np.testing.assert_array_equal(second, first + 50)
    np.testing.assert_array_equal(picks.scores[::2], picks.scores[1::2])


def test_nothing_need_be_labelled() -> None:
    picks = fs.reinforcement(X, P, policy=policy(), batch_size=3, backend="reference")
    assert len(set(picks.indices.tolist())) == 3


def test_the_unit_of_the_features_does_not_matter() -> None:
    found = [
        fs.reinforcement(
            scale * X, P, policy=policy(), labeled=LABELED, batch_size=46, backend="reference"
        ).indices
        for scale in (1.0, 2.0**20)
    ]
    np.testing.assert_array_equal(*found)


def test_one_policy_serves_every_data_set() -> None:
    known = policy()
    for n, d, C in ((5, 1, 2), (31, 9, 10), (200, 3, 4)):
        features, outputs = DRAW.standard_normal((n, d)), DRAW.dirichlet(np.ones(C), n)
        picks = fs.select(
            "reinforcement",
            features=features,
            probabilities=outputs,
            labeled=[1],
            batch_size=4,
            policy=known,
            backend="reference",
        )
        assert len(set(picks.indices.tolist()) - {1}) == 4


# -------------------------------------------------------------------------------- loop
def strategy(known: Any, **options: Any) -> Reinforcement:
    return Reinforcement(policy=known, backend="reference", **options)


@pytest.mark.parametrize("space", ["latent", "data"])
def test_the_loop_runs_and_resumes_from_a_file(tmp_path: Path, space: str) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "policy.pt"
    policy(view=View("confidence", space, 5)).save(path)
    whole = list(learner(strategy=strategy(path), run_dir=tmp_path / "a"))
    rounds = iter(learner(strategy=strategy(path), run_dir=tmp_path / "b"))
    next(rounds)
    rounds.close()
    moved = path.rename(tmp_path / "moved.pt")  # the same policy in another place
    list(learner(strategy=strategy(moved), run_dir=tmp_path / "b"))
    lines = [(tmp_path / run / "records.jsonl").read_bytes() for run in "ab"]
    assert lines[0] == lines[1]
    assert len(whole) == 4
    policy(1, View("confidence", space, 5)).save(moved)
    with pytest.raises(ValueError, match=r"another configuration: strategy\.policy is '"):
        learner(strategy=strategy(moved), run_dir=tmp_path / "b")


def test_the_loop_refuses_to_begin_without_a_policy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^policy must be given, a trained one or its file"):
        learner(strategy="reinforcement", run_dir=tmp_path / "a")
    pytest.importorskip("torch")
    with pytest.raises(OSError, match=r"cannot read .*none\.pt"):
        learner(strategy=strategy(tmp_path / "none.pt"), run_dir=tmp_path / "a")
    assert not (tmp_path / "a").exists()


# ------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"policy": None}, ValueError, "policy must be given, a trained one or its file"),
        ({"policy": 3}, TypeError, "policy must be a Policy or a path, got int"),
        ({"batch_size": 47}, ValueError, "batch_size must be at most the number of unlabelled"),
        ({"labeled": [50]}, ValueError, "labeled"),
        ({"X": X[:9]}, ValueError, "probabilities must have one row for each row of features"),
        ({"P": 2 * P}, ValueError, r"probabilities must lie in \[0, 1\]"),
        (
            {"policy": policy(view=View("positive", state_size=5))},
            ValueError,
            "score 'positive' is of two classes, got 3",
        ),
        (
            {"policy": policy(view=View(space="data", state_size=5))},
            ValueError,
            r"data \[n, p\] must be given for a policy of the data space, got None",
        ),
        (
            {"policy": policy(view=View(space="data", state_size=5)), "data": DATA[:7]},
            ValueError,
            "data must have one row for each of 50 features, got 7",
        ),
        (
            {"state_probabilities": DRAW.dirichlet(np.ones(4), 5)},
            ValueError,
            "state_probabilities must have the 3 columns of probabilities, got 4",
        ),
        ({"backend": "abacus"}, ValueError, "backend must be one of"),
    ],
)
def test_bad_input_is_named(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    call: dict[str, Any] = {
        "X": X, "P": P, "policy": policy(), "labeled": LABELED, "batch_size": 4,
        "backend": "reference",
    }  # fmt: skip
    with pytest.raises(error, match=message):
        fs.reinforcement(**(call | changes))


def test_arrays_must_be_given() -> None:
    with pytest.raises(ValueError, match=r"^probabilities must be given for strategy 'reinf"):
        fs.select("reinforcement", features=X, policy=policy(), batch_size=1)
