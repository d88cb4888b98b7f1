# SPDX-License-Identifier: Apache-2.0
"""Tables: text, ARFF, parquet and .npy; targets, missing values, words, and wrong files."""

from __future__ import annotations

import datetime
import gzip
import re
from pathlib import Path
from typing import Any

import dataset_files as make
import numpy as np
import pytest

from fisher_select import datasets
from fisher_select.datasets import Dataset

pa = pytest.importorskip("pyarrow")

WEATHER = """day,high,rain,event
1,7.5,0.25,"Rain , Fog"
2,-,T,
3,2.5,0,Snow
4,5.0,1.5,Snow
"""
READ: dict[str, Any] = {
    "target": "rain",
    "task": "regression",
    "missing_words": ["-"],
    "replace": {"T": 0.125},
    "categorical": "one_hot",
}


def write(path: Path, text: str) -> Path:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def whole(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All rows, in the order of the first column."""
    inputs = np.concatenate([data.pool_inputs, data.test_inputs])
    order = np.argsort(inputs[:, 0])
    return inputs[order], np.concatenate([data.pool_labels, data.test_labels])[order]


def test_missing_values_and_words(tmp_path: Path) -> None:
    path = write(tmp_path / "w.csv", WEATHER)
    data = datasets.table(path, missing="drop", **READ)
    inputs, rain = whole(data)
    assert (data.classes, data.class_names, data.task) == (1, ("rain",), "regression")
    # day, high, then the events in alphabetical order: "", "Rain , Fog" and "Snow"
    np.testing.assert_array_equal(inputs, [[1, 7.5, 1, 0], [3, 2.5, 0, 1], [4, 5.0, 0, 1]])
    np.testing.assert_array_equal(rain, [0.25, 0, 1.5])
    data = datasets.table(path, missing="mean", test_path=path, **READ)
    np.testing.assert_array_equal(data.pool_inputs[:, 1], [7.5, 5.0, 2.5, 5.0])
    np.testing.assert_array_equal(data.pool_inputs[1, 2:], [1, 0, 0])  # "" is an event here
    np.testing.assert_array_equal(data.pool_labels, [0.25, 0.125, 0, 1.5])


def test_a_column_without_any_value_has_no_mean(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b,c\n1,,2\n2,,3\n")
    with pytest.raises(ValueError, match=r"x\.csv: column 1 of the inputs has no values"):
        datasets.table(path, "c", missing="mean", test_path=path)


def test_the_mean_is_that_of_the_pool(tmp_path: Path) -> None:
    text = "".join(f"{'' if row % 3 == 0 else row},{row % 2}\n" for row in range(40))
    path = write(tmp_path / "x.csv", text)
    kept = {"header": False, "task": "regression", "missing": "mean"}
    data = datasets.table(path, 1, seed=4, test_fraction=0.5, **kept)
    pool, test = datasets.hold_out(np.linspace(0, 1, 40), 0.5, seed=4)
    mean = pool[pool % 3 != 0].mean()
    np.testing.assert_allclose(data.pool_inputs[:, 0], np.where(pool % 3, pool, mean))
    np.testing.assert_allclose(data.test_inputs[:, 0], np.where(test % 3, test, mean))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "column 'high' has no value in row 1 (1 missing in all); set missing to 'drop' "),
        ({"missing": "drop", "categorical": "reject"}, "column 'event' must hold numbers, "),
        ({"missing_words": [], "categorical": "reject"}, "'high' must hold numbers, got '-'"),
        ({"replace": {}, "missing": "mean"}, "column 'rain' must hold numbers for a regressi"),
        ({"missing_words": ["-", "T"], "replace": {}, "missing": "mean"},
         "column 'rain' has no value in row 1 (1 missing in all); set missing to 'drop'"),
        ({"target": "snow"}, "target 'snow' is no column; there are day, high, rain, event"),
        ({"target": 4}, "target must be a name or -4 to 3, got 4"),
        ({"drop": ["dew"]}, "drop 'dew' is no column"),
        ({"drop": [2]}, "drop must not name the target, column 'rain'"),
        ({"drop": [0, 1, 3]}, "no columns are left"),
        ({"task": "multi_class", "missing": "drop"}, "column 'rain' holds fractions, which"),
    ],
)  # fmt: skip
def test_tables_refuse(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "w.csv", WEATHER)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        datasets.table(path, **(READ | changes))
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"task": "multi_label"}, "task must be one of 'multi_class', 'regression'"),
        ({"missing": "zero"}, "missing must be one of 'reject', 'drop', 'mean'"),
        ({"categorical": "hash"}, "categorical must be one of 'reject', 'one_hot'"),
        ({"bad_lines": "skip"}, "bad_lines must be one of 'reject', 'drop'"),
        ({"separator": "::"}, "separator must be one character or 'blanks', got '::'"),
        ({"quote": ""}, "quote must be one character, got ''"),
    ],
)
def test_options_are_checked(option: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.table(write(tmp_path / "w.csv", WEATHER), **(READ | option))


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.csv", "n,c,x\n1,b,0.5\n2,a,1\n3,b,2\n4,a,3\n", {"target": "c"}),
        ("a.data.gz", "1,b,0.5\n2,a,1\n3,b,2\n4,a,3\n", {"target": 1, "header": False}),
        ("a.csv", "1,'b',0.5\n2,'a',1\n3,b,2\r\n4,a,3",
         {"target": -2, "header": False, "quote": "'"}),
        ("a.txt.gz", "  1 b\t0.5 \n2  a 1\n\n3 b 2\n4 a 3\n",
         {"target": 1, "header": False, "separator": "blanks"}),
        ("a.TSV", "n\tc\tx\n1\tb\t0.5\n2\ta\t1\n3\tb\t2\n4\ta\t3\n",
         {"target": "c", "separator": "\t"}),
        ("a.csv", "n,c,x,y\n1,b,0.5,q\n2,a,1,\n3,b,2,\n4,a,3,r\n",
         {"target": 1, "drop": ["y"]}),
    ],
)  # fmt: skip
def test_text(name: str, text: str, options: dict[str, Any], tmp_path: Path) -> None:
    data = datasets.table(write(tmp_path / name, text), test_fraction=0.5, **options)
    inputs, labels = whole(data)
    np.testing.assert_array_equal(inputs, [[1, 0.5], [2, 1], [3, 2], [4, 3]])
    np.testing.assert_array_equal(labels, [1, 0, 1, 0])
    assert (data.name, data.class_names, data.classes) == ("a", ("a", "b"), 2)


def test_the_type_of_a_column_follows_from_all_of_it(tmp_path: Path) -> None:
    rows = 300_000  # more than a block of pyarrow's own choice
    text = "".join(f"{row},{row % 2}\n" for row in range(rows)) + "0.5,1\n"
    data = datasets.table(write(tmp_path / "x.csv", text), 1, header=False)
    assert 0.5 in np.concatenate([data.pool_inputs, data.test_inputs])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a table (Empty CSV file)"),
        ("a,b\n", "no rows are left of the table"),
        (
            "a,b\n1,2\n3\n",
            "(CSV parse error: Row #3: Expected 2 columns, got 1: 3)",
        ),
        ("a,b\n1,2\n3,4,5\n", "Row #3: Expected 2 columns, got 3"),
        ("a,a\n1,2\n", "two columns are named 'a'"),
        ("a,b\n1,2\ninf,4\n", "column 'a' is infinite in row 1"),
        ("a,b\n1,2\nnan,4\n", "column 'a' has no value in row 1"),
        ("a,b\n1,2\n,4\n", "column 'a' has no value in row 1"),
        ("a,b\n1,2\n2,2\n", "column 'b' must hold at least two classes, got 2"),
        ("a,b\n1,2\n2,3\n", "2 rows are too few to hold out a test set"),
    ],
)
def test_text_refuses(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        datasets.table(write(tmp_path / "x.csv", text), "b")
    assert "\n" not in str(caught.value)


def test_bad_lines_are_left_out_on_request(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "1,0\n2,1\n3\n4,5,6\n5,0\n6,1\n")
    data = datasets.table(path, 1, header=False, bad_lines="drop", test_fraction=0.5)
    np.testing.assert_array_equal(whole(data)[0][:, 0], [1, 2, 5, 6])


def test_a_test_table_has_the_same_columns_and_classes(tmp_path: Path) -> None:
    one = write(tmp_path / "1.csv", "a,b,c\n1,x,2\n2,y,3\n")
    for text, message in (
        ("a,d,b\n1,2,x\n", f"2.csv: the columns must be those of {one}"),
        ("a,b,c\nz,x,2\n", "2.csv: column 'a' must hold numbers, got 'z'"),
    ):
        with pytest.raises(ValueError, match=message):
            datasets.table(one, "b", test_path=write(tmp_path / "2.csv", text))
    other = write(tmp_path / "2.csv", "a,b,c\n1,z,2\n")
    assert datasets.table(one, "b", test_path=other).class_names == ("x", "y", "z")


# --------------------------------------------------------------------------- other formats
@pytest.mark.parametrize("packed", [False, True])
def test_arff(packed: bool, tmp_path: Path) -> None:
    path = write(tmp_path / ("a.arff.gz" if packed else "a.arff"), make.ARFF)
    options: dict[str, Any] = {"categorical": "one_hot", "test_path": path}
    data = datasets.table(path, "class", missing="drop", **options)
    np.testing.assert_array_equal(data.pool_inputs, [[1.5, 0, 1], [2.5, 1, 0], [4.5, 0, 1]])
    np.testing.assert_array_equal(data.test_labels, [0, 1, 1])
    assert data.class_names == ("no", "yes")
    with pytest.raises(ValueError, match="column 'width' has no value in row 2"):
        datasets.table(path, "class", **options)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("blue', yes", "green', yes", "line 8: colour of it has no value 'light green'"),
        ("1.5, red", "1.5mm, red", "line 7: width must be a number, got '1.5mm'"),
        ("1.5, red", "1.5", "line 7: expected 3 values, got 2"),
        ("'light blue', yes", "'light blue, yes", "line 8: quotes do not match"),
        ("1.5, red, no", "{0 1.5}", "line 7: sparse rows are not read"),
        ("width numeric", "width relational", "line 3: attributes of type 'relational'"),
        ("width numeric", "width", "line 3: expected @attribute, a name and a type"),
        ("@data", "@dataset", "line 6: expected @relation, @attribute, @data or %"),
        (make.ARFF, "@relation x\n", "not an ARFF file: it has no line @data"),
    ],
)  # fmt: skip
def test_arff_refuses(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.arff", make.ARFF.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        datasets.table(path, "class")


def test_arff_quotes_and_comments(tmp_path: Path) -> None:
    text = """@RELATION x
        @Attribute "it's" STRING
        @attribute when date "yyyy-MM-dd"
        @attribute n {1,2}
        @data
        'it\\'s', 2020-01-01,1
        % no row
        "?", "a, b",2
        ?,	c,1
        '', c,2
    """
    path = write(tmp_path / "x.arff", text)
    data = datasets.table(
        path,
        "n",
        missing_words=[],
        missing="drop",
        categorical="one_hot",
        test_path=path,
        drop=["when"],
    )
    # "", "?" in quotes and "it's", in this order; the bare ? is missing
    np.testing.assert_array_equal(data.pool_inputs, [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(data.pool_labels, [0, 1, 1])


def test_parquet(tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    day = datetime.date(2020, 1, 1)
    columns = {
        "whole": pa.array([3, 1, None, 4], pa.int16()),
        "truth": pa.array([True, False, True, True]),
        "word": pa.array(["p", "q", "q", None]).dictionary_encode(),
        "day": pa.array([day] * 4),
        "exact": pa.array([1, 2, 3, 4], pa.decimal128(5, 2)),
        "y": pa.array([0.5, 1.5, 2.5, 3.5], pa.float32()),
    }
    parquet.write_table(pa.table(columns), path)
    options: dict[str, Any] = {"task": "regression", "missing": "mean", "test_path": path}
    data = datasets.table(path, "y", drop=["day"], categorical="one_hot", **options)
    np.testing.assert_allclose(
        data.pool_inputs,
        [[3, 1, 1, 0, 1], [1, 0, 0, 1, 2], [8 / 3, 1, 0, 1, 3], [4, 1, 0, 0, 4]],
    )
    np.testing.assert_array_equal(data.test_labels, [0.5, 1.5, 2.5, 3.5])
    with pytest.raises(ValueError, match="column 'word' must hold numbers, got 'p'"):
        datasets.table(path, "y", **options)
    with pytest.raises(ValueError, match="'day' must hold numbers, got '2020-01-01'"):
        datasets.table(path, "y", drop=["word"], **options)
    with pytest.raises(ValueError, match=r"header is an option of text, not of \.parquet"):
        datasets.table(path, "y", header=False)


def test_npy_and_unknown_endings(tmp_path: Path) -> None:
    rows = np.column_stack([np.arange(8) % 2, np.arange(8), np.arange(8) / 2])
    np.save(tmp_path / "a.npy", rows)
    data = datasets.table(tmp_path / "a.npy", 0)
    np.testing.assert_array_equal(whole(data)[0], rows[:, 1:])
    np.save(tmp_path / "a.npy", rows[:, 0])
    with pytest.raises(ValueError, match=r"a\.npy: expected numbers \[n, columns\]"):
        datasets.table(tmp_path / "a.npy", 0)
    with pytest.raises(ValueError, match=r"a\.xlsx: the ending must be one of \.csv, "):
        datasets.table(tmp_path / "a.xlsx", 0)
