# SPDX-License-Identifier: Apache-2.0
"""Labelled data for the loop: readers that check what they read, and what to make of it.

`load` takes a name (``"digits"``) or the table ``[dataset]`` of a configuration file.
"""

from __future__ import annotations

from fisher_select.datasets.bundled import breast_cancer, diabetes, digits
from fisher_select.datasets.cifar import cifar
from fisher_select.datasets.dataset import TASKS, Dataset
from fisher_select.datasets.degradation import degraded
from fisher_select.datasets.derive import (
    flattened,
    pool_part,
    standardized,
    subset,
    unit_pixels,
    with_counts,
)
from fisher_select.datasets.hold_out import hold_out
from fisher_select.datasets.idx import idx
from fisher_select.datasets.image_folder import image_folder
from fisher_select.datasets.medmnist import medmnist
from fisher_select.datasets.noise import noisy
from fisher_select.datasets.numpy_files import npy, npz
from fisher_select.datasets.packed_jpeg import packed_jpeg
from fisher_select.datasets.projection import projected
from fisher_select.datasets.spec import DatasetSpec, load, names, readers
from fisher_select.datasets.table import table
from fisher_select.datasets.time_series import time_series

__all__ = [
    "TASKS",
    "Dataset",
    "DatasetSpec",
    "breast_cancer",
    "cifar",
    "degraded",
    "diabetes",
    "digits",
    "flattened",
    "hold_out",
    "idx",
    "image_folder",
    "load",
    "medmnist",
    "names",
    "noisy",
    "npy",
    "npz",
    "packed_jpeg",
    "pool_part",
    "projected",
    "readers",
    "standardized",
    "subset",
    "table",
    "time_series",
    "unit_pixels",
    "with_counts",
]
