# SPDX-License-Identifier: Apache-2.0
"""Random projection of the inputs: fewer columns for a model of vectors.

A linear model on a projection of MNIST is the convex setting of the BAIT paper's figure 4.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fisher_select.datasets.dataset import Dataset
from fisher_select.datasets.hold_out import Draw, generator
from fisher_select.options import as_count

__all__ = ["projected"]


def projected(data: Dataset, width: int, *, seed: int = 0) -> Dataset:
    """Multiply the flattened inputs [n, d] by a Gaussian matrix [d, width].

    Entries have variance ``1 / width``, so that squared lengths are kept in the mean (Johnson,
    Lindenstrauss). Pool and test set share the matrix.

    Parameters
    ----------
    data
        Inputs of numbers, of any shape.
    width
        Columns of the result, at least 1.
    seed
        Of the matrix.

    Returns
    -------
    Dataset
        Inputs float32 [n, width], without `image_shape`.
    """
    as_count("projection", width)
    columns = int(np.prod(data.pool_inputs.shape[1:]))
    scale = np.float32(1 / np.sqrt(width))
    matrix = scale * generator(seed, Draw.PROJECTION).standard_normal(
        (columns, width), dtype=np.float32
    )
    pool, test = (
        inputs.reshape(len(inputs), -1).astype(np.float32) @ matrix
        for inputs in (data.pool_inputs, data.test_inputs)
    )
    return replace(data, pool_inputs=pool, test_inputs=test, image_shape=None)
