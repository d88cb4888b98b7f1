# SPDX-License-Identifier: Apache-2.0
"""Inside Baal: its protocol is kept, and the picks are those of the arrays."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import hosts
import numpy as np
import pytest

import fisher_select as fs
from fisher_select import strategies

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what Baal takes from structlog and tqdm
    pytest.importorskip("baal")
    from baal.active import ActiveLearningDataset, ActiveLearningLoop
    from baal.active.heuristics import AbstractHeuristic
    from baal.bayesian.dropout import MCDropoutModule
    from baal.modelwrapper import ModelWrapper, TrainingArgs

import torch
from torch.utils.data import TensorDataset

from fisher_select.adapters.baal import DatasetProvider, FisherSelectHeuristic

# Baal's log asks threading for a name in a way that Python has deprecated, and its loss metric
# torch for the value of a tensor that has a gradient.
pytestmark = [
    pytest.mark.filterwarnings("ignore:getName:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Converting a tensor:UserWarning"),
]

N, T = 120, 8
LABELED = np.arange(1, N, 3)
FREE = np.setdiff1d(np.arange(N), LABELED)


class Setting:
    """Digits of which a third is labelled, a network with dropout, and predictions."""

    def __init__(self, *, dropout: float = 0.0) -> None:
        self.X, self.y = hosts.digits(N)
        self.network = hosts.network(self.X[LABELED], self.y[LABELED])
        layers = [*self.network[:2], torch.nn.Dropout(dropout), self.network[2]]
        model = torch.nn.Sequential(*layers)
        self.wrapper = wrapped(MCDropoutModule(model) if dropout else model)
        self.dataset = dataset_of(self.X, self.y, LABELED)
        torch.manual_seed(3)
        pool = self.dataset.pool
        self.predictions = self.wrapper.predict_on_dataset(pool, iterations=T, verbose=False)
        self.provider = DatasetProvider(self.dataset, self.wrapper, iterations=T)

    def arrays(self) -> dict[str, Any]:
        """What the network without dropout says of all rows."""
        inputs = torch.as_tensor(self.X, dtype=torch.float32)
        with torch.no_grad():
            latent = self.network[:2](inputs)
            P = self.network(inputs).softmax(1)
        features = np.hstack([latent.numpy(), np.ones((N, 1), np.float32)])
        return {"features": features, "probabilities": P.numpy()}


def wrapped(model: Any, **further: Any) -> ModelWrapper:
    return ModelWrapper(
        model, TrainingArgs(batch_size=64, workers=0, use_cuda=False, **further)
    )


def dataset_of(X: np.ndarray, y: np.ndarray, labeled: np.ndarray) -> ActiveLearningDataset:
    known = np.zeros(len(X), dtype=int)
    known[labeled] = 1
    rows = TensorDataset(torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y))
    return ActiveLearningDataset(rows, labelled=known)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Of predictions [n, C, T]."""
    return torch.as_tensor(logits).softmax(1).numpy()


@pytest.fixture(autouse=True)
def seeded() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


# Its scores tie wherever no class is more likely than not: see below.
@pytest.mark.parametrize("name", sorted({*hosts.PLAIN} - {"average_confidence"}))
def test_picks_are_those_from_arrays(name: str) -> None:
    given, strategy = Setting(), hosts.strategy(name)
    heuristic = FisherSelectHeuristic(strategy, 7, given.provider)
    ranks, scores = heuristic.get_ranks(given.predictions)
    arrays = {k: given.arrays()[k] for k in strategy.needs}
    picks = strategy.select(batch_size=7, labeled=LABELED, **arrays)
    np.testing.assert_array_equal(FREE[ranks[:7]], picks.indices)
    np.testing.assert_array_equal(np.sort(ranks), np.arange(len(FREE)))
    assert (np.diff(scores[ranks]) <= 0).all()


def test_bait_is_fs_bait() -> None:
    given = Setting()
    bait = strategies.get("bait", lam=0.1)
    ranks = FisherSelectHeuristic(bait, 10, given.provider)(given.predictions)
    X, P = given.arrays().values()
    picks = fs.bait(X, P, labeled=LABELED, batch_size=10, lam=0.1)
    np.testing.assert_array_equal(FREE[ranks[:10]], picks.indices)


def test_probabilities_are_the_mean_over_dropout_and_features_have_none() -> None:
    given = Setting(dropout=0.4)
    heuristic = FisherSelectHeuristic("bait", 6, given.provider)
    torch.manual_seed(5)
    first = heuristic(given.predictions)
    P = np.empty((N, 10), np.float32)
    torch.manual_seed(5)
    known = torch.utils.data.Subset(given.dataset._dataset, LABELED.tolist())
    known = given.wrapper.predict_on_dataset(known, iterations=T, verbose=False)
    P[FREE], P[LABELED] = softmax(given.predictions).mean(2), softmax(known).mean(2)
    picks = fs.bait(given.arrays()["features"], P, labeled=LABELED, batch_size=6)
    np.testing.assert_array_equal(FREE[first[:6]], picks.indices)


@pytest.mark.parametrize("name", hosts.SAMPLED)
def test_samples_are_the_iterations(name: str) -> None:
    given = Setting(dropout=0.4)
    ranks, scores = FisherSelectHeuristic(name, 5).get_ranks(given.predictions)
    samples = softmax(given.predictions)
    wanted = fs.uncertainty_scores(np.moveaxis(samples, 2, 0), kind=name)
    np.testing.assert_allclose(scores, wanted, rtol=1e-5)
    assert ranks[0] == wanted.argmax()
    parts = (part for part in np.array_split(given.predictions, 3))
    np.testing.assert_array_equal(FisherSelectHeuristic(name, 5)(parts), ranks)


