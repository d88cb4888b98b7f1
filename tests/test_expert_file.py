# SPDX-License-Identifier: Apache-2.0
"""An expert in an experiment file: one file for all runs, from the command line to the end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Call

from fisher_select import datasets
from fisher_select.expert_file import ExpertFile
from fisher_select.labels import LabelFormat
from fisher_select.loop import LabelsNeeded

EXPERIMENT = """
name = "mine"
dataset = "digits"
seeds = [0, 1]
loop = { initial = 10, batch_size = 3, rounds = 2 }
model = { hidden = [8] }
training = { epochs = 3, threads = 1 }
oracle = { kind = "file" }
[[strategies]]
name = "margin"
[[strategies]]
name = "random"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with two experiments that differ in who labels."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(EXPERIMENT)
    Path("known.toml").write_text(EXPERIMENT.replace('"file"', '"dataset"'))
    return tmp_path


def asked(path: Path) -> list[int]:
    """The rows of a file that is all empty."""
    header, *lines = path.read_text().splitlines()
    assert header == "index,label"
    assert all(line.endswith(",") for line in lines)
    return [int(line[:-1]) for line in lines]


def fill(path: Path, labels: dict[int, int]) -> None:
    path.write_text("index,label\n" + "".join(f"{k},{v}\n" for k, v in labels.items()))


def test_an_expert_labels_for_all_runs_until_the_experiment_is_done(
    call: Call, here: Path
) -> None:
    truth = datasets.load("digits").pool_labels
    folder = here / "runs" / "mine"
    path = folder / "to_label.csv"
    rounds = []
    while True:
        code, out, err = call("run", "mine.toml")
        if code == 0:
            break
        rows = asked(path)
        assert (code, out) == (3, "")
        head = "fisher-select: waiting: runs/mine/to_label.csv: all"
        assert err.startswith(f"{head} {len(rows)} rows wait for a label ({rows[0]}, ")
        assert err.endswith("; fill them in and run again\n")
        assert not (folder / "results.json").exists()
        rounds.append(rows)
        fill(path, {row: int(truth[row]) for row in rows})
    assert len(rounds) == 3
    bought = [row for rows in rounds for row in rows]
    assert len(bought) == len(set(bought))  # nothing is asked twice, whichever run wants it
    assert 10 < len(rounds[0]) <= 20  # the first rows of two seeds
    assert not path.exists()
    assert "margin" in out
    assert call("run", "known.toml", "--out", "known", "--quiet") == (0, "", "")
    for one in (here / "known").glob("*-seed*/records.jsonl"):
        assert one.read_bytes() == (folder / one.relative_to(here / "known")).read_bytes()
    results = json.loads((folder / "results.json").read_text())
    assert results["config"]["oracle"] == {"kind": "file"}
    assert call("run", "mine.toml", "--quiet") == (0, "", "")


def test_half_a_file_is_left_as_it_is_and_nothing_runs(call: Call, here: Path) -> None:
    call("run", "mine.toml")
    path = here / "runs" / "mine" / "to_label.csv"
    rows = asked(path)
    text = path.read_text().replace(f"{rows[1]},\n", f"{rows[1]},7\n")
    path.write_text(text)
    code, out, err = call("run", "mine.toml", "--quiet")
    assert (code, out) == (3, "")
    assert f"to_label.csv: {len(rows) - 1} of {len(rows)} rows wait for a label (" in err
    assert path.read_text() == text
    assert not list((here / "runs" / "mine").glob("*/records.jsonl"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{row},10", "the label of row {row} must be an integer 0 to 9, got"),
        ("1198,3", "index must be a row of the pool, 0 to 1197, got 1198"),
        ("-1,3", "index must be a row of the pool, 0 to 1197, got -1"),
    ],
)
def test_a_wrong_line_is_bad_input(call: Call, here: Path, line: str, message: str) -> None:
    call("run", "mine.toml")
    path = here / "runs" / "mine" / "to_label.csv"
    row = asked(path)[0]
    path.write_text(f"index,label\n{line.format(row=row)}\n")
    code, out, err = call("run", "mine.toml")
    assert (code, out) == (2, "")
    assert message.format(row=row) in err
    assert path.exists()


def test_a_stratified_start_and_an_expert_exclude_each_other(call: Call, here: Path) -> None:
    text = EXPERIMENT.replace("rounds = 2", 'rounds = 2, start = "stratified"')
    (here / "mine.toml").write_text(text)
    code, _, err = call("run", "mine.toml")
    assert code == 2
    assert "start='stratified' draws by the labels that the data set has" in err


def test_answers_are_kept_and_a_row_taken_out_is_asked_for_again(tmp_path: Path) -> None:
    def made() -> ExpertFile:
        expert = ExpertFile(tmp_path, 9, LabelFormat("multi_class", 3))
        expert.collect()
        return expert

    first = made()
    for rows in ([5, 2], [2, 8]):
        with pytest.raises(LabelsNeeded, match="all 2 rows wait for a label"):
            first(np.array(rows))
    with pytest.raises(LabelsNeeded, match=r"all 3 rows wait for a label \(2, 5, 8\)"):
        first.ask()
    fill(tmp_path / "to_label.csv", {2: 0, 8: 1})
    second = made()
    assert second(np.array([8, 2])).tolist() == [1, 0]
    assert not (tmp_path / "to_label.csv").exists()
    with pytest.raises(LabelsNeeded, match=r"1 of 2 rows wait for a label \(5\)"):
        second(np.array([5, 2]))
    with pytest.raises(LabelsNeeded):
        second.ask()
    fill(tmp_path / "to_label.csv", {5: 2})
    third = made()
    assert third(np.array([5, 2, 8])).tolist() == [2, 0, 1]
    third.ask()
    assert not (tmp_path / "to_label.csv").exists()
