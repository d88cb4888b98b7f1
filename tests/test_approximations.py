# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the approximations: what it compares, and the page it ends in."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
for package in ("torch", "sklearn", "scipy"):
    pytest.importorskip(package)

from scipy import stats  # noqa: E402

from benchmarks import approximations as study  # noqa: E402
from benchmarks.approximations_page import page  # noqa: E402
from benchmarks.engine import Settings  # noqa: E402
from benchmarks.machine import provenance  # noqa: E402
from benchmarks.record import as_json  # noqa: E402
from fisher_select import datasets  # noqa: E402

SETTINGS = Settings(quick=True, backend="reference")


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> datasets.Dataset:
    """A few digits, and a model of as few labels."""
    monkeypatch.setattr(study, "LABELED", 12)
    return study.first_rows(datasets.digits(), 60)


def test_a_mode_in_its_exact_limit_is_the_full_one(
    digits: datasets.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = {"full": {}, "rank=9": {"rank": 9}, "binary": {"fisher": "binary"}}
    monkeypatch.setattr(study, "MODES", modes)
    found = study.objectives(digits, 4, SETTINGS)
    assert found["rank=9"]["picks"] == found["full"]["picks"]
    assert (found["rank=9"]["excess"], found["rank=9"]["in_common"]) == (0.0, 1.0)
    assert found["binary"]["picks"] != found["full"]["picks"]
    assert found["binary"]["excess"] != 0.0
    assert found["binary"]["planned_bytes"] < found["full"]["planned_bytes"]


def test_an_objective_that_is_not_the_engines_is_an_error() -> None:
    study._check(2.0, 2.0 + 1e-6)
    with pytest.raises(study.AnswerError, match=r"the full mode says 2\.1 of its picks"):
        study._check(2.0, 2.1)


def test_intervals_and_the_paired_test_are_students() -> None:
    values = np.array([[1.0, 4.0], [2.0, 4.0], [6.0, 4.0]])
    expected = stats.t.ppf(0.84, 2) * np.std([1, 2, 6], ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(study.interval(values), [expected, 0.0])
    other = np.array([1.5, 3.0, 6.2])
    paired = stats.ttest_rel(other, values[:, 0]).pvalue
    assert study.paired_p(other - values[:, 0]) == pytest.approx(paired)
    assert study.paired_p(np.zeros(3)) == 1.0


def test_principal_components_are_those_of_the_pool() -> None:
    rng = np.random.default_rng(0)
    pool, test = rng.integers(0, 256, (2, 50, 1, 3, 3)).astype(np.uint8)
    labels = rng.integers(0, 2, 50)
    data = datasets.Dataset("images", pool, labels, test, labels, classes=2)
    reduced = study.principal_components(data, 4)
    covariance = np.cov(reduced.pool_inputs, rowvar=False)
    assert covariance[0, 0] == pytest.approx(1.0)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-6)
    assert np.all(np.diff(np.diag(covariance)) < 0)
    assert reduced.test_inputs.shape == (50, 4)


def test_the_page_shows_every_mode_and_batch(
    digits: datasets.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "data_sets", lambda _: [digits])
    monkeypatch.setattr(study, "MODES", {"full": {}, "binary": {"fisher": "binary"}})
    record = study.approximations(SETTINGS)
    text = page(as_json(record, provenance("python", quick=True)))
    assert "## digits: 60 rows x 64" in text
    assert "| mode | B = 5: full objective | B = 5: picks in common |" in text
    assert "| mode | 5 labels | 10 labels | area | to full | p |" in text
    for mode in ("full", "binary"):
        assert text.count(f"\n| {mode} | ") == 2
    assert text.count("\n| random | ") == 1
    assert "2 seeds and 2 tests" in text
    assert [figure.figure for figure in record.figures] == [
        "full objective of binary, digits, B = 5",
        "mean accuracy of binary, digits",
        "mean accuracy of random, digits",
    ]
