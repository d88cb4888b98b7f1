# SPDX-License-Identifier: Apache-2.0
"""The environment: its contract, its splits, its reward, and what an observation holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from policies import environment
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score
from toys import Centroids, blobs

from fisher_select.observation import actions_of, scores_of, state_of
from fisher_select.policy import View
from fisher_select.reinforcement_learning.environment import Environment
from fisher_select.reinforcement_learning.episode import Episode, lal_rl

DATA = blobs(60)


def play(env: Environment, seed: int, steps: int = 3) -> list[Any]:
    found: list[Any] = [env.reset(seed=seed)]
    found += [env.step(np.array([0, i + 1])) for i in range(steps)]
    return found


# ------------------------------------------------------------------------------ contract
def test_an_episode_ends_when_the_budget_is_spent() -> None:
    env = environment()
    (state, actions), info = env.reset(seed=1)
    assert (state.shape, actions.shape) == ((5,), (12, 3))
    assert (state.dtype, actions.dtype) == (np.float32, np.float32)
    for step in range(1, 4):
        rows = info["rows"]
        (state, actions), reward, terminated, truncated, after = env.step(np.array([3, 0]))
        assert after["labeled"].tolist() == [*info["labeled"], rows[3], rows[0]]
        assert actions.shape == (12 - 2 * step, 3)
        assert reward == pytest.approx(after["metric"] - info["metric"])
        assert (terminated, truncated) == (step == 3, False)
        info = after
    with pytest.raises(ValueError, match="the episode is over, or none was begun: call reset"):
        env.step(np.array([0, 1]))
    env.reset()
    env.step([0, 1])


def test_a_seed_fixes_the_episode() -> None:
    first, again, other = play(environment(), 5), play(environment(), 5), play(environment(), 6)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a[0].state, b[0].state)
        np.testing.assert_array_equal(a[0].actions, b[0].actions)
    assert not np.array_equal(first[0][0].state, other[0][0].state)
    env = environment()
    assert [len(o[0].actions) for o in play(env, 5)] == [len(o[0].actions) for o in first]
    np.testing.assert_array_equal(play(env, 5)[2][0].actions, first[2][0].actions)


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_are_disjoint_and_the_start_has_every_class(seed: int) -> None:
    _, info = environment().reset(seed=seed)
    parts = info["splits"]
    together = np.concatenate([parts["T"], parts["R"], parts["s"]])
    assert len(np.unique(together)) == len(together)
    assert [len(parts[name]) for name in "Ts"] == [16, 7]
    assert len(parts["R"]) == 30
    assert len(info["labeled"]) == 4
    assert set(DATA.pool_labels[info["labeled"]].tolist()) == {0, 1, 2}
    assert set(info["labeled"]) | set(info["rows"]) == set(parts["T"])


def test_the_start_may_be_drawn_as_the_loop_draws_it() -> None:
    env = environment(one_each=False, initial=3)
    starts = [DATA.pool_labels[env.reset(seed=seed)[1]["labeled"]] for seed in range(30)]
    assert {len(set(labels.tolist())) for labels in starts} >= {2, 3}


# ---------------------------------------------------------------------- what is observed
@pytest.mark.parametrize("space", ["latent", "data"])
@pytest.mark.parametrize("score", ["confidence", "margin"])
def test_an_observation_is_what_the_classifier_says(space: str, score: str) -> None:
    trainer = Centroids()
    env = environment(View(score, space, 5))
    env._trainer = trainer
    env.reset(seed=2)
    seen, _, _, _, info = env.step(np.array([1, 4]))
    labeled, rows = info["labeled"], info["rows"]
    inputs, labels, seed = trainer.seen[-1]
    np.testing.assert_array_equal(inputs, DATA.pool_inputs[labeled])
    np.testing.assert_array_equal(labels, DATA.pool_labels[labeled])
    assert {s for _, _, s in trainer.seen} == {seed}
    model = env._model

    def scores(which: Any) -> Any:
        outputs = trainer.outputs(model, DATA.pool_inputs[which], task="multi_class")
        p = np.sort(outputs.probabilities, axis=1)
        return p[:, -1] - (p[:, -2] if score == "margin" else 0.0)

    points = DATA.pool_inputs[rows]
    away = cdist(points, DATA.pool_inputs[labeled]).mean(axis=1)
    near = cdist(points, points).sum(axis=1) / (len(rows) - 1)  # to the others
    expected = np.stack([scores(rows), away / near.mean(), near / near.mean()], axis=1)
    np.testing.assert_allclose(seen.actions, expected, rtol=1e-5)
    apart = np.quantile(scores(info["splits"]["s"]), np.linspace(0, 1, 5))
    np.testing.assert_allclose(seen.state, apart, rtol=1e-6)
    right = trainer.outputs(model, DATA.pool_inputs[info["splits"]["R"]], task="multi_class")
    hits = right.probabilities.argmax(axis=1) == DATA.pool_labels[info["splits"]["R"]]
    assert info["metric"] == pytest.approx(hits.mean())


def test_incremental_distances_are_those_from_scratch() -> None:
    fixed, moving = environment(), environment()
    found = play(fixed, 3)

    class Moves(Centroids):
        """Scaled features: the same distances but for the unit, never the same features."""

        def outputs(self, model: Any, inputs: Any, *, task: str) -> Any:
            seen = super().outputs(model, inputs, task=task)
            return seen._replace(features=seen.features * (1 + len(self.seen)))

    moving._trainer = Moves()
    for a, b in zip(found, play(moving, 3), strict=True):
        np.testing.assert_allclose(a[0].actions, b[0].actions, rtol=1e-5)


def test_the_reward_may_be_the_macro_auc() -> None:
    env = environment(reward="macro_auc", initial=1)
    first, second, *_ = play(env, 0, steps=1)
    rows = second[4]["splits"]["R"]
    P = env._trainer.outputs(env._model, DATA.pool_inputs[rows], task="multi_class")[1]
    expected = roc_auc_score(DATA.pool_labels[rows], P, multi_class="ovr")
    assert second[4]["metric"] == pytest.approx(expected)
    assert second[1] == pytest.approx(expected - first[1]["metric"])
    assert first[1]["metric"] != play(environment(initial=1), 0)[0][1]["metric"]


def test_two_classes_have_the_binary_score() -> None:
    kept = DATA.pool_labels < 2
    env = Environment(
        DATA.pool_inputs[kept],
        DATA.pool_labels[kept],
        classes=2,
        model_factory=lambda: np.zeros((2, 2)),
        trainer=Centroids(),
        episode=Episode(1, 3, initial=2, candidates=8, state_rows=5),
        view=View("positive", "data", 5),
        backend="reference",
    )
    seen, info = env.reset(seed=0)
    outputs = env._trainer.outputs(env._model, DATA.pool_inputs[kept], task="multi_class")
    expected = outputs.probabilities[info["rows"], 1]
    np.testing.assert_allclose(seen.actions[:, 0], expected, rtol=1e-6)
    env.step(2)  # N = 1 takes a plain integer


def test_lal_rl_has_distances_between_inputs_and_the_binary_score_where_there_is_one() -> None:
    assert lal_rl(2) == View("positive", "data", 30)
    assert lal_rl(3, state_size=5) == View("confidence", "data", 5)
    play(environment(lal_rl(3, 5)), 0)


# -------------------------------------------------------------------- states and actions
def test_a_set_of_the_states_size_is_sorted() -> None:
    scores = np.array([0.3, 0.1, 0.9, 0.5])
    np.testing.assert_allclose(state_of(scores, 4), [0.1, 0.3, 0.5, 0.9], rtol=1e-6)
    np.testing.assert_allclose(state_of(scores, 7)[::2], [0.1, 0.3, 0.5, 0.9], rtol=1e-6)
    np.testing.assert_allclose(state_of(np.array([0.2]), 3), 0.2)


def test_distances_have_no_unit() -> None:
    scores, near, far = np.array([0.1, 0.2]), np.array([3.0, 5.0]), np.array([2.0, 6.0])
    found = actions_of(scores, near, far)
    np.testing.assert_allclose(found, [[0.1, 0.75, 0.5], [0.2, 1.25, 1.5]], rtol=1e-6)
    np.testing.assert_allclose(actions_of(scores, 7 * near, 7 * far), found, rtol=1e-6)
    assert np.isfinite(actions_of(scores, 0 * near, 0 * far)).all()


def test_scores() -> None:
    P = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(scores_of(P, "confidence"), [0.5, 1.0])
    np.testing.assert_allclose(scores_of(P, "margin"), [0.2, 1.0])
    np.testing.assert_allclose(scores_of(P[:, :2], "margin"), [0.3, 1.0])
    with pytest.raises(ValueError, match="score 'positive' is of two classes, got 3"):
        scores_of(P, "positive")


# ------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        ([0], ValueError, r"action must be 2 different positions, got \[0\]"),
        ([4, 4], ValueError, r"action must be 2 different positions, got \[4, 4\]"),
        ([0, 12], ValueError, r"action must be 0 to 11, got \[0, 12\]"),
        ([-1, 2], ValueError, r"action must be 0 to 11, got \[-1, 2\]"),
        ([0.0, 1.0], TypeError, "action must be integers, got float64"),
    ],
)
def test_a_bad_action_is_refused_and_nothing_happens(
    action: list[Any], error: type[Exception], message: str
) -> None:
    env = environment()
    before, _ = env.reset(seed=0)
    with pytest.raises(error, match=message):
        env.step(action)
    assert len(env.step([0, 1])[0].actions) == len(before.actions) - 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 5}, "budget must be a multiple of batch_size 2, got 5"),
        ({"candidates": 10}, "candidates must be more than initial + budget = 10, got 10"),
        ({"reward_share": 1.0}, "reward_share must be less than 1"),
        ({"reward": "loss"}, "reward must be one of 'accuracy', 'macro_auc', got 'loss'"),
        ({"initial": 0}, "initial must be at least 1, got 0"),
        ({"state_rows": 60}, "inputs must leave 76 rows for candidates and state_rows beside"),
    ],
)
def test_bad_sizes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        environment(**changes)


def test_labels_and_view_must_fit() -> None:
    with pytest.raises(ValueError, match="score 'positive' is of two classes, got 3"):
        environment(View("positive"))
    with pytest.raises(ValueError, match="labels must hold a class for each of 60 rows"):
        Environment(
            DATA.pool_inputs,
            DATA.pool_labels[:5],
            classes=3,
            model_factory=lambda: np.zeros((3, 2)),
            trainer=Centroids(),
        )
