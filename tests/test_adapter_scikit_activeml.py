# SPDX-License-Identifier: Apache-2.0
"""Inside scikit-activeml: its protocol is kept, and the picks are those of the arrays."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import hosts
import numpy as np
import pytest

import fisher_select as fs
from fisher_select import strategies

pytest.importorskip("skactiveml")

from skactiveml.base import SingleAnnotatorPoolQueryStrategy
from skactiveml.classifier import ParzenWindowClassifier, SklearnClassifier
from skactiveml.utils import MISSING_LABEL
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression

from fisher_select.adapters.scikit_activeml import FisherSelectStrategy

LABELED = np.arange(0, 120, 4)
FREE = np.setdiff1d(np.arange(120), LABELED)


@pytest.fixture(scope="module")
def pool() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Digits, their labels as far as they are known, and all of them."""
    X, truth = hosts.digits(120)
    y = np.full(120, MISSING_LABEL)
    y[LABELED] = truth[LABELED]
    return X, y, truth


def classifier(model: Any = None) -> SklearnClassifier:
    return SklearnClassifier(
        hosts.logistic() if model is None else model, classes=range(10), random_state=0
    )


@pytest.mark.parametrize("name", hosts.PLAIN)
def test_picks_are_those_from_arrays(name: str, pool: Any) -> None:
    X, y, _ = pool
    strategy = hosts.strategy(name)
    found = FisherSelectStrategy(strategy).query(X, y, classifier(), batch_size=7)
    arrays = {"features": X, "data": X}
    arrays["probabilities"] = classifier().fit(X, y).predict_proba(X)
    picks = strategy.select(
        batch_size=7, labeled=LABELED, **{k: arrays[k] for k in strategy.needs}
    )
    np.testing.assert_array_equal(found, picks.indices)


def test_bait_is_fs_bait(pool: Any) -> None:
    X, y, _ = pool
    P = classifier().fit(X, y).predict_proba(X)
    found = FisherSelectStrategy(strategies.get("bait", lam=0.1)).query(
        X, y, classifier(), batch_size=10
    )
    picks = fs.bait(X, P, labeled=LABELED, batch_size=10, lam=0.1)
    np.testing.assert_array_equal(found, picks.indices)


@pytest.mark.parametrize("name", hosts.INFORMATION_GAIN)
def test_information_gain_reads_a_logistic_regression(name: str, pool: Any) -> None:
    X, y, truth = pool
    model = hosts.logistic().fit(X[LABELED], truth[LABELED])
    found = FisherSelectStrategy(name).query(X, y, classifier(), batch_size=5)
    picks = fs.select(
        name,
        features=X,
        eval_features=X[LABELED],
        eval_labels=truth[LABELED],
        weight=model.coef_.T,
        bias=model.intercept_,
        labeled=LABELED,
        batch_size=5,
    )
    np.testing.assert_array_equal(found, picks.indices)


def test_two_classes_share_one_column_of_weights(pool: Any) -> None:
    X, y, truth = pool
    even = np.where(np.isnan(y), np.nan, y % 2)
    clf = SklearnClassifier(hosts.logistic(), classes=[0, 1])
    model = hosts.logistic().fit(X[LABELED], truth[LABELED] % 2)
    picks = fs.select(
        "uig",
        features=X,
        eval_features=X[LABELED],
        weight=np.stack([-model.coef_[0] / 2, model.coef_[0] / 2], axis=1),
        bias=np.array([-model.intercept_[0] / 2, model.intercept_[0] / 2]),
        labeled=LABELED,
        batch_size=5,
    )
    found = FisherSelectStrategy("uig").query(X, even, clf, batch_size=5)
    np.testing.assert_array_equal(found, picks.indices)


@pytest.mark.parametrize("name", hosts.SAMPLED)
def test_samples_are_the_members_of_an_ensemble(name: str, pool: Any) -> None:
    X, y, truth = pool
    bagging = BaggingClassifier(hosts.logistic(), 4, max_features=0.5, random_state=0)
    found = FisherSelectStrategy(name).query(X, y, classifier(bagging), batch_size=5)
    model = clone(bagging).fit(X[LABELED], truth[LABELED])
    samples = np.zeros((4, 120, 10))
    for t, (member, columns) in enumerate(
        zip(model.estimators_, model.estimators_features_, strict=True)
    ):
        samples[t, :, member.classes_.astype(int)] = member.predict_proba(X[:, columns]).T
    picks = fs.uncertainty(samples, kind=name, labeled=LABELED, batch_size=5)
    np.testing.assert_array_equal(found, picks.indices)


