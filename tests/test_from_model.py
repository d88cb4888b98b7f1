# SPDX-License-Identifier: Apache-2.0
"""Every strategy from a model: the picks are those from hand-made arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fisher_select as fs
from fisher_select import strategies

torch = pytest.importorskip("torch")

from networks import seeded  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402
from toys import policy  # noqa: E402

LABELED = np.arange(6)
SAMPLED = ("bald", "mc_dropout_entropy")
GAIN = ("information_gain", *(k for k in ("eig", "aeig", "uig", "cfig")))


def perceptron(outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, outputs))


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(60, 5, generator=generator, dtype=torch.float64)


def arrays(net: nn.Sequential, x: torch.Tensor) -> dict[str, np.ndarray[Any, Any]]:
    with torch.no_grad():
        hidden = net.eval()[:3](x)
        logits = net[3](hidden)
    ones = np.hstack([hidden.numpy(), np.ones((len(x), 1))])
    return {"features": ones, "probabilities": logits.softmax(1).numpy(),
            "labels": logits.sigmoid().numpy(), "plain": hidden.numpy()}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in strategies.names() if n != "fisher_mask"])
def test_picks_are_those_from_arrays(name, x):
    net = seeded(perceptron, 3)
    by_hand, loader = arrays(net, x), DataLoader(TensorDataset(x), batch_size=7)
    options: dict[str, Any] = {"labeled": LABELED, "batch_size": 4}
    given = {k: by_hand[k] for k in ("features", "probabilities")}
    reading: dict[str, Any] = {}
    if name in SAMPLED:
        from fisher_select.features import dropout_samples

        given = {"probabilities": dropout_samples(net, loader, samples=6)}
        reading = {"samples": 6}
    elif name in GAIN:
        labels = torch.arange(20) % 3
        reading = {"eval_pool": TensorDataset(x[:20], labels)}
        given = {
            "features": by_hand["plain"],
            "eval_features": by_hand["plain"][:20],
            "eval_labels": labels.numpy(),
            "weight": net[3].weight.detach().numpy().T,
            "bias": net[3].bias.detach().numpy(),
        }
    else:
        given = {k: v for k, v in given.items() if k in strategies.get(name).needs}
        if name == "reinforcement":
            options["policy"] = policy()
        if name == "average_confidence":
            given = {"probabilities": by_hand["labels"]}
    expected = fs.select(name, **given, **options)
    found = fs.select(name, model=net.train(), pool=loader, **options, **reading)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    assert net.training


@pytest.mark.parametrize("likelihood", ["sigmoid", "gaussian"])
def test_other_likelihoods(likelihood, x):
    net = seeded(perceptron, 1 if likelihood == "gaussian" else 3)
    by_hand = arrays(net, x)
    P = by_hand["labels"] if likelihood == "sigmoid" else None
    options: dict[str, Any] = {"labeled": LABELED, "batch_size": 4, "likelihood": likelihood}
    expected = fs.bait(by_hand["features"], P, **options)
    found = fs.select("bait", model=net, pool=x, **options)
    np.testing.assert_array_equal(found.indices, expected.indices)
    without = fs.select("bait", model=net, pool=x, bias_column=False, **options)
    np.testing.assert_array_equal(
        without.indices, fs.bait(by_hand["plain"], P, **options).indices
    )


def test_arrays_given_go_before_those_of_the_model(x):
    net = seeded(perceptron, 3)
    P = np.full((60, 3), 1 / 3)
    found = fs.select("entropy", model=net, pool=x, probabilities=P, batch_size=4)
    assert found.indices.tolist() == [0, 1, 2, 3]


def test_what_is_missing_is_named(x):
    net = seeded(perceptron, 3)
    for options, message in (
        ({"model": net}, "pool must be given together with model"),
        ({"pool": x}, "model must be given together with pool"),
    ):
        with pytest.raises(ValueError, match=message):
            fs.select("bait", batch_size=2, **options)
    with pytest.raises(
        ValueError, match="model and pool must be given for strategy 'fisher_mask'"
    ):
        fs.select("fisher_mask", batch_size=2)
    with pytest.raises(ValueError, match="eval_pool must be given for strategy"):
        fs.select("eig", model=net, pool=x, batch_size=2)
    with pytest.raises(ValueError, match=r"eval_pool must yield \(inputs, labels\)"):
        fs.select("eig", model=net, pool=x, eval_pool=x, batch_size=2)
    with pytest.raises(TypeError, match="strategy 'bait' has no field 'sparsity'"):
        fs.select("bait", model=net, pool=x, batch_size=2, sparsity=0.1)


def test_the_loop_runs_fisher_mask():
    from fisher_select.datasets import Dataset
    from fisher_select.training import TorchTrainer, mlp

    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((30, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(np.int64)
    learner = fs.ActiveLearner(
        lambda: mlp(4, (5,), 2),
        Dataset("half-planes", inputs, labels, inputs, labels, 2),
        strategy=strategies.get("fisher_mask", sparsity=0.5),
        batch_size=4,
        rounds=2,
        trainer=TorchTrainer(epochs=5),
    )
    records = list(learner)
    assert [record.labeled for record in records] == [4, 8, 12]
    assert records[0].selection.profile is not None
