# SPDX-License-Identifier: Apache-2.0
"""Inside modAL: its protocol is kept, and the picks are those of the arrays."""

from __future__ import annotations

import pickle
from typing import Any

import hosts
import numpy as np
import pytest
from scipy import sparse

import fisher_select as fs
from fisher_select import strategies

pytest.importorskip("modAL")

from modAL.models import ActiveLearner, Committee
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fisher_select.adapters.modal import FisherSelectQuery

# The newest modAL calls scikit-learn by names that 1.6 renamed and 1.8 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'force_all_finite':FutureWarning")

M, N = 40, 120
KNOWN = np.arange(M)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return hosts.digits(N)


def learner_of(query: Any, data: Any, model: Any = None, **further: Any) -> ActiveLearner:
    X, y = data
    model = hosts.logistic() if model is None else model
    return ActiveLearner(model, query, X[:M], y[:M], **further)


@pytest.mark.parametrize("name", hosts.PLAIN)
def test_picks_are_those_from_arrays(name: str, data: Any) -> None:
    X, y = data
    strategy = hosts.strategy(name)
    learner = learner_of(FisherSelectQuery(strategy), data)
    found, rows = learner.query(X[M:], n_instances=7)
    arrays = {"features": X, "data": X}
    arrays["probabilities"] = hosts.logistic().fit(X[:M], y[:M]).predict_proba(X)
    needs = {k: arrays[k] for k in strategy.needs}
    picks = strategy.select(batch_size=7, labeled=KNOWN, **needs)
    np.testing.assert_array_equal(found, picks.indices - M)
    np.testing.assert_array_equal(rows, X[picks.indices])


def test_bait_is_fs_bait(data: Any) -> None:
    X, y = data
    learner = learner_of(FisherSelectQuery(strategies.get("bait", lam=0.1)), data)
    found, _, scores = learner.query(X[M:], n_instances=10, return_metrics=True)
    P = hosts.logistic().fit(X[:M], y[:M]).predict_proba(X)
    picks = fs.bait(X, P, labeled=KNOWN, batch_size=10, lam=0.1)
    np.testing.assert_array_equal(found, picks.indices - M)
    np.testing.assert_array_equal(scores, picks.scores)


@pytest.mark.parametrize("name", hosts.INFORMATION_GAIN)
def test_information_gain_reads_a_logistic_regression(name: str, data: Any) -> None:
    X, y = data
    learner = learner_of(FisherSelectQuery(name), data)
    found, _ = learner.query(X[M:], n_instances=5)
    model = hosts.logistic().fit(X[:M], y[:M])
    picks = fs.select(
        name,
        features=X,
        eval_features=X[:M],
        eval_labels=y[:M],
        weight=model.coef_.T,
        bias=model.intercept_,
        labeled=KNOWN,
        batch_size=5,
    )
    np.testing.assert_array_equal(found, picks.indices - M)


@pytest.mark.parametrize("name", hosts.SAMPLED)
def test_samples_are_the_members_of_a_committee(name: str, data: Any) -> None:
    X, _ = data
    members = [
        learner_of(FisherSelectQuery(), data, hosts.logistic().set_params(C=c))
        for c in (0.1, 1.0, 10.0)
    ]
    committee = Committee(members, FisherSelectQuery(name))
    found, _ = committee.query(X[M:], n_instances=5)
    samples = np.stack([member.predict_proba(X) for member in members])
    picks = fs.uncertainty(samples, kind=name, labeled=KNOWN, batch_size=5)
    np.testing.assert_array_equal(found, picks.indices - M)
    plain, _ = Committee(members, FisherSelectQuery("bait")).query(X[M:], n_instances=5)
    mean = fs.bait(X, samples.mean(axis=0), labeled=KNOWN, batch_size=5)
    np.testing.assert_array_equal(plain, mean.indices - M)


@pytest.mark.parametrize("name", hosts.SAMPLED)
def test_samples_are_the_trees_of_a_forest(name: str, data: Any) -> None:
    X, _ = data
    forest = RandomForestClassifier(5, random_state=0)
    learner = learner_of(FisherSelectQuery(name), data, forest)
    found, _ = learner.query(X[M:], n_instances=5)
    samples = np.stack([tree.predict_proba(X) for tree in learner.estimator.estimators_])
    picks = fs.uncertainty(samples, kind=name, labeled=KNOWN, batch_size=5)
    np.testing.assert_array_equal(found, picks.indices - M)


