# SPDX-License-Identifier: Apache-2.0
"""Oracles: an array, a function, an expert who fills a file; wrong labels are refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from toys import blobs

from fisher_select.labels import LabelFormat
from fisher_select.loop import ActiveLearner, FileOracle, LabelsNeeded


def learner(folder: Path | None = None, **changes: Any) -> ActiveLearner:
    return toys.learner(run_dir=folder, rounds=2, **changes)


def fill(path: Path, labels: dict[int, Any]) -> None:
    """Write labels where the file has that row, as an expert would."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["label"] = str(labels.get(int(row["index"]), row["label"]))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["index", "label"])
        writer.writeheader()
        writer.writerows(rows)


def test_an_array_or_a_function_labels() -> None:
    data = blobs()
    asked: list[list[int]] = []

    def ask(rows: np.ndarray) -> np.ndarray:
        asked.append(rows.tolist())
        return data.pool_labels[rows]

    expected = [record.metrics for record in learner()]
    made = learner(oracle=ask)
    assert [record.metrics for record in made] == expected
    assert [len(rows) for rows in asked] == [5, 4, 4]
    assert asked[0] == made.initial.tolist()
    assert [r.metrics for r in learner(oracle=data.pool_labels.tolist())] == expected
    other = (data.pool_labels + 1) % 3
    assert [r.metrics for r in learner(oracle=other)] != expected


