# SPDX-License-Identifier: Apache-2.0
"""The agent: targets by hand, a toy whose optimum is known, training that resumes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from policies import QUICK, Detour, environment  # noqa: E402
from toys import policy  # noqa: E402

from fisher_select.observation import Observation  # noqa: E402
from fisher_select.policy import Policy, View  # noqa: E402
from fisher_select.reinforcement_learning import Agent, Learning, train_policy  # noqa: E402
from fisher_select.reinforcement_learning.agent import td_targets  # noqa: E402
from fisher_select.reinforcement_learning.replay import Batch  # noqa: E402

CHILD = Path(__file__).with_name("policy_child.py")


def same(first: Policy, second: Policy) -> bool:
    pairs = zip(first.weights + first.biases, second.weights + second.biases, strict=True)
    return first.metadata == second.metadata and all(
        a.tobytes() == b.tobytes() for a, b in pairs
    )


# ------------------------------------------------------------------------------- targets
@pytest.mark.parametrize(
    ("batch_size", "expected"),
    [
        # N = 1: the target network's value of the online network's best action.
        (1, [1.0 + 0.5 * 10.0, 2.0 + 0.5 * 0.4, 3.0]),
        # N = 2: the mean over its two best; of the second row one action is absent.
        (2, [1.0 + 0.5 * (10.0 + 30.0) / 2, 2.0 + 0.5 * (0.4 + 0.2) / 2, 3.0]),
    ],
)
def test_targets_are_those_of_a_table_made_by_hand(
    batch_size: int, expected: list[float]
) -> None:
    found = td_targets(
        torch.tensor([1.0, 2.0, 3.0]),
        torch.tensor([[5.0, 1.0, 4.0], [1.0, 2.0, 9.0], [7.0, 8.0, 9.0]]),  # online
        torch.tensor([[10.0, 20.0, 30.0], [0.2, 0.4, 99.0], [50.0, 60.0, 70.0]]),  # target
        torch.tensor([3, 2, 0]),
        batch_size=batch_size,
        gamma=0.5,
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_equal_values_tie_to_the_lowest_action() -> None:
    found = td_targets(
        torch.zeros(1),
        torch.ones(1, 4),
        torch.tensor([[1.0, 2.0, 4.0, 8.0]]),
        torch.tensor([4]),
        batch_size=2,
        gamma=1.0,
    )
    assert found.item() == 1.5


def test_an_update_goes_down_the_gradient_of_the_weighted_squared_errors() -> None:
    learning = Learning(hidden=(4,), learning_rate=1e-3, gamma=0.9, target_every=2)
    agent = Agent(View(state_size=2), 2, learning, seed=0, start=None)
    before = agent.policy()
    draw = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        return draw.standard_normal(shape).astype(np.float32)

    batch = Batch(
        places=np.arange(3),
        importance=np.array([1.0, 0.5, 0.0], np.float32),
        states=drawn(3, 2),
        taken=drawn(3, 2, 3),
        rewards=drawn(3),
        next_states=drawn(3, 2),
        next_actions=drawn(3, 5, 3),
        open=np.array([5, 3, 0]),
    )

    def errors(of: Policy) -> Any:
        """The definition, transition by transition; the target network is still `before`."""
        found = []
        for i in range(3):
            value = of.q_values(Observation(batch.states[i], batch.taken[i])).mean()
            wanted = float(batch.rewards[i])
            if batch.open[i]:
                after = Observation(
                    batch.next_states[i], batch.next_actions[i, : batch.open[i]]
                )
                best = np.argsort(-before.q_values(after))[:2]
                wanted += 0.9 * before.q_values(after)[best].mean()
            found.append(value - wanted)
        return np.array(found)

    np.testing.assert_allclose(agent.update(batch), errors(before), rtol=1e-4, atol=1e-6)
    loss = [(batch.importance * errors(of) ** 2).sum() for of in (before, agent.policy())]
    assert loss[1] < loss[0]
    # A copy is made after the second update: from then on the target moves too.
    assert not np.array_equal(agent.update(batch), errors(before))


def test_the_agent_takes_the_best_actions_or_random_ones() -> None:
    learning = replace(QUICK, hidden=(8, 8))
    agent = Agent(View(state_size=5), 3, learning, seed=1, start=policy())
    draw = np.random.default_rng(0)
    seen = Observation(np.zeros(5, np.float32), draw.random((9, 3)).astype(np.float32))
    best = np.argsort(-policy().q_values(seen), kind="stable")[:3]
    np.testing.assert_array_equal(agent.act(seen, epsilon=0.0, generator=draw), best)
    counts = np.zeros(9)
    for _ in range(300):
        chosen = agent.act(seen, epsilon=1.0, generator=draw)
        assert len(set(chosen.tolist())) == 3
        counts[chosen] += 1
    np.testing.assert_allclose(counts / 300, 1 / 3, atol=0.12)
    half = [agent.act(seen, epsilon=0.5, generator=draw) for _ in range(300)]
    kept = np.mean([len(set(chosen.tolist()) & set(best.tolist())) for chosen in half])
    assert 1.5 < kept < 2.5


# ------------------------------------------------------------------------------ learning
@pytest.mark.slow
@pytest.mark.parametrize(("batch_size", "alpha"), [(1, 0.0), (2, 0.6)])
def test_a_detour_that_pays_is_learned(batch_size: int, alpha: float) -> None:
    learning = Learning(
        hidden=(32, 32), learning_rate=3e-3, episodes=120, epsilon_episodes=60, updates=20,
        target_every=20, warm_start=60, alpha=alpha, settled=0.0,
    )  # fmt: skip
    toy = Detour(batch_size)
    learned = train_policy(toy, learning)
    best = found = 0.0
    for seed in range(200):
        seen, _ = toy.reset(seed=1000 + seed)
        order = np.argsort(-learned.q_values(seen), kind="stable")
        seen, first, *_ = toy.step(order[:batch_size])
        best += toy.best()
        order = np.argsort(-learned.q_values(seen), kind="stable")
        found += first + toy.step(order[:batch_size])[1]
    assert found > 0.95 * best


def test_training_stops_when_the_reward_has_settled() -> None:
    learning = replace(QUICK, episodes=60, epsilon_episodes=5, window=4, settled=10.0)
    learned = train_policy(Detour(), learning)
    assert learned.metadata["settled"]
    assert learned.metadata["episodes"] == 2 + 5 + 2 * 4
    never = train_policy(Detour(), replace(learning, settled=0.0))
    assert (never.metadata["settled"], never.metadata["episodes"]) == (False, 62)


def test_one_seed_is_one_policy_whatever_the_threads() -> None:
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            torch.manual_seed(threads)
            found.append(train_policy(environment(), QUICK, seed=3))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert same(*found)
    assert not same(found[0], train_policy(environment(), QUICK, seed=4))


def test_a_start_is_gone_on_from() -> None:
    start = policy(view=View(state_size=5))
    learning = replace(QUICK, hidden=(8, 8), updates=1, learning_rate=1e-9)
    learned = train_policy(environment(), learning, start=start)
    for weight, begun in zip(learned.weights, start.weights, strict=True):
        np.testing.assert_allclose(weight, begun, atol=1e-6)
    with pytest.raises(ValueError, match=r"^start must have layers of shapes \[\[4, 8\], "):
        train_policy(environment(), replace(QUICK, hidden=(4, 8)), start=start)
    with pytest.raises(ValueError, match=r"^start must be a policy of View\(.*state_size=4"):
        train_policy(environment(View(state_size=4)), learning, start=start)


# ---------------------------------------------------------------------------- checkpoints
def test_a_stopped_training_goes_on_to_the_same_policy(tmp_path: Path) -> None:
    whole = train_policy(environment(), QUICK)
    for stop in range(1, 6):
        path = tmp_path / f"{stop}.pt"

        def interrupt(done: int, most: int, reward: float, at: int = stop) -> None:
            assert most == 5, reward
            if done == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_policy(environment(), QUICK, checkpoint=path, on_episode=interrupt)
        assert same(train_policy(environment(), QUICK, checkpoint=path), whole)
    finished = []
    again = train_policy(
        environment(), QUICK, checkpoint=path, on_episode=lambda *a: finished.append(a)
    )
    assert same(again, whole)
    assert not finished


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_policy(tmp_path: Path) -> None:
    learning = replace(QUICK, episodes=40)
    whole = train_policy(Detour(), learning)
    cut = tmp_path / "a.ckpt"
    for wait in (0.0, 0.07):
        before = cut.stat().st_mtime_ns if cut.exists() else 0
        with subprocess.Popen([sys.executable, str(CHILD), str(cut), "0.02"]) as child:
            while not cut.exists() or cut.stat().st_mtime_ns == before:
                assert child.poll() is None
                time.sleep(0.01)
            time.sleep(wait)
            child.send_signal(signal.SIGKILL)
    rest = []
    again = train_policy(
        Detour(), learning, checkpoint=cut, on_episode=lambda *a: rest.append(a)
    )
    assert 0 < len(rest) < 42
    assert same(again, whole)


def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    train_policy(environment(), QUICK, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"a\.ckpt is the checkpoint of another .*\(other seed"
    ):
        train_policy(environment(), QUICK, checkpoint=path, seed=1)
    with pytest.raises(ValueError, match="other learning"):
        train_policy(environment(), replace(QUICK, gamma=0.5), checkpoint=path)
    assert path.read_bytes() == before
    for cut in (0, 10, len(before) // 2, len(before) - 1):
        path.write_bytes(before[:cut])
        with pytest.raises(ValueError, match=r"a\.ckpt: not a complete checkpoint \("):
            train_policy(environment(), QUICK, checkpoint=path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": (0,)}, "each of hidden must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be greater than 0"),
        ({"gamma": 1.5}, "gamma must be at most 1, got 1.5"),
        ({"epsilon_end": -0.1}, "epsilon_end must be at least 0"),
        ({"minibatch": 0}, "minibatch must be at least 1"),
        ({"alpha": -1.0}, "alpha must be at least 0"),
    ],
)
def test_bad_options_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Learning(**changes)


def test_a_seed_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"^seed must be an integer, got None"):
        train_policy(environment(), QUICK, seed=None)  # type: ignore[arg-type]