def test_fisher_mask_takes_a_network(data: Any) -> None:
    X, y = data
    network, strategy = hosts.network(X[:M], y[:M]), hosts.strategy("fisher_mask")
    query = FisherSelectQuery(strategy, provide={"model": lambda _model, _X: network})
    found, _ = learner_of(query, data).query(X[M:], n_instances=4)
    picks = strategy.select(model=network, pool=X, labeled=KNOWN, batch_size=4)
    np.testing.assert_array_equal(found, picks.indices - M)


# ----------------------------------------------------------------------------- the protocol
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_always_two_arrays(batch: int, data: Any) -> None:
    X, _ = data
    query = FisherSelectQuery("entropy")
    answer = query(learner_of(query, data), X[M:], batch, random_tie_break=True)
    assert [array.shape for array in answer] == [(batch,), (batch,)]


def test_works_from_zero_labels(data: Any) -> None:
    X, _ = data
    learner = ActiveLearner(hosts.logistic(), FisherSelectQuery("bait", classes=10))
    found, _ = learner.query(X, n_instances=5)
    picks = fs.bait(X, np.full((N, 10), 0.1), batch_size=5)
    np.testing.assert_array_equal(found, picks.indices)
    unknown = ActiveLearner(hosts.logistic(), FisherSelectQuery("bait"))
    with pytest.raises(ValueError, match="the estimator is not fitted yet: pass classes="):
        unknown.query(X)
    far, _ = ActiveLearner(hosts.logistic(), FisherSelectQuery("k_center")).query(X)
    np.testing.assert_array_equal(far, fs.k_center(X, batch_size=1).indices)


def test_the_batch_is_clipped_with_a_warning(data: Any) -> None:
    X, _ = data
    learner = learner_of(FisherSelectQuery("badge"), data)
    with pytest.warns(UserWarning, match="only 80 unlabelled rows are left of the 90 asked"):
        found, _ = learner.query(X[M:], n_instances=90)
    np.testing.assert_array_equal(np.sort(found), np.arange(N - M))


def test_a_query_repeats_and_leaves_the_learner(data: Any) -> None:
    X, _ = data
    learner = learner_of(FisherSelectQuery("badge"), data)
    before = pickle.dumps(learner)
    first, _ = learner.query(X[M:], n_instances=6)
    np.testing.assert_array_equal(first, learner.query(X[M:], n_instances=6)[0])
    assert pickle.dumps(learner) == before


def test_containers_give_the_same_picks(data: Any) -> None:
    pd, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    X, y = data
    wanted, _ = learner_of(FisherSelectQuery("bait"), data).query(X[M:], n_instances=5)
    for held in (sparse.csr_matrix, pd.DataFrame, np.ndarray.tolist, torch.as_tensor):
        learner = ActiveLearner(hosts.logistic(), FisherSelectQuery(), held(X[:M]), y[:M])
        found, _ = learner.query(held(X[M:]), n_instances=5)
        np.testing.assert_array_equal(found, wanted)


def test_features_of_a_pipeline(data: Any) -> None:
    X, y = data
    pipeline = make_pipeline(StandardScaler(), hosts.logistic())
    learner = learner_of(FisherSelectQuery("bait"), data, pipeline, on_transformed=True)
    found, _ = learner.query(X[M:], n_instances=5)
    scaled = StandardScaler().fit(X[:M]).transform(X)
    P = hosts.logistic().fit(scaled[:M], y[:M]).predict_proba(scaled)
    picks = fs.bait(scaled, P, labeled=KNOWN, batch_size=5)
    np.testing.assert_array_equal(found, picks.indices - M)


def test_text_is_no_feature() -> None:
    learner = ActiveLearner(hosts.logistic(), FisherSelectQuery("k_center"))
    with pytest.raises(TypeError, match="X must hold numbers to serve as features, got dtype"):
        learner.query(np.array(["a", "b"]))


def test_a_loop_of_ten_rounds_learns() -> None:
    X, y = hosts.digits(400)
    left, scores = np.arange(10, 300), []
    learner = ActiveLearner(hosts.logistic(), FisherSelectQuery("bait"), X[:10], y[:10])
    for _ in range(10):
        found, rows = learner.query(X[left], n_instances=10)
        learner.teach(rows, y[left[found]])
        left = np.delete(left, found)
        scores.append(learner.score(X[300:], y[300:]))
    assert len(learner.X_training) == 110
    assert scores[-1] > max(scores[0], 0.8)


def test_refused_when_made() -> None:
    with pytest.raises(ValueError, match="strategy must be one of"):
        FisherSelectQuery("nonsense")
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        FisherSelectQuery("bait", classes=0)