def test_fisher_mask_takes_a_network(pool: Any) -> None:
    X, y, truth = pool
    network = hosts.network(X[LABELED], truth[LABELED])
    strategy = hosts.strategy("fisher_mask")
    query = FisherSelectStrategy(strategy, provide={"model": lambda _clf, _X: network})
    picks = strategy.select(model=network, pool=X, labeled=LABELED, batch_size=4)
    np.testing.assert_array_equal(query.query(X, y, batch_size=4), picks.indices)


def test_features_of_the_users_own(pool: Any) -> None:
    X, y, _ = pool
    query = FisherSelectStrategy(
        "k_center", provide={"features": lambda _clf, rows: rows[:, :20] ** 2}
    )
    picks = fs.k_center(X[:, :20] ** 2, labeled=LABELED, batch_size=6)
    np.testing.assert_array_equal(query.query(X, y, batch_size=6), picks.indices)


# ----------------------------------------------------------------------------- the protocol
def test_arguments_are_stored_verbatim() -> None:
    strategy, provide = strategies.get("bait", lam=0.5), {"features": lambda _clf, X: X}
    query = FisherSelectStrategy(strategy, provide, missing_label=-1, random_state=3)
    assert isinstance(query, SingleAnnotatorPoolQueryStrategy)
    assert query.get_params() == {
        "strategy": strategy,
        "provide": provide,
        "missing_label": -1,
        "random_state": 3,
    }
    assert query.strategy is strategy
    assert query.provide is provide
    assert clone(FisherSelectStrategy("badge")).get_params()["strategy"] == "badge"
    assert pickle.loads(pickle.dumps(FisherSelectStrategy("badge"))).strategy == "badge"


@pytest.mark.parametrize("name", ["bait", "badge", "k_center", "entropy", "random"])
def test_works_from_zero_labels(name: str, pool: Any) -> None:
    X, y, _ = pool
    none = np.full_like(y, MISSING_LABEL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the host's own, that nothing could be fitted
        found = FisherSelectStrategy(name).query(X, none, classifier(), batch_size=5)
    arrays = {"features": X, "probabilities": np.full((120, 10), 0.1)}
    strategy = strategies.get(name)
    picks = strategy.select(batch_size=5, **{k: arrays[k] for k in strategy.needs})
    np.testing.assert_array_equal(found, picks.indices)


def test_the_batch_is_clipped_with_a_warning(pool: Any) -> None:
    X, y, _ = pool
    with pytest.warns(UserWarning, match="batch_size=100"):
        found = FisherSelectStrategy("k_center").query(X, y, batch_size=100)
    np.testing.assert_array_equal(np.sort(found), FREE)


@pytest.mark.parametrize("name", ["bait", "badge", "random"])
def test_a_query_repeats_and_leaves_the_model(name: str, pool: Any) -> None:
    X, y, _ = pool
    clf = classifier().fit(X, y)
    before, query = pickle.dumps(clf), FisherSelectStrategy(name, random_state=7)
    first = query.query(X, y, clf, batch_size=6)
    np.testing.assert_array_equal(first, query.query(X, y, clf, batch_size=6))
    np.testing.assert_array_equal(first, query.query(X, y, clf, fit_clf=False, batch_size=6))
    unfitted = classifier()
    query.query(X, y, unfitted, batch_size=6)
    assert not hasattr(unfitted, "classes_")
    assert pickle.dumps(clf) == before


def test_random_state_is_the_seed(pool: Any) -> None:
    X, y, _ = pool
    draws = [
        FisherSelectStrategy("random", random_state=seed).query(X, y, batch_size=20).tolist()
        for seed in (1, 2)
    ]
    assert draws[0] != draws[1]


def test_candidates_by_index_leave_the_others_out(pool: Any) -> None:
    X, y, _ = pool
    few = FREE[5:40]
    rows = np.union1d(LABELED, few)
    P = classifier().fit(X, y).predict_proba(X)[rows]
    picks = fs.bait(X[rows], P, labeled=np.searchsorted(rows, LABELED), batch_size=6)
    found = FisherSelectStrategy("bait").query(X, y, classifier(), candidates=few, batch_size=6)
    np.testing.assert_array_equal(found, rows[picks.indices])
    with pytest.raises(ValueError, match="labeled"):
        FisherSelectStrategy("bait").query(X, y, classifier(), candidates=[0, 1])


def test_candidates_as_samples(pool: Any) -> None:
    X, y, _ = pool
    query = FisherSelectStrategy("bait")
    by_index = query.query(X, y, classifier(), candidates=FREE, batch_size=6)
    found, utilities = query.query(
        X, y, classifier(), candidates=X[FREE], batch_size=6, return_utilities=True
    )
    np.testing.assert_array_equal(FREE[found], by_index)
    assert utilities.shape == (6, len(FREE))


@pytest.mark.parametrize("name", ["bait", "entropy"])
def test_utilities_name_the_picks(name: str, pool: Any) -> None:
    X, y, _ = pool
    query = FisherSelectStrategy(name)
    found, utilities = query.query(X, y, classifier(), batch_size=4, return_utilities=True)
    np.testing.assert_array_equal(found, query.query(X, y, classifier(), batch_size=4))
    assert utilities.shape == (4, 120)
    for i, row in enumerate(utilities):
        assert np.nanargmax(row) == found[i]
        missing = np.union1d(LABELED, found[:i])
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(row)), missing)
    if name == "entropy":
        P = classifier().fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(utilities[0][FREE], fs.uncertainty_scores(P)[FREE])


