# SPDX-License-Identifier: Apache-2.0
"""The loop: what it trains on, what it buys, what it writes; with a trainer of NumPy alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import Centroids, blobs, learner

import fisher_select as fs
from fisher_select.datasets import Dataset
from fisher_select.loop import RoundRecord
from fisher_select.strategies import Bait, Random


def picks(records: list[RoundRecord]) -> list[list[int]]:
    return [r.selection.indices.tolist() for r in records if r.selection is not None]


def test_each_round_trains_on_all_that_was_bought() -> None:
    data, trainer = blobs(), Centroids()
    rounds = learner(data, trainer=trainer)
    records = list(rounds)
    assert [r.round for r in records] == [0, 1, 2, 3]
    assert [r.labeled for r in records] == [5, 9, 13, 17]
    assert [r.selection is None for r in records] == [False, False, False, True]
    labeled = rounds.initial
    for (inputs, labels, _), bought in zip(trainer.seen, [*picks(records), []], strict=True):
        np.testing.assert_array_equal(inputs, data.pool_inputs[labeled])
        np.testing.assert_array_equal(labels, data.pool_labels[labeled])
        labeled = np.concatenate([labeled, np.array(bought, dtype=np.int64)])
    assert len(set(labeled.tolist())) == len(labeled) == 17
    assert all(0.5 < r.accuracy <= 1 for r in records)


def test_the_strategy_sees_the_whole_pool_and_the_labelled_rows() -> None:
    data, trainer = blobs(), Centroids()
    rounds = learner(data, trainer=trainer, rounds=1)
    first = next(iter(rounds))
    model = trainer.train(
        rounds.model_factory,
        data.pool_inputs[rounds.initial],
        data.pool_labels[rounds.initial],
        task="multi_class",
        seed=0,
    )
    features, probabilities = trainer.outputs(model, data.pool_inputs, task="multi_class")
    expected = fs.bait(
        features, probabilities, labeled=rounds.initial, batch_size=4, backend="reference"
    )
    assert first.selection is not None
    np.testing.assert_array_equal(first.selection.indices, expected.indices)


@pytest.mark.parametrize("strategy", [Bait(backend="reference"), Random()])
def test_iterating_again_repeats_the_run(strategy: Any) -> None:
    rounds = learner(strategy=strategy)
    first, second = list(rounds), list(rounds)
    assert picks(first) == picks(second)
    assert [r.accuracy for r in first] == [r.accuracy for r in second]


def test_the_seed_decides_and_strategies_share_their_start() -> None:
    bait, random = learner(), learner(strategy=Random())
    np.testing.assert_array_equal(bait.initial, random.initial)
    assert next(iter(bait)).accuracy == next(iter(random)).accuracy
    seeds = [[seed for _, _, seed in r.trainer.seen] for r in (bait, random) if list(r)]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0][1:])) == 4
    assert learner(seed=1).initial.tolist() != bait.initial.tolist()


def test_random_draws_anew_in_each_round() -> None:
    """With one seed for all rounds, row ranks would be those of a single shuffle."""
    rounds = learner(strategy=Random(seed=3), rounds=1)
    (bought,) = picks(list(rounds))
    alone = fs.random(40, labeled=rounds.initial, batch_size=4, seed=3)
    assert bought != alone.indices.tolist()


def test_initial_rows_may_be_named() -> None:
    assert learner(initial=[7, 3]).initial.tolist() == [3, 7]
    mask = np.zeros(40, dtype=bool)
    mask[[1, 9]] = True
    assert learner(initial=mask).initial.tolist() == [1, 9]
    assert len(learner(initial=None).initial) == 4


def test_without_rounds_it_goes_on_while_a_whole_batch_is_left() -> None:
    records = list(learner(strategy="random", batch_size=15, rounds=None))
    assert [r.labeled for r in records] == [5, 20, 35]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"rounds": 9}, ValueError, "rounds must be at most 8, got 9: 35 rows are unlabelled"),
        ({"rounds": 0}, ValueError, "rounds must be at least 1, got 0"),
        ({"initial": 41}, ValueError, "initial must be at most the 40 rows .* got 41"),
        ({"initial": 0}, ValueError, "initial must be at least 1, got 0"),
        ({"initial": []}, ValueError, "initial must name at least one row"),
        ({"initial": [40]}, ValueError, "40"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"strategy": "eig"}, TypeError, "must have the method 'last_layer' for strategy 'inf"),
        ({"strategy": "bald"}, TypeError, "must have the method 'samples' for strategy 'uncer"),
        ({"metrics": ["rmse"]}, ValueError, "each of metrics must be one of 'accuracy'"),
        ({"evaluation": 36}, ValueError, "evaluation must be at most 35, .* got 36"),
        (
            {"evaluation": 30, "rounds": 2},
            ValueError,
            "rounds must be at most 1, got 2: 5",
        ),
        ({"oracle": [1, 2]}, ValueError, r"oracle must hold a label for each of the 40 rows"),
        ({"dropout_samples": 0}, ValueError, "dropout_samples must be at least 1, got 0"),
        ({"strategy": "best"}, ValueError, "strategy must be one of .*, got 'best'"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(
    changes: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        learner(run_dir=tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_run_dir_holds_every_round_as_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    (tmp_path / "runs").mkdir()
    records = []
    for record in learner(run_dir=folder):
        records.append(record)
        lines = [json.loads(x) for x in (folder / "records.jsonl").read_text().splitlines()]
        assert [line["labeled"] for line in lines] == [r.labeled for r in records]
        assert [line["metrics"] for line in lines] == [r.metrics for r in records]
    with (folder / "picks.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    written = [[int(r["index"]) for r in rows if r["round"] == str(k)] for k in range(3)]
    assert written == picks(records)
    assert [r["rank"] for r in rows] == ["1", "2", "3", "4"] * 3
    scores = [r.selection.scores for r in records if r.selection is not None]
    assert [float(r["score"]) for r in rows] == np.concatenate(scores).tolist()
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json", "labels.csv", "model-3.ckpt", "picks.csv", "random-3.npz",
        "records.jsonl", "run.lock", "timings.jsonl",
    ]  # fmt: skip


def test_run_dir_must_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot make folder .*file: file exists"):
        learner(run_dir=tmp_path / "file")


def test_a_dataset_must_fit_together() -> None:
    x, y = np.zeros((3, 2)), np.array([0, 1, 2])
    with pytest.raises(ValueError, match="pool_labels must hold one label for each of the 3"):
        Dataset("d", x, y[:2], x, y, classes=3)
    with pytest.raises(ValueError, match="test_labels must be integers from 0 to 1"):
        Dataset("d", x, y % 2, x, y, classes=2)
    with pytest.raises(ValueError, match="classes must be at least 2, got 1"):
        Dataset("d", x, y, x, y, classes=1)


# --------------------------------------------------------------------------------- torch
@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def test_torch_trainer_repeats_itself_and_leaves_no_trace(torch: Any) -> None:
    from fisher_select.training import TorchTrainer, mlp

    data = blobs()
    trainer = TorchTrainer(epochs=5, minibatch=8, threads=1)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    outputs = [
        trainer.outputs(
            trainer.train(
                lambda: mlp(2, (6, 4), 3),
                data.pool_inputs.astype("f4"),
                data.pool_labels,
                seed=s,
            ),
            data.test_inputs.astype("f4"),
        )
        for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(outputs[0].features, outputs[1].features)
    assert not np.array_equal(outputs[0].probabilities, outputs[2].probabilities)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_torch_outputs_are_the_last_layers(torch: Any) -> None:
    """Features times the last layer's weights and bias give the model's own logits."""
    from fisher_select.training import TorchTrainer, mlp

    torch.manual_seed(0)
    model = mlp(2, (6, 4), 3)
    inputs = blobs().pool_inputs.astype("f4")
    features, probabilities = TorchTrainer().outputs(model, inputs)
    assert features.shape == (40, 5)
    assert np.all(features[:, -1] == 1)
    weights = np.hstack(
        [model[-1].weight.detach().numpy(), model[-1].bias.detach().numpy()[:, None]]
    )
    logits = torch.as_tensor(features @ weights.T)
    np.testing.assert_allclose(probabilities, logits.softmax(dim=1).numpy(), atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_torch_models_must_end_in_a_linear_layer(torch: Any) -> None:
    from fisher_select.training import TorchTrainer

    inputs = np.zeros((2, 3), dtype=np.float32)
    with pytest.raises(ValueError, match=r"must end in a torch\.nn\.Linear, it has none"):
        TorchTrainer().outputs(torch.nn.Conv1d(3, 3, 1), inputs)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU())
    with pytest.raises(ValueError, match="must return the outputs of its last linear layer"):
        TorchTrainer().outputs(model, inputs)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("learning_rate", 0.0), ("weight_decay", -1.0), ("minibatch", 0)],
)
def test_trainer_options_are_checked(name: str, value: float) -> None:
    from fisher_select.training import TorchTrainer

    options: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name} must .*, got {value}"):
        TorchTrainer(**options)
