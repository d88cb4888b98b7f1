# SPDX-License-Identifier: Apache-2.0
"""TorchTrainer: losses of every task, class weights, stopping rules, warm starts, strides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import blobs

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from fisher_select import fitting  # noqa: E402
from fisher_select.training import TorchTrainer, mlp  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def factory(outputs: int = 3, dropout: float = 0.0) -> Any:
    return lambda: mlp(2, (16, 8), outputs, dropout)


def trained(trainer: TorchTrainer, labels: Any = None, **options: Any) -> Any:
    data = blobs()
    labels = data.pool_labels if labels is None else labels
    return trainer.train(factory(), data.pool_inputs, labels, seed=0, **options)


def same(one: Any, other: Any) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# ------------------------------------------------------------------------------- tasks
def test_regression_learns_values() -> None:
    x = np.linspace(-1, 1, 60)[:, None] * np.ones((1, 2))
    y = 3 * x[:, 0] + 1
    trainer = TorchTrainer(epochs=300)
    model = trainer.train(factory(1), x, y, task="regression", seed=0)
    outputs = trainer.outputs(model, x, task="regression").probabilities
    assert outputs.shape == (60, 1)
    assert np.sqrt(np.mean((outputs[:, 0] - y) ** 2)) < 0.1


def test_labels_that_do_not_exclude_each_other() -> None:
    x = np.random.default_rng(0).standard_normal((200, 2))
    y = (x > 0).astype(int)
    trainer = TorchTrainer(epochs=200)
    model = trainer.train(factory(2), x, y, task="multi_label", seed=0)
    q = trainer.outputs(model, x, task="multi_label").probabilities
    assert np.mean((q > 0.5) == y) > 0.97
    assert np.any(q.sum(axis=1) > 1.5)


# ----------------------------------------------------------------------------- weights
def test_balanced_weights_are_scikit_learns() -> None:
    utils = pytest.importorskip("sklearn.utils.class_weight")
    y = np.array([0] * 6 + [2] * 2 + [3])
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    targets = fitting.as_targets(y, "multi_class", "cpu")
    weight = torch.zeros(4)
    present = np.array([0, 2, 3])
    weight[present] = torch.as_tensor(
        utils.compute_class_weight("balanced", classes=present, y=y), dtype=torch.float32
    )
    ours = fitting.loss_of("multi_class", targets, "balanced")(logits, targets)
    expected = functional.cross_entropy(logits, targets, weight=weight)
    torch.testing.assert_close(ours, expected)


def test_given_weights_are_torchs() -> None:
    targets = torch.tensor([0, 1, 1, 2])
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    ours = fitting.loss_of("multi_class", targets, (1.0, 2.0, 4.0))(logits, targets)
    expected = functional.cross_entropy(logits, targets, weight=torch.tensor([1.0, 2.0, 4.0]))
    torch.testing.assert_close(ours, expected)
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    ours = fitting.loss_of("multi_label", labels, "balanced")(logits[:, :2], labels)
    expected = functional.binary_cross_entropy_with_logits(
        logits[:, :2], labels, pos_weight=torch.tensor([3.0, 3.0])
    )
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    ("task", "labels", "weights", "message"),
    [
        ("multi_class", [0, 2], (1.0, 1.0), "one weight a class, got 2 and a label 2"),
        ("multi_label", [[0, 1]], (1.0,), "one weight for each of the 2 labels, got 1"),
        ("regression", [0.5], (1.0,), "class_weights must be None for a regression"),
    ],
)
def test_weights_must_fit(task: str, labels: Any, weights: Any, message: str) -> None:
    targets = fitting.as_targets(np.array(labels), task, "cpu")
    with pytest.raises(ValueError, match=message):
        fitting.loss_of(task, targets, weights)


# ---------------------------------------------------------------------------- stopping
def epochs_of(monkeypatch: pytest.MonkeyPatch, trainer: TorchTrainer, **options: Any) -> int:
    """How many epochs a training took."""
    taken: list[int] = []
    fit = fitting.fit

    def counted(*arguments: Any, **keywords: Any) -> int:
        taken.append(fit(*arguments, **keywords))
        return taken[-1]

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "fit", counted)
        trained(trainer, **options)
    return taken[0]


def test_it_stops_when_the_training_rows_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TorchTrainer(epochs=500)
    assert epochs_of(monkeypatch, whole) == 500
    stopped = TorchTrainer(epochs=500, stop_accuracy=0.9)
    taken = epochs_of(monkeypatch, stopped)
    assert 1 < taken < 500
    # The rule looks at the epoch's own passes: one epoch earlier they were not good enough.
    trainer = TorchTrainer(epochs=taken - 1, stop_accuracy=0.9)
    assert epochs_of(monkeypatch, trainer) == taken - 1
    model = trained(trainer)
    outputs = trainer.outputs(model, blobs().pool_inputs).probabilities.argmax(axis=1)
    assert np.mean(outputs == blobs().pool_labels) >= 0.9


def test_it_stops_at_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    easy, hard = (
        epochs_of(monkeypatch, TorchTrainer(epochs=500, stop_loss=loss)) for loss in (0.6, 0.3)
    )
    assert 1 < easy < hard < 500


def test_it_stops_when_the_validation_rows_do_not_improve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Random labels can only be learned by heart: validation gets worse soon."""
    noise = np.random.default_rng(0).integers(0, 3, 40)
    trainer = TorchTrainer(epochs=500, learning_rate=0.03, validation_share=0.25, patience=5)
    taken = epochs_of(monkeypatch, trainer, labels=noise)
    assert taken < 100
    best = TorchTrainer(epochs=taken, learning_rate=0.03, validation_share=0.25, patience=500)
    assert same(trained(trainer, noise), trained(best, noise))
    with pytest.raises(ValueError, match="validation_share must leave rows on both sides, got"):
        trained(TorchTrainer(validation_share=0.001))


