# SPDX-License-Identifier: Apache-2.0
"""Every strategy of the registry in the loop, on every task it suits, with what it needs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import blobs, policy

import fisher_select as fs
from fisher_select import strategies
from fisher_select.datasets import Dataset
from fisher_select.extras import MissingExtraError
from fisher_select.loop import ActiveLearner, RoundRecord
from fisher_select.schedule import Stream
from fisher_select.strategies import Bait, InformationGain, Strategy, Uncertainty

torch = pytest.importorskip("torch")

from fisher_select.training import TorchTrainer, mlp  # noqa: E402

TRAINER = TorchTrainer(epochs=10, threads=1)


def quick(name: str) -> Strategy:
    """The strategy with the options that a pool of 40 rows is quickest with."""
    known = strategies.get(name).options()
    options = {"threads": 1, "sparsity": 0.5, "policy": policy()}
    return strategies.get(name, **{k: v for k, v in options.items() if k in known})


def learner(data: Dataset, strategy: Any, **changes: Any) -> ActiveLearner:
    outputs = data.classes
    options: dict[str, Any] = {"batch_size": 4, "rounds": 2, "initial": 8, "trainer": TRAINER}
    options |= {"strategy": strategy} | changes
    return ActiveLearner(lambda: mlp(2, (8, 4), outputs, dropout=0.2), data, **options)


def picked(records: list[RoundRecord]) -> list[int]:
    return [int(i) for r in records if r.selection is not None for i in r.selection.indices]


def several_labels() -> Dataset:
    data = blobs()
    pool, test = data.pool_inputs, data.test_inputs
    parts = [(x > 1).astype(int) for x in (pool, test)]
    return Dataset("labels", pool, parts[0], test, parts[1], 2, "multi_label")


def values() -> Dataset:
    data = blobs()
    pool, test = data.pool_inputs, data.test_inputs
    parts = [x @ [1.0, -0.5] for x in (pool, test)]
    return Dataset("values", pool, parts[0], test, parts[1], 1, "regression")


@pytest.mark.parametrize("name", strategies.names())
@pytest.mark.parametrize("evaluation", [0, 6])
def test_every_strategy_runs_and_resumes(
    tmp_path: Path, cpu: str, name: str, evaluation: int
) -> None:
    made = learner(blobs(), quick(name), evaluation=evaluation, run_dir=tmp_path / cpu)
    records = list(made)
    bought = picked(records)
    assert len(set(bought)) == 8
    assert not set(bought) & {*made.initial.tolist(), *made.schedule.evaluation.tolist()}
    assert len(made.schedule.evaluation) == evaluation
    rounds = iter(learner(blobs(), quick(name), evaluation=evaluation, run_dir=tmp_path / "b"))
    next(rounds)
    rounds.close()
    again = learner(blobs(), quick(name), evaluation=evaluation, run_dir=tmp_path / "b")
    assert picked(list(again)) == bought
    lines = [(tmp_path / run / "records.jsonl").read_bytes() for run in (cpu, "b")]
    assert lines[0] == lines[1]


OF_ANY_TASK = {"bait", "bait_forward", "bait_no_pool", "max_det_full", "fisher_mask",
               "k_center", "random"}  # fmt: skip
SUITED = {"several_labels": OF_ANY_TASK | {"average_confidence"}, "values": OF_ANY_TASK}


@pytest.mark.parametrize("name", strategies.names())
@pytest.mark.parametrize("make", [several_labels, values])
def test_other_tasks_run_to_the_end_or_are_refused_at_construction(
    cpu: str, make: Callable[[], Dataset], name: str
) -> None:
    data = make()
    if name not in SUITED[make.__name__]:
        reason = rf"strategy '\w+' does not suit the task '{data.task}': (it needs|gradient)"
        with pytest.raises(ValueError, match=reason):
            learner(data, quick(name))
        return
    records = list(learner(data, quick(name)))
    assert len(set(picked(records))) == 8, cpu
    measured = {"rmse"} if data.task == "regression" else {"accuracy", "macro_auc"}
    assert measured <= set(records[-1].metrics)


@pytest.mark.parametrize(
    ("data", "strategy", "message"),
    [
        (values(), "entropy", "'uncertainty' .*: it needs probabilities, which a regression"),
        (values(), "average_confidence", "it needs probabilities, which a regression has not"),
        (values(), "aeig", "'information_gain' .*: it needs probabilities, which a regression"),
        (values(), "max_det", "pass gradient='full' with likelihood='gaussian'"),
        (
            values(),
            Bait(fisher="block_diagonal"),
            "'bait' .*: fisher must be one of 'full' for",
        ),
        (
            several_labels(),
            "eig",
            "it needs classes that exclude each other, not several labels",
        ),
        (several_labels(), "max_det", "pass gradient='full' with likelihood='sigmoid'"),
        (several_labels(), Bait(fisher="binary"), "fisher must be one of 'full', 'block_diag"),
        (blobs(), Bait(fisher="half"), "fisher must be one of 'full', 'block_diagonal', 'bin"),
    ],
)
def test_a_refusal_says_what_is_missing_or_what_to_change(
    data: Dataset, strategy: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        learner(data, strategy)


def first_model(made: ActiveLearner) -> Any:
    data = made.dataset
    return TRAINER.train(
        made.model_factory,
        data.pool_inputs[made.initial],
        data.pool_labels[made.initial],
        seed=made.schedule.seed_of(Stream.TRAIN, 0),
    )


@pytest.mark.parametrize("evaluation", [0, 6])
def test_information_gain_is_that_of_the_last_layer(cpu: str, evaluation: int) -> None:
    """The bias as a row of the matrix and a column of ones gives the scores of a bias."""
    made = learner(blobs(), InformationGain(backend=cpu), evaluation=evaluation, rounds=1)
    first = next(iter(made))
    data, model = made.dataset, first_model(made)
    known = made.schedule.evaluation if evaluation else made.initial
    hidden = torch.nn.Sequential(*list(model.eval())[:-1])
    with torch.no_grad():
        features, seen = (
            hidden(torch.as_tensor(x, dtype=torch.float32)).numpy()
            for x in (data.pool_inputs, data.pool_inputs[known])
        )
    expected = fs.information_gain(
        features,
        eval_features=seen,
        eval_labels=data.pool_labels[known],
        weight=model[-1].weight.detach().numpy().T,
        bias=model[-1].bias.detach().numpy(),
        labeled=np.concatenate([made.initial, made.schedule.evaluation]),
        batch_size=4,
        backend=cpu,
    )
    assert first.selection is not None
    np.testing.assert_array_equal(first.selection.indices, expected.indices)
    np.testing.assert_allclose(first.selection.scores, expected.scores, rtol=1e-4)


def test_rows_set_apart_are_no_part_of_the_pool() -> None:
    made = learner(blobs(), Bait(backend="reference"), evaluation=10, rounds=1)
    first = next(iter(made))
    rows = made.schedule.candidates
    features, probabilities = TRAINER.outputs(first_model(made), made.dataset.pool_inputs[rows])
    expected = fs.bait(
        features,
        probabilities,
        labeled=np.isin(rows, made.initial),
        batch_size=4,
        backend="reference",
    )
    assert first.selection is not None
    assert first.selection.forward_indices is not None
    assert expected.forward_indices is not None
    np.testing.assert_array_equal(first.selection.indices, rows[expected.indices])
    forward = first.selection.forward_indices
    np.testing.assert_array_equal(forward, rows[expected.forward_indices])


def test_dropout_samples_are_as_many_as_asked_for_and_seeded() -> None:
    drawn = [
        picked(list(learner(blobs(), Uncertainty(kind="bald"), dropout_samples=count)))
        for count in (3, 3, 50)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    plain = ActiveLearner(
        lambda: mlp(2, (4,), 3),
        blobs(),
        strategy="bald",
        batch_size=4,
        rounds=1,
        trainer=TRAINER,
    )
    with pytest.raises(ValueError, match="model must have dropout layers"):
        list(plain)


def test_a_warm_start_resumes_from_the_model_on_disk(tmp_path: Path) -> None:
    def run(folder: str) -> ActiveLearner:
        trainer = TorchTrainer(epochs=5, warm_start=True, threads=1)
        return learner(blobs(), "random", trainer=trainer, rounds=3, run_dir=tmp_path / folder)

    cold = learner(blobs(), "random", trainer=TorchTrainer(epochs=5, threads=1), rounds=3)
    whole = list(run("whole"))
    for _ in range(4):
        rounds = iter(run("pieces"))
        known = (tmp_path / "pieces" / "records.jsonl").exists()
        for _ in zip(range(2 if known else 1), rounds, strict=False):
            pass
        rounds.close()
    assert [r.metrics for r in run("pieces")] == [r.metrics for r in whole]
    assert [r.metrics for r in cold] != [r.metrics for r in whole]


# ------------------------------------------------------------------------- TensorBoard
def test_tensorboard_gets_every_round_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rounds = iter(learner(blobs(), "random", run_dir=tmp_path, tensorboard=True))
    next(rounds)
    rounds.close()
    records = list(learner(blobs(), "random", run_dir=tmp_path, tensorboard=True))
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    found = events.Scalars("test/accuracy")
    assert [event.step for event in found] == [r.labeled for r in records]
    np.testing.assert_allclose([e.value for e in found], [r.accuracy for r in records])
    assert "seconds/train_seconds" in events.Tags()["scalars"]


def test_tensorboard_must_be_installed_and_have_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="run_dir must be given with tensorboard=True"):
        learner(blobs(), "random", tensorboard=True)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fisher-select\[tensorboard\]'"):
        learner(blobs(), "random", run_dir=tmp_path / "a", tensorboard=True)
    assert not (tmp_path / "a").exists()