def test_a_functions_answers_are_asked_for_once(tmp_path: Path) -> None:
    """Labels bought before a kill are read, not bought again."""
    data, asked = blobs(), []

    def ask(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return data.pool_labels[rows]

    for _ in range(4):
        rounds = iter(learner(tmp_path, oracle=ask))
        for _ in zip(range(2), rounds, strict=False):
            pass
        rounds.close()
    list(learner(tmp_path, oracle=ask))
    assert len(asked) == len(set(asked)) == 13


def test_an_expert_fills_the_file_between_starts(tmp_path: Path) -> None:
    data = blobs()
    truth = dict(enumerate(data.pool_labels.tolist()))
    path = tmp_path / "run" / "to_label.csv"
    records = []
    for finished in range(3):
        with pytest.raises(
            LabelsNeeded, match=r"to_label\.csv: all \d rows wait for a"
        ) as need:
            records = list(learner(tmp_path / "run", oracle=FileOracle()))
        assert need.value.path == path
        lines = path.read_text().splitlines()
        assert lines == ["index,label", *(f"{row}," for row in need.value.rows)]
        done = (tmp_path / "run" / "picks.csv").exists()
        assert done == (finished > 0)
        fill(path, truth)
    records = list(learner(tmp_path / "run", oracle=FileOracle()))
    assert not path.exists()
    assert [r.metrics for r in records] == [r.metrics for r in learner()]
    list(learner(tmp_path / "array"))
    for name in ("records.jsonl", "labels.csv", "picks.csv"):
        one, other = tmp_path / "run" / name, tmp_path / "array" / name
        assert one.read_bytes() == other.read_bytes()


def test_the_same_learner_goes_on(tmp_path: Path) -> None:
    made = learner(tmp_path, oracle=FileOracle())
    truth, done = dict(enumerate(blobs().pool_labels.tolist())), 0
    for _ in range(3):
        with pytest.raises(LabelsNeeded):
            done = len([None for _ in made])
        fill(tmp_path / "to_label.csv", truth)
    assert done == 0
    assert len(list(made)) == 3


def waiting(tmp_path: Path) -> tuple[ActiveLearner, Path, list[int]]:
    made = learner(tmp_path, oracle=FileOracle())
    with pytest.raises(LabelsNeeded) as need:
        list(made)
    return made, need.value.path, list(need.value.rows)


def test_missing_rows_are_named_and_filled_ones_kept(tmp_path: Path) -> None:
    made, path, rows = waiting(tmp_path)
    fill(path, {rows[0]: 1, rows[2]: 0})
    left = [rows[1], rows[3], rows[4]]
    listed = ", ".join(map(str, left))
    with pytest.raises(LabelsNeeded, match=rf"3 of 5 rows wait for a label \({listed}\)"):
        list(made)
    assert f"{rows[0]},1" in path.read_text()
    fill(path, dict.fromkeys(left, 2))
    with pytest.raises(LabelsNeeded, match="all 4 rows"):
        list(made)


@pytest.mark.parametrize("value", ["3", "-1", "1.5", "cat", "nan"])
def test_wrong_labels_are_named_with_their_row(tmp_path: Path, value: str) -> None:
    made, path, rows = waiting(tmp_path)
    fill(path, dict.fromkeys(rows, 1) | {rows[1]: value})
    before = path.read_text()
    with pytest.raises(
        ValueError, match=rf"to_label.csv: the label of row {rows[1]} must be an integer 0 to 2"
    ):
        list(made)
    assert path.read_text() == before


def test_other_rows_are_refused(tmp_path: Path) -> None:
    made, path, rows = waiting(tmp_path)
    text = path.read_text()
    path.write_text(text + "999,1\n")
    with pytest.raises(ValueError, match="row 999 is no such"):
        list(made)
    path.write_text(text.replace(f"{rows[0]},\n", ""))
    with pytest.raises(ValueError, match=f"row {rows[0]} is missing"):
        list(made)
    path.write_text(text + f"{rows[0]},\n")
    with pytest.raises(ValueError, match=f"row {rows[0]} is there twice"):
        list(made)
    path.write_text("row;label\n1;2\n")
    with pytest.raises(ValueError, match="expected a CSV with the columns index, label, the"):
        list(made)


def test_notes_spaces_and_spreadsheet_marks_do_no_harm(tmp_path: Path) -> None:
    made, path, rows = waiting(tmp_path)
    lines = ["note,index,label", *(f"why,{row}, 1 " for row in rows), "", ",,"]
    path.write_text("\ufeff" + "\r\n".join(lines))
    with pytest.raises(LabelsNeeded, match="all 4 rows"):
        list(made)


def test_a_file_needs_a_run_directory() -> None:
    with pytest.raises(ValueError, match="run_dir must be given with a FileOracle"):
        learner(oracle=FileOracle())
    with pytest.raises(ValueError, match="FileOracle must be handed to a loop"):
        FileOracle()(np.array([1]))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([0, 1], r"labels of 5 rows must have shape \[5\], got \[2\]"),
        ([0, 1, 2, 3, 0], r"the label of row \d+ must be an integer 0 to 2, got 3"),
        (["a"] * 5, "labels must be numbers, got <U1"),
    ],
)
def test_wrong_answers_of_a_function_are_refused(answer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(learner(oracle=lambda _: answer))


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        (LabelFormat("multi_label", 3), [[0, 1, 1], [1, 0, 0]]),
        (LabelFormat("regression", 1), [0.1, -1e300 / 3]),
        (LabelFormat("multi_class", 4), [3, 0]),
    ],
)
def test_labels_of_every_task_read_back_exactly(
    tmp_path: Path, labels: LabelFormat, values: Any
) -> None:
    array = labels.check(np.array([7, 2]), values)
    labels.write(tmp_path / "x.csv", {7: array[0], 2: array[1]})
    found, missing = labels.read(tmp_path / "x.csv")
    assert missing == []
    np.testing.assert_array_equal(np.array(list(found.values())), array)
    assert list(found) == [7, 2]
    wrong = array.astype(float)
    wrong[1] = np.nan
    with pytest.raises(ValueError, match="the label of row 2 must be"):
        labels.check(np.array([7, 2]), wrong)


def test_half_a_row_of_labels_is_missing(tmp_path: Path) -> None:
    labels = LabelFormat("multi_label", 2)
    (tmp_path / "x.csv").write_text("index,label_0,label_1\n4,1,\n5,0,1\n")
    found, missing = labels.read(tmp_path / "x.csv")
    assert missing == [4]
    assert found[5].tolist() == [0, 1]
    oracle = replace(FileOracle(), path=tmp_path / "x.csv", labels=labels)
    with pytest.raises(LabelsNeeded, match="1 of 2 rows"):
        oracle(np.array([4, 5]))
