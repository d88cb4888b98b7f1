# SPDX-License-Identifier: Apache-2.0
"""Inside small-text: its protocol is kept, and the picks are those of the arrays."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import Any

import hosts
import numpy as np
import pytest
from scipy.sparse import csr_matrix

import fisher_select as fs
from fisher_select import strategies

pytest.importorskip("small_text")

from sklearn.ensemble import RandomForestClassifier
from small_text import (
    EmptyPoolException,
    PoolBasedActiveLearner,
    PoolExhaustedException,
    SklearnClassifier,
    SklearnClassifierFactory,
    SklearnDataset,
)

from fisher_select.adapters.small_text import FisherSelectEmbeddings, FisherSelectStrategy

# small-text calls a function that it deprecated itself.
pytestmark = pytest.mark.filterwarnings("ignore:The function get_flattened:DeprecationWarning")

N = 120
LABELED = np.arange(2, N, 3)[::-1]  # in no order, as after some updates
FREE = np.setdiff1d(np.arange(N), LABELED)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, Any]:
    X, y = hosts.digits(N)
    return X, y, SklearnDataset(X, y, target_labels=np.arange(10))


def fitted(dataset: Any, model: Any = None) -> SklearnClassifier:
    clf = SklearnClassifier(hosts.logistic() if model is None else model, 10)
    return clf.fit(dataset[LABELED])


@pytest.mark.parametrize("name", hosts.PLAIN)
def test_picks_are_those_from_arrays(name: str, data: Any) -> None:
    X, y, dataset = data
    strategy, clf = hosts.strategy(name), fitted(dataset)
    found = FisherSelectStrategy(strategy).query(clf, dataset, FREE, LABELED, y[LABELED], n=7)
    arrays = {"features": X, "data": X, "probabilities": clf.predict_proba(dataset)}
    needs = {k: arrays[k] for k in strategy.needs}
    picks = strategy.select(batch_size=7, labeled=LABELED, **needs)
    np.testing.assert_array_equal(found, picks.indices)


@pytest.mark.parametrize("sparse", [False, True])
def test_bait_is_fs_bait(sparse: bool, data: Any) -> None:
    X, y, dataset = data
    if sparse:
        dataset = SklearnDataset(csr_matrix(X), y, target_labels=np.arange(10))
    clf, query = fitted(dataset), FisherSelectStrategy(strategies.get("bait", lam=0.1))
    found = query.query(clf, dataset, FREE, LABELED, y[LABELED], n=10)
    P = clf.predict_proba(dataset)
    picks = fs.bait(X, P, labeled=LABELED, batch_size=10, lam=0.1)
    np.testing.assert_array_equal(found, picks.indices)


def test_ignored_rows_are_left_out(data: Any) -> None:
    X, y, dataset = data
    clf, few = fitted(dataset), FREE[10:50]
    found = FisherSelectStrategy("bait").query(clf, dataset, few, LABELED, y[LABELED], n=6)
    rows = np.union1d(few, LABELED)
    picks = fs.bait(
        X[rows],
        clf.predict_proba(dataset)[rows],
        labeled=np.searchsorted(rows, LABELED),
        batch_size=6,
    )
    np.testing.assert_array_equal(found, rows[picks.indices])


@pytest.mark.parametrize("name", hosts.INFORMATION_GAIN)
def test_information_gain_reads_a_logistic_regression(name: str, data: Any) -> None:
    X, y, dataset = data
    clf = fitted(dataset)
    found = FisherSelectStrategy(name).query(clf, dataset, FREE, LABELED, y[LABELED], n=5)
    picks = fs.select(
        name,
        features=X,
        eval_features=X[LABELED],
        eval_labels=y[LABELED],
        weight=clf.model.coef_.T,
        bias=clf.model.intercept_,
        labeled=LABELED,
        batch_size=5,
    )
    np.testing.assert_array_equal(found, picks.indices)


@pytest.mark.parametrize("name", hosts.SAMPLED)
def test_samples_are_the_members_of_an_ensemble(name: str, data: Any) -> None:
    X, y, dataset = data
    clf = fitted(dataset, RandomForestClassifier(5, random_state=0))
    found = FisherSelectStrategy(name).query(clf, dataset, FREE, LABELED, y[LABELED], n=5)
    samples = np.stack([tree.predict_proba(X) for tree in clf.model.estimators_])
    picks = fs.uncertainty(samples, kind=name, labeled=LABELED, batch_size=5)
    np.testing.assert_array_equal(found, picks.indices)


def test_fisher_mask_takes_a_network(data: Any) -> None:
    X, y, dataset = data
    network = hosts.network(X[LABELED], y[LABELED])
    strategy = hosts.strategy("fisher_mask")
    query = FisherSelectStrategy(strategy, provide={"model": lambda _clf, _rows: network})
    found = query.query(None, dataset, FREE, LABELED, y[LABELED], n=4)
    picks = strategy.select(model=network, pool=X, labeled=LABELED, batch_size=4)
    np.testing.assert_array_equal(found, picks.indices)


# ------------------------------------------------------------------------------ multi-label
@pytest.mark.parametrize("name", ["bait", "max_det_full", "average_confidence", "k_center"])
def test_labels_that_do_not_exclude_each_other(name: str, data: Any) -> None:
    X, digit, _ = data
    y = csr_matrix(np.stack([digit % 2 == 0, digit > 4, digit % 3 == 0], axis=1).astype(int))
    dataset = SklearnDataset(X, y, target_labels=np.arange(3))
    clf = SklearnClassifier(hosts.logistic(), 3, multi_label=True).fit(dataset[LABELED])
    found = FisherSelectStrategy(name).query(clf, dataset, FREE, LABELED, y[LABELED], n=5)
    strategy = strategies.get(name)
    if "likelihood" in strategy.options():
        strategy = strategies.get(name, likelihood="sigmoid")
    arrays = {"features": X, "probabilities": clf.predict_proba(dataset)}
    needs = {k: arrays[k] for k in strategy.needs}
    picks = strategy.select(batch_size=5, labeled=LABELED, **needs)
    np.testing.assert_array_equal(found, picks.indices)
    with pytest.raises(ValueError, match="classes that exclude each other"):
        FisherSelectStrategy("margin").query(clf, dataset, FREE, LABELED, y[LABELED])


# ------------------------------------------------------------------------------- embeddings
class Embedding(SklearnClassifier):
    """A classifier with a latent space, and outputs of its own from there."""

    def embed(self, rows: Any, *, return_proba: bool = False, pbar: Any = "tqdm") -> Any:
        del pbar
        latent = rows.x[:, :30] ** 2
        return (latent, self.predict_proba(rows)) if return_proba else latent


def test_embeddings_are_the_features(data: Any) -> None:
    X, y, dataset = data
    clf = Embedding(hosts.logistic(), 10).fit(dataset[LABELED])
    P, arguments = clf.predict_proba(dataset), (clf, dataset, FREE, LABELED, y[LABELED])
    wanted = fs.bait(X[:, :30] ** 2, P, labeled=LABELED, batch_size=8).indices
    found = FisherSelectStrategy("bait").query(*arguments, n=8)
    np.testing.assert_array_equal(found, wanted)
    found = FisherSelectEmbeddings("bait").query(*arguments, n=8)
    np.testing.assert_array_equal(np.sort(found), np.sort(wanted))
    order = np.concatenate([FREE, LABELED])
    found = FisherSelectEmbeddings("bait").query(*arguments, n=8, embeddings=X[order, :30] ** 2)
    np.testing.assert_array_equal(np.sort(found), np.sort(wanted))


@pytest.mark.parametrize("name", hosts.PLAIN)
def test_every_strategy_takes_embeddings(name: str, data: Any) -> None:
    X, y, dataset = data
    query = FisherSelectEmbeddings(hosts.strategy(name))
    order = np.concatenate([FREE, LABELED])
    clf = fitted(dataset)
    found = query.query(clf, dataset, FREE, LABELED, y[LABELED], n=3, embeddings=X[order])
    assert len(set(found.tolist()) - set(LABELED.tolist())) == 3


def test_embeddings_do_not_outlive_the_query(data: Any) -> None:
    X, y, dataset = data
    embeddings = X[np.concatenate([FREE, LABELED])]
    alive = weakref.ref(embeddings)
    gc.disable()
    try:
        query = FisherSelectEmbeddings("k_center")
        query.query(None, dataset, FREE, LABELED, y[LABELED], n=3, embeddings=embeddings)
        del embeddings
        assert alive() is None
    finally:
        gc.enable()


# ----------------------------------------------------------------------------- the protocol
def test_works_from_zero_labels(data: Any) -> None:
    X, _, dataset = data
    learner = PoolBasedActiveLearner(None, FisherSelectStrategy("bait"), dataset)
    nothing = np.empty(0, dtype=np.int64)
    learner.initialize_data(nothing, nothing, retrain=False)
    picks = fs.bait(X, np.full((N, 10), 0.1), batch_size=5)
    np.testing.assert_array_equal(learner.query(num_samples=5), picks.indices)


def test_a_representation_takes_the_place_of_the_data_set(data: Any) -> None:
    X, y, dataset = data
    learner = PoolBasedActiveLearner(None, FisherSelectStrategy("k_center"), dataset)
    learner.initialize_data(LABELED, y[LABELED], retrain=False)
    found = learner.query(num_samples=6, representation=X[:, :20])
    picks = fs.k_center(X[:, :20], labeled=LABELED, batch_size=6)
    np.testing.assert_array_equal(found, picks.indices)


def test_a_batch_that_cannot_be_had_is_the_hosts_error(data: Any) -> None:
    _, y, dataset = data
    query, clf = FisherSelectStrategy("k_center"), fitted(dataset)
    with pytest.raises(PoolExhaustedException):
        query.query(clf, dataset, FREE, LABELED, y[LABELED], n=len(FREE) + 1)
    with pytest.raises(EmptyPoolException):
        query.query(clf, dataset, FREE[:0], LABELED, y[LABELED])
    found = query.query(clf, dataset, FREE, LABELED, y[LABELED], n=len(FREE))
    np.testing.assert_array_equal(np.sort(found), FREE)


def test_a_query_repeats_and_leaves_the_model(data: Any) -> None:
    _, y, dataset = data
    clf, query = fitted(dataset), FisherSelectStrategy("badge")
    before = pickle.dumps(clf)
    first = query.query(clf, dataset, FREE, LABELED, y[LABELED], n=6)
    again = query.query(clf, dataset, FREE, LABELED, y[LABELED], n=6)
    np.testing.assert_array_equal(first, again)
    assert pickle.dumps(clf) == before


def test_a_loop_of_ten_rounds_learns() -> None:
    X, y = hosts.digits(400)
    classes = np.arange(10)
    dataset = SklearnDataset(X[:300], y[:300], target_labels=classes)
    test = SklearnDataset(X[300:], y[300:], target_labels=classes)
    factory = SklearnClassifierFactory(hosts.logistic(), 10)
    learner = PoolBasedActiveLearner(factory, FisherSelectStrategy("bait"), dataset)
    learner.initialize_data(np.arange(10), y[:10])
    scores = []
    for _ in range(10):
        learner.update(y[learner.query(num_samples=10)])
        scores.append(np.mean(learner.classifier.predict(test) == y[300:]))
    assert len(learner.indices_labeled) == 110
    assert scores[-1] > max(scores[0], 0.8)


def test_refused_when_made() -> None:
    for adapter in (FisherSelectStrategy, FisherSelectEmbeddings):
        with pytest.raises(ValueError, match="strategy must be one of"):
            adapter("nonsense")
    assert str(FisherSelectStrategy("bait")) == "FisherSelectStrategy(strategy='bait')"
    assert str(FisherSelectEmbeddings("bait")) == "FisherSelectEmbeddings(strategy='bait')"
