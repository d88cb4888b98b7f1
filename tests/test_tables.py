# SPDX-License-Identifier: Apache-2.0
"""Tables of pandas, polars and pyarrow go in as arrays do, and give their rows back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fisher_select as fs
from fisher_select import arrays, conversion

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 4))
P = RNG.dirichlet(np.ones(3), 40)
MASK = np.isin(np.arange(40), [2, 9, 31])
NAMES = [f"image {i}" for i in range(40)]


def columns_of(array: np.ndarray) -> dict[str, np.ndarray]:
    return {f"x{j}": array[:, j] for j in range(array.shape[1])}


def nullable(array: np.ndarray) -> pd.DataFrame:
    kind = f"Float{8 * array.itemsize}"
    return pd.DataFrame({k: pd.array(v, dtype=kind) for k, v in columns_of(array).items()})


def in_chunks(array: np.ndarray) -> pa.Table:
    return pa.concat_tables([pa.table(columns_of(part)) for part in np.array_split(array, 3)])


TABLES: dict[str, Callable[[np.ndarray], Any]] = {
    "pandas": lambda a: pd.DataFrame(columns_of(a), index=range(100, 100 + len(a))),
    "pandas-nullable": nullable,
    "pandas-arrow": lambda a: pa.table(columns_of(a)).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda a: pl.DataFrame(columns_of(a)),
    "arrow": lambda a: pa.table(columns_of(a)),
    "arrow-chunks": in_chunks,
    "arrow-batch": lambda a: pa.RecordBatch.from_pydict(columns_of(a)),
}
COLUMNS: dict[str, Callable[[np.ndarray], Any]] = {
    "pandas": lambda a: pd.Series(a, index=range(100, 100 + len(a))),
    "pandas-nullable": lambda a: pd.Series(a).convert_dtypes(),
    "pandas-arrow": lambda a: pd.Series(pa.array(a), dtype=pd.ArrowDtype(pa.array(a).type)),
    "polars": pl.Series,
    "arrow": pa.array,
    "arrow-chunks": lambda a: pa.chunked_array(np.array_split(a, 3)),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("mask", COLUMNS)
def test_picks_are_those_of_the_arrays(kind: str, mask: str, cpu: str) -> None:
    plain = fs.bait(X, P, labeled=MASK, batch_size=5)
    table, column = TABLES[kind], COLUMNS[mask]
    picks = fs.select(
        "bait",
        features=table(X),
        probabilities=table(P),
        labeled=column(MASK),
        batch_size=5,
        backend=cpu,
    )
    np.testing.assert_array_equal(picks.forward_indices, plain.forward_indices)
    np.testing.assert_array_equal(picks.indices, plain.indices)


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_indices_and_labels(kind: str) -> None:
    rows = COLUMNS[kind](np.array([7, 3, 11]))
    np.testing.assert_array_equal(arrays.as_labeled(rows, 12), [3, 7, 11])
    np.testing.assert_array_equal(arrays.as_class_labels("y", rows, 12), [7, 3, 11])


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_type(kind: str, dtype: type) -> None:
    seen = arrays.as_matrix("features", TABLES[kind](X.astype(dtype)))
    assert seen.dtype == dtype
    np.testing.assert_array_equal(seen, X.astype(dtype))


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(pd.DataFrame, id="pandas"),
        pytest.param(lambda c: pd.DataFrame(c).convert_dtypes(), id="pandas-nullable"),
        pytest.param(pl.DataFrame, id="polars"),
        pytest.param(pa.table, id="arrow"),
    ],
)
def test_other_numbers_beside_floats_are_converted(table: Callable[..., Any]) -> None:
    columns = {"count": [1, 2, 3], "seen": [True, False, True], "share": [0.5, 0.25, 1.5]}
    seen = arrays.as_matrix("features", table(columns))
    assert seen.dtype == np.float64
    np.testing.assert_array_equal(seen, [[1, 1, 0.5], [2, 0, 0.25], [3, 1, 1.5]])


@pytest.mark.parametrize("table", [pd.DataFrame, pl.from_numpy], ids=["pandas", "polars"])
def test_a_table_made_of_one_array_is_not_copied(table: Callable[..., Any]) -> None:
    given = table(np.asfortranarray(X))
    seen = arrays.as_matrix("features", given)
    assert np.shares_memory(seen, conversion.to_numpy("features", given))


def test_columns_of_one_name_are_two_columns() -> None:
    frame = pd.DataFrame(X[:, :2], columns=["x", "x"])
    np.testing.assert_array_equal(arrays.as_matrix("features", frame), X[:, :2])


# ------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["a", "b"], id="text"),
        pytest.param([[1.0], [2.0]], id="lists"),
        pytest.param(np.array(["2020-01-01", "2021-01-01"], "datetime64[ms]"), id="dates"),
    ],
)
def test_a_column_without_numbers_is_named(table: Callable[..., Any], values: Any) -> None:
    message = r"^features must hold numbers: column 'y' is of type \w"
    with pytest.raises(TypeError, match=message):
        arrays.as_matrix("features", table({"x": [1.0, 2.0], "y": values}))


INT = pd.array([1, 2, None], dtype="Int64")


@pytest.mark.parametrize(
    ("table", "row"),
    [
        pytest.param(pd.DataFrame({"a": [1, 2, 3], "b": INT}), 2, id="pandas"),
        pytest.param(pd.DataFrame({"a": [1, 2, 3], "b": INT})[1:], 1, id="pandas-rows"),
        pytest.param(pl.DataFrame({"a": [1, 2, 3], "b": [1.0, 2.0, None]}), 2, id="polars"),
        pytest.param(pa.table({"a": [1, 2, 3], "b": [True, True, None]}), 2, id="arrow"),
        pytest.param(
            pa.concat_tables([pa.table({"b": [1, 2]}), pa.table({"b": [3, None]})]),
            3,
            id="arrow-chunks",
        ),
    ],
)
def test_a_missing_entry_is_named(table: Any, row: int) -> None:
    message = f"^features must have no missing values: row {row}, column 'b' is null$"
    with pytest.raises(ValueError, match=message):
        arrays.as_matrix("features", table)


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pd.Series([True, None], dtype="boolean"), id="pandas"),
        pytest.param(pl.Series([True, None]), id="polars"),
        pytest.param(pa.array([True, None]), id="arrow"),
    ],
)
def test_a_missing_entry_of_a_mask_is_named(column: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^labeled must have no missing values: row 1 is null$"
    ):
        arrays.as_labeled(column, 2)


def test_nan_is_found_as_in_arrays() -> None:
    with pytest.raises(ValueError, match="features must be finite: row 1, column 0 is nan"):
        arrays.as_matrix("features", pd.DataFrame({"a": [1.0, np.nan]}))


@pytest.mark.parametrize("table", [pd.DataFrame(), pl.DataFrame(), pa.table({})])
def test_a_table_without_columns_is_refused(table: Any) -> None:
    with pytest.raises(ValueError, match="features must not be empty"):
        arrays.as_matrix("features", table)


def test_a_lazy_frame_is_not_in_memory() -> None:
    with pytest.raises(TypeError, match=r"^features must be in memory, got a LazyFrame"):
        arrays.as_matrix("features", pl.LazyFrame({"a": [1.0]}))


# ----------------------------------------------------------------------------- rows again
@pytest.mark.parametrize("kind", COLUMNS)
def test_rows_of_a_column(kind: str) -> None:
    picks = fs.k_center(X, labeled=MASK, batch_size=5)
    found = picks.rows_of(COLUMNS[kind](np.arange(40) * 2))
    assert list(np.asarray(found)) == (picks.indices * 2).tolist()


@pytest.mark.parametrize("kind", TABLES)
def test_rows_of_a_table(kind: str) -> None:
    picks = fs.k_center(X, labeled=MASK, batch_size=5)
    table = TABLES[kind](X)
    found = picks.rows_of(table)
    assert type(found) is type(table)
    np.testing.assert_array_equal(np.asarray(found, dtype=np.float64), X[picks.indices])


def test_rows_keep_their_labels() -> None:
    picks = fs.k_center(X, labeled=MASK, batch_size=5)
    assert picks.rows_of(pd.DataFrame(X, index=NAMES)).index.tolist() == picks.rows_of(NAMES)
    assert picks.rows_of(NAMES) == [f"image {i}" for i in picks.indices]
    np.testing.assert_array_equal(picks.rows_of(X), X[picks.indices])


def test_rows_of_too_few_are_refused() -> None:
    picks = fs.Selection(indices=np.array([3, 9]), scores=np.zeros(2), backend="cpu")
    with pytest.raises(
        ValueError, match=r"^pool must have row 9, which was picked, got 9 rows$"
    ):
        picks.rows_of(list(range(9)))