def test_a_loop_of_ten_rounds_learns() -> None:
    X, truth = hosts.digits(400)
    test, y = slice(300, None), np.full(300, MISSING_LABEL)
    clf, query, scores = classifier(), FisherSelectStrategy("bait"), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first model has no label to be fitted to
        for _ in range(10):
            picks = query.query(X[:300], y, clf, batch_size=10)
            assert np.isnan(y[picks]).all()
            y[picks] = truth[picks]
            clf.fit(X[:300], y)
            scores.append(clf.score(X[test], truth[test]))
    assert np.count_nonzero(~np.isnan(y)) == 100
    assert scores[-1] > max(scores[0], 0.8)


# ------------------------------------------------------------------------- what is missing
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"strategy": "nonsense"}, ValueError, "strategy must be one of"),
        ({"strategy": 3}, TypeError, "strategy must be a name or a strategy, got int"),
        ({"strategy": "reinforcement"}, ValueError, "policy must be given"),
        (
            {"strategy": "k_center", "provide": {"weight": len}},
            ValueError,
            "provide may hold features for strategy 'k_center', got 'weight'",
        ),
        (
            {"strategy": "k_center", "provide": {"features": 3}},
            TypeError,
            r"provide\['features'\] must be a function, got int",
        ),
    ],
)
def test_refused_when_made(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        FisherSelectStrategy(**arguments)


@pytest.mark.parametrize(
    ("name", "clf", "message"),
    [
        ("bait", None, "probabilities must be given: there is no classifier"),
        ("fisher_mask", "parzen", "model must be given: .* has no module_"),
        ("bald", "parzen", "samples must be given: .* has no estimators_"),
        ("eig", "parzen", "weight must be given: .* has no coef_"),
    ],
)
def test_what_the_classifier_lacks_is_named(
    name: str, clf: Any, message: str, pool: Any
) -> None:
    X, y, _ = pool
    model = None if clf is None else ParzenWindowClassifier(classes=range(10))
    with pytest.raises(ValueError, match=message):
        FisherSelectStrategy(name).query(X, y, model)


class Sharpened(LogisticRegression):
    """Its outputs are not those of its weights."""

    def predict_proba(self, X: Any) -> Any:
        P = super().predict_proba(X) ** 2
        return P / P.sum(axis=1, keepdims=True)


def test_weights_that_are_not_of_a_softmax_are_refused(pool: Any) -> None:
    X, y, _ = pool
    with pytest.raises(ValueError, match="is not the last layer of a softmax"):
        FisherSelectStrategy("eig").query(X, y, classifier(Sharpened(max_iter=300)))


def test_information_gain_needs_a_label(pool: Any) -> None:
    X, y, _ = pool
    weight = {"weight": lambda _clf, _X: np.zeros((64, 10))}
    with pytest.raises(ValueError, match="entropy on labelled rows, of which there are none"):
        FisherSelectStrategy("uig", provide=weight).query(X, np.full_like(y, np.nan))