@pytest.mark.parametrize("name", hosts.INFORMATION_GAIN)
def test_information_gain_reads_the_last_layer(name: str) -> None:
    given = Setting()
    ranks = FisherSelectHeuristic(name, 5, given.provider)(given.predictions)
    picks = fs.select(
        name,
        features=given.arrays()["features"][:, :-1],
        eval_features=given.arrays()["features"][LABELED, :-1],
        eval_labels=given.y[LABELED],
        weight=given.network[2].weight.detach().numpy().T,
        bias=given.network[2].bias.detach().numpy(),
        labeled=LABELED,
        batch_size=5,
    )
    np.testing.assert_array_equal(FREE[ranks[:5]], picks.indices)


def test_labels_that_do_not_exclude_each_other_are_taken_as_they_are() -> None:
    P = np.random.default_rng(0).random((30, 4, 3))
    _, scores = FisherSelectHeuristic("average_confidence", 5).get_ranks(P)
    wanted = fs.uncertainty_scores(P.mean(axis=2), kind="average_confidence")
    np.testing.assert_allclose(scores, wanted)
    with pytest.raises(ValueError, match="must lie in"):
        FisherSelectHeuristic("average_confidence", 5).get_ranks(P - 3)


def test_fisher_mask_takes_the_model() -> None:
    given, strategy = Setting(), hosts.strategy("fisher_mask")
    ranks = FisherSelectHeuristic(strategy, 4, given.provider)(given.predictions)
    picks = strategy.select(model=given.network, pool=given.X, labeled=LABELED, batch_size=4)
    np.testing.assert_array_equal(FREE[ranks[:4]], picks.indices)


# ----------------------------------------------------------------------------- the protocol
def test_works_from_zero_labels() -> None:
    given = Setting()
    nothing = dataset_of(given.X, given.y, LABELED[:0])
    predictions = given.wrapper.predict_on_dataset(nothing.pool, iterations=1, verbose=False)
    provider = DatasetProvider(nothing, given.wrapper)
    ranks = FisherSelectHeuristic("bait", 5, provider)(predictions)
    X, P = given.arrays().values()
    np.testing.assert_array_equal(ranks[:5], fs.bait(X, P, batch_size=5).indices)


def test_the_batch_is_clipped_with_a_warning() -> None:
    given = Setting()
    heuristic = FisherSelectHeuristic("k_center", 100, given.provider)
    assert isinstance(heuristic, AbstractHeuristic)
    with pytest.warns(UserWarning, match="only 80 unlabelled rows are left of the 100 asked"):
        ranks = heuristic(given.predictions)
    np.testing.assert_array_equal(np.sort(ranks), np.arange(80))


def test_a_query_repeats_and_leaves_the_model() -> None:
    given = Setting(dropout=0.4)
    before = copy.deepcopy(given.wrapper.model)
    heuristic = FisherSelectHeuristic("k_center", 6, given.provider)
    first = heuristic(given.predictions)
    np.testing.assert_array_equal(first, heuristic(given.predictions))
    for layer, old in zip(given.wrapper.model.modules(), before.modules(), strict=True):
        assert getattr(layer, "p", None) == getattr(old, "p", None)
    for weight, old in zip(given.wrapper.model.parameters(), before.parameters(), strict=True):
        assert torch.equal(weight, old)


def test_a_loop_of_ten_rounds_learns() -> None:
    X, y = hosts.digits(400)
    dataset = dataset_of(X[:300], y[:300], np.arange(10))
    test = TensorDataset(
        torch.as_tensor(X[300:], dtype=torch.float32), torch.as_tensor(y[300:])
    )
    scores, model = [], hosts.network(X[:10], y[:10], steps=0)
    wrapper = wrapped(
        model,
        epoch=30,
        criterion=torch.nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam(model.parameters(), lr=1e-2),
    )
    heuristic = FisherSelectHeuristic("bait", 10, DatasetProvider(dataset, wrapper))
    loop = ActiveLearningLoop(
        dataset,
        wrapper.predict_on_dataset,
        heuristic,
        query_size=10,
        iterations=1,
        verbose=False,
    )
    for _ in range(10):
        wrapper.train_on_dataset(dataset)
        assert loop.step()
        outputs = wrapper.predict_on_dataset(test, iterations=1, verbose=False)
        scores.append(np.mean(outputs[:, :, 0].argmax(axis=1) == y[300:]))
    assert len(dataset) == 110
    assert scores[-1] > max(scores[0], 0.75)


# ------------------------------------------------------------------------- what is missing
def test_refused_when_made() -> None:
    with pytest.raises(ValueError, match="needs features, which Baal without a provider does"):
        FisherSelectHeuristic("bait", 5)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        FisherSelectHeuristic("entropy", 0)


def test_a_part_of_the_pool_is_refused() -> None:
    given = Setting()
    heuristic = FisherSelectHeuristic("bait", 5, given.provider)
    with pytest.raises(ValueError, match="80 rows, got 30: max_sample must be -1"):
        heuristic(given.predictions[:30])
    with pytest.raises(ValueError, match=r"one distribution a row, got shape \[2, 3, 4, 5\]"):
        FisherSelectHeuristic("entropy", 5)(np.zeros((2, 3, 4, 5)))
    with pytest.raises(ValueError, match="predictions must have at least one row"):
        FisherSelectHeuristic("entropy", 5)(part for part in ())