def test_no_batch_of_a_single_row_is_left_over() -> None:
    """A batch norm cannot train on one row: 40 rows in batches of 13 at most."""
    data = blobs()
    model = TorchTrainer(epochs=2, minibatch=13).train(
        lambda: torch.nn.Sequential(
            torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3)
        ),
        data.pool_inputs,
        data.pool_labels,
        seed=0,
    )
    assert model[1].num_batches_tracked == 2 * 4


# ------------------------------------------------------------------------ start and end
def test_a_warm_start_goes_on_from_the_weights_of_the_round_before() -> None:
    first = trained(TorchTrainer(epochs=50))
    before = {k: v.clone() for k, v in first.state_dict().items()}
    still = TorchTrainer(epochs=1, learning_rate=1e-12, warm_start=True)
    assert all(
        torch.allclose(v, before[k], atol=1e-9)
        for k, v in trained(still, previous=first).state_dict().items()
    )
    fresh = TorchTrainer(epochs=1, learning_rate=1e-12)
    assert same(trained(fresh, previous=first), trained(fresh))
    trained(TorchTrainer(epochs=5, warm_start=True), previous=first)
    assert all(torch.equal(v, before[k]) for k, v in first.state_dict().items())


def test_a_model_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    trainer = TorchTrainer(epochs=2)
    model = trained(trainer)
    trainer.save(model, tmp_path / "model")
    state = torch.get_rng_state()
    assert same(trainer.load(factory(), tmp_path / "model"), model)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_description_tells_networks_and_options_apart() -> None:
    one = TorchTrainer().describe(factory())
    assert one == TorchTrainer().describe(factory())
    assert one != TorchTrainer().describe(factory(dropout=0.5))
    assert one != TorchTrainer(stop_loss=0.1).describe(factory())


def test_any_strides_train_the_same_model() -> None:
    """A channel axis of odd stride crashes torch's convolutions; negative ones it refuses."""
    images = np.random.default_rng(0).random((20, 6, 6)).astype(np.float32)
    labels = np.arange(20) % 3

    def network() -> Any:
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1),
            torch.nn.Flatten(),
            torch.nn.Linear(4 * 36, 3),
        )

    plain = np.ascontiguousarray(images[:, None])
    odd = images.transpose(2, 0, 1).copy().transpose(1, 2, 0)[:, None]
    backwards = plain[::-1].copy()[::-1]
    trainer = TorchTrainer(epochs=2, minibatch=7)
    expected = trainer.train(network, plain, labels, seed=0)
    probabilities = trainer.outputs(expected, plain).probabilities
    for inputs in (odd, backwards, plain.astype(np.float64)):
        model = trainer.train(network, inputs, labels, seed=0)
        assert same(model, expected)
        found = trainer.outputs(model, inputs).probabilities
        np.testing.assert_allclose(found, probabilities, atol=1e-6)
