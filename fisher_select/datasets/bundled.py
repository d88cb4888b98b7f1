# SPDX-License-Identifier: Apache-2.0
"""Data sets that come with scikit-learn: no file, no download."""

from __future__ import annotations

import numpy as np

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.derive import standardized
from fisher_select.datasets.hold_out import Part, parts
from fisher_select.extras import require

__all__ = ["breast_cancer", "diabetes", "digits"]


def digits() -> Dataset:
    """scikit-learn's bundled digits: 1,797 images of 8 x 8 pixels, ten classes, no download.

    Pixels are scaled to [0, 1]. One third is held out, stratified by class, always the same:
    1,198 rows to label from and 599 to test on.
    """
    require("sklearn", extra="datasets")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    inputs = (pixels / 16.0).astype(np.float32)
    pool_inputs, test_inputs, pool_labels, test_labels = train_test_split(
        inputs, labels.astype(np.int64), test_size=1 / 3, stratify=labels, random_state=0
    )
    return Dataset(
        "digits",
        pool_inputs,
        pool_labels,
        test_inputs,
        test_labels,
        classes=10,
        class_names=tuple(map(str, range(10))),
        image_shape=(1, 8, 8),
    )


def breast_cancer() -> Dataset:
    """Wisconsin diagnostic breast cancer: 569 cell samples x 30, malignant (212) or benign.

    Inputs are standardised by the pool. A quarter is held out, stratified by class,
    always the same: 427 rows to label from and 142 to test on.
    """
    require("sklearn", extra="datasets")
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    rows = Part(bunch.data, bunch.target.astype(np.int64))
    pool, test = parts("breast_cancer", rows)
    names = tuple(map(str, bunch.target_names))
    raw = Dataset("breast_cancer", *pool, *test, classes=2, class_names=names)
    return standardized(raw)


def diabetes() -> Dataset:
    """Diabetes progression after a year, a regression: 442 patients x 10 (Efron et al., 2004).

    Inputs are standardised by the pool, the target (25 to 346) is as it was measured. A
    quarter is held out at random, always the same: 332 rows to label from, 110 to test on.
    """
    require("sklearn", extra="datasets")
    from sklearn.datasets import load_diabetes

    inputs, target = load_diabetes(return_X_y=True)
    pool, test = parts("diabetes", Part(inputs, target))
    raw = Dataset("diabetes", *pool, *test, classes=1, task="regression")
    return standardized(raw)
