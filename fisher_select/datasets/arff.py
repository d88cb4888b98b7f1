# SPDX-License-Identifier: Apache-2.0
"""ARFF tables (Weka, OpenML) into a `Frame`, gzip or not, by scipy.io.arff.

Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/ . "?" stands for
a missing value. Sparse data, strings and relations are not read.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fisher_select.datasets.frame import Column, Frame
from fisher_select.datasets.raw import first_line, opened

__all__ = ["read_arff"]

_MISSING = "?"

# What the parser raises for another kind of file, a cut one, or an attribute it does not know.
_CORRUPT = (ValueError, LookupError, TypeError, StopIteration, NotImplementedError)


def read_arff(path: Path) -> Frame:
    """Read numeric and nominal attributes; dates become text.

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    ValueError
        No ARFF file, a row of another length, a value its attribute has not, a corrupt gzip
        file, or no rows.
    """
    from scipy.io import arff

    with opened(path) as stream:
        data = stream.read()
    try:
        records, description = arff.loadarff(io.StringIO(data.decode("utf-8")))
    except (*_CORRUPT, arff.ArffError) as error:
        raise ValueError(f"{path}: not a complete ARFF file ({first_line(error)})") from None
    names = tuple(description.names())
    return Frame(path, names, tuple(_column(records[name]) for name in names))


def _column(values: NDArray[Any]) -> Column:
    """Numbers as float64; nominal values, which are bytes, and dates as text."""
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    words = values.astype(np.str_).astype(object)
    words[words == _MISSING] = None
    return words
