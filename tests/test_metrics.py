# SPDX-License-Identifier: Apache-2.0
"""Metrics: scikit-learn is the judge; ties, absent classes and calibration by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fisher_select.metrics import NAMES, Metrics

sklearn = pytest.importorskip("sklearn.metrics")


def classes(n: int = 200, C: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with many ties, and labels that they know something of."""
    generator = np.random.default_rng(seed)
    y = np.concatenate([np.arange(C), generator.integers(0, C, n - C)])
    P = generator.dirichlet(np.ones(C), n)
    P[np.arange(n), y] += 0.3
    P = np.round(P / P.sum(axis=1, keepdims=True), 1) + 0.01  # tenths: ties in every column
    return P / P.sum(axis=1, keepdims=True), y


def labels(n: int = 120, C: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    Q = np.round(generator.random((n, C)), 1)
    return Q, (generator.random((n, C)) < 0.2 + 0.5 * Q).astype(int)


@pytest.mark.parametrize("seed", range(5))
def test_classes_as_scikit_learn_has_them(seed: int) -> None:
    P, y = classes(seed=seed)
    found = Metrics(y, task="multi_class", classes=5)(P)
    guess = P.argmax(axis=1)
    expected = {
        "accuracy": sklearn.accuracy_score(y, guess),
        "balanced_accuracy": sklearn.balanced_accuracy_score(y, guess),
        "macro_auc": sklearn.roc_auc_score(y, P, multi_class="ovr", average="macro"),
        "macro_f1": sklearn.f1_score(y, guess, average="macro"),
        "nll": sklearn.log_loss(y, P),
    }
    assert list(found) == [*expected, "ece"]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_labels_as_scikit_learn_has_them() -> None:
    Q, y = labels()
    found = Metrics(y, task="multi_label", classes=4)(Q)
    guess = (Q >= 0.5).astype(int)
    columns = range(4)
    expected = {
        "accuracy": 1 - sklearn.hamming_loss(y, guess),
        "balanced_accuracy": np.mean(
            [sklearn.balanced_accuracy_score(y[:, c], guess[:, c]) for c in columns]
        ),
        "macro_auc": sklearn.roc_auc_score(y, Q, average="macro"),
        "macro_f1": sklearn.f1_score(y, guess, average="macro"),
        "nll": np.mean([sklearn.log_loss(y[:, c], Q[:, c]) for c in columns]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_regression_is_the_root_of_the_mean_square() -> None:
    y = np.array([1.0, 2.0, 4.0])
    found = Metrics(y, task="regression", classes=1)(np.array([[1.0], [4.0], [5.0]]))
    assert found == {"rmse": pytest.approx(np.sqrt(5 / 3))}


def test_two_equal_scores_count_half() -> None:
    y = np.array([0, 0, 1, 1])
    P = np.array([[0.5, 0.5]] * 4)
    assert Metrics(y, task="multi_class", classes=2, names=["macro_auc"])(P)["macro_auc"] == 0.5


def test_classes_that_the_test_set_lacks_are_left_out_and_said() -> None:
    P, y = classes()
    keep = ~np.isin(y, [1, 3])
    P, y = P[keep], y[keep]
    with pytest.warns(UserWarning, match=r"macro_auc and macro_f1: .* left out .*: 1, 3$"):
        measure = Metrics(y, task="multi_class", classes=5, names=["macro_auc", "macro_f1"])
    present = [0, 2, 4]
    expected = [sklearn.roc_auc_score(y == c, P[:, c]) for c in present]
    found = measure(P)
    assert found["macro_auc"] == pytest.approx(np.mean(expected))
    assert found["macro_f1"] == pytest.approx(
        sklearn.f1_score(y, P.argmax(axis=1), labels=present, average="macro")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Metrics(y, task="multi_class", classes=5, names=["accuracy", "nll"])
    with pytest.raises(ValueError, match="macro_auc must have test rows in a class and"):
        Metrics(np.zeros(3, int), task="multi_class", classes=2, names=["macro_auc"])


def test_calibration_error_by_hand() -> None:
    """Three rows of confidence 0.8, two of them right, and one of 0.6, wrong."""
    P = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6]])
    y = np.array([0, 1, 1, 0])
    measure = Metrics(y, task="multi_class", classes=2, names=["ece"])
    assert measure(P)["ece"] == pytest.approx((3 * abs(0.8 - 2 / 3) + 0.6) / 4)


def test_calibrated_outputs_have_little_error() -> None:
    generator = np.random.default_rng(0)
    q = generator.random(100_000)
    y = (generator.random(len(q)) < q).astype(int)
    measure = Metrics(y, task="multi_class", classes=2, names=["ece"])
    assert measure(np.stack([1 - q, q], axis=1))["ece"] < 0.01


def test_a_certain_mistake_is_finite() -> None:
    measure = Metrics(np.array([0, 1]), task="multi_class", classes=2, names=["nll"])
    P = np.array([[0.0, 1.0], [0.0, 1.0]], dtype=np.float32)
    assert measure(P)["nll"] == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["precision"], "each of metrics must be one of 'accuracy', .* got 'precision'"),
        (["rmse"], "each of metrics must be one of"),
        (["nll", "nll"], r"metrics must be different names, got \['nll', 'nll'\]"),
        ([], r"metrics must be different names, got \[\]"),
    ],
)
def test_unknown_names_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Metrics(np.array([0, 1]), task="multi_class", classes=2, names=names)
    assert "rmse" not in NAMES["multi_label"]
