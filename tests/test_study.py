# SPDX-License-Identifier: Apache-2.0
"""Runs read back and compared: the numbers are those of the files, by hand."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from run_folders import change_config, cut, records_of, run_loops

from fisher_select import report
from fisher_select.datasets import Dataset
from fisher_select.report import Level, Study, group, read_runs, summarize


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_loops(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(finished, tmp_path / "runs"))


def only(folder: Path) -> Study:
    (study,) = group(read_runs([folder]))
    return study


def accuracies(folder: Path, strategy: str) -> np.ndarray:
    """[seeds, rounds] from the files."""
    return np.array(
        [
            [line["metrics"]["accuracy"] for line in records_of(folder / f"{strategy}-seed{k}")]
            for k in range(3)
        ]
    )


# ------------------------------------------------------------------------------- the numbers
def test_runs_are_found_below_a_folder_or_one_by_one(finished: Path) -> None:
    runs = read_runs([finished])
    assert [(run.label, run.seed) for run in runs] == [
        ("margin", 0), ("margin", 1), ("margin", 2),
        ("random", 0), ("random", 1), ("random", 2),
    ]  # fmt: skip
    assert all(run.finished for run in runs)
    again = read_runs([finished / "margin-seed1", finished, finished / "margin-seed1"])
    assert [run.path.name for run in again] == [run.path.name for run in runs]


def test_a_folder_of_another_name_is_called_by_its_strategy(folder: Path) -> None:
    (folder / "random-seed0").rename(folder / "mine")
    (run,) = read_runs([folder / "mine"])
    assert run.label == "random"


def test_the_summary_is_that_of_the_files(finished: Path) -> None:
    study = only(finished)
    assert study.name == "blobs, 4 labels + 2 a round"
    assert study.notes == ()
    np.testing.assert_array_equal(study.labeled, [4, 6, 8, 10, 12, 14])
    rows = {row.strategy: row for row in summarize(study, "accuracy", Level(0.9))}
    best = max(accuracies(finished, name).mean(axis=0).max() for name in rows)
    for name, row in rows.items():
        found = accuracies(finished, name)
        assert row.seeds == 3
        assert row.final == pytest.approx(found[:, -1].mean())
        assert row.final_deviation == pytest.approx(np.std(found[:, -1], ddof=1))
        areas = [(v[0] / 2 + sum(v[1:-1]) + v[-1] / 2) / 5 for v in found]
        assert row.area == pytest.approx(np.mean(areas))
        assert row.area_deviation == pytest.approx(np.std(areas, ddof=1))
        enough = [4 + 2 * k for k, mean in enumerate(found.mean(axis=0)) if mean >= 0.9 * best]
        assert row.labels == (enough[0] if enough else None)
        assert row.select_seconds is not None
        assert row.select_seconds > 0
    areas = [row.area for row in summarize(study, "accuracy", Level())]
    assert areas == sorted(areas, reverse=True)
    errors = [row.area for row in summarize(study, "nll", Level())]
    assert errors == sorted(errors)


def test_a_level_may_be_a_share_of_a_given_score(finished: Path) -> None:
    study = only(finished)
    assert Level(0.5, score=0.8).value(study, "accuracy") == pytest.approx(0.4)
    assert Level(0.5, score=0.8).in_words(study, "accuracy") == "50 % of 80.0: 40.0"
    impossible = summarize(study, "accuracy", Level(1.0, score=2.0))
    assert {row.labels for row in impossible} == {None}
    with pytest.raises(ValueError, match="level must be above 0 and at most 1, got 2"):
        Level(2)
    with pytest.raises(ValueError, match="score must be a finite number, got inf"):
        Level(0.5, score=float("inf"))


def test_class_counts_are_those_of_the_bought_labels(finished: Path) -> None:
    expected = np.zeros((6, 3))
    for seed in range(3):
        run = finished / f"random-seed{seed}"
        with (run / "labels.csv").open() as stream:
            labels = {int(r["index"]): int(r["label"]) for r in csv.DictReader(stream)}
        rows = list(labels)[:4]  # bought first
        for k, line in enumerate(records_of(run)):
            for row in rows:
                expected[k, labels[row]] += 1 / 3
            if line["selection"] is not None:
                rows += line["selection"]["indices"]
    found = only(finished).class_counts("random")
    assert found is not None
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found.sum(axis=1), [4, 6, 8, 10, 12, 14])


def test_scores_are_paired_by_seed_with_random_as_the_baseline(finished: Path) -> None:
    scores = only(finished).scores("accuracy")
    assert scores.baseline == "random"
    assert scores.batch_size == 2
    np.testing.assert_array_equal(scores.values["margin"][1], accuracies(finished, "margin")[1])


def test_labels_that_do_not_exclude_each_other_are_counted_one_by_one(tmp_path: Path) -> None:
    study = only(run_loops(tmp_path, ("random",), (0,)))
    run = study.runs[0]
    both = {row: np.array([1, label == 2]) for row, label in run.labels.items()}
    config = run.config | {"dataset": run.config["dataset"] | {"task": "multi_label"}}
    changed = report.StoredRun(run.path, run.label, config, run.records, both)
    counts = Study(study.name, (changed,), ()).class_counts("random")
    assert counts is not None
    np.testing.assert_array_equal(counts[:, 0], study.labeled)
    single = study.class_counts("random")
    assert single is not None
    np.testing.assert_array_equal(counts[:, 1], single[:, 2])


# ------------------------------------------------------------------- what may not be compared
def test_other_data_or_batches_are_another_study(finished: Path, tmp_path: Path) -> None:
    run_loops(tmp_path / "large", batch_size=3)
    pool = np.random.default_rng(1).standard_normal((20, 2))
    other = Dataset("other", pool, np.arange(20) % 3, pool, np.arange(20) % 3, classes=3)
    run_loops(tmp_path / "other", data=other)
    names = [study.name for study in group(read_runs([finished, tmp_path]))]
    assert names == [
        "blobs, 4 labels + 2 a round",
        "blobs, 4 labels + 3 a round",
        "other, 4 labels + 2 a round",
    ]


def test_studies_of_the_same_name_are_numbered(folder: Path) -> None:
    for seed in range(3):
        change_config(folder / f"margin-seed{seed}", trainer={"model": "another"})
    names = [study.name for study in group(read_runs([folder]))]
    assert names == ["blobs, 4 labels + 2 a round (1)", "blobs, 4 labels + 2 a round (2)"]


def test_threads_do_not_tell_runs_apart(folder: Path) -> None:
    trainer = read_runs([folder])[0].config["trainer"]
    change_config(folder / "margin-seed0", trainer=trainer | {"threads": 7})
    assert len(group(read_runs([folder]))) == 1


def test_unfinished_runs_are_left_out_and_named(folder: Path) -> None:
    cut(folder / "margin-seed2", 3)
    study = only(folder)
    assert len(study.runs) == 5
    assert study.notes == ("Unfinished runs are left out: margin seed 2 (3 of 6).",)


def test_where_none_is_finished_all_are_taken_as_far_as_they_got(folder: Path) -> None:
    for rounds, run in enumerate(sorted(folder.iterdir()), start=2):
        cut(run, min(rounds, 5))
    study = only(folder)
    np.testing.assert_array_equal(study.labeled, [4, 6])
    assert study.notes[0].startswith("No run has finished: margin seed 0 (2 of 6), margin")
    assert study.notes[1] == (
        "Runs differ in length: all are shown up to 6 labels, the longest goes to 12."
    )
    assert study.select_seconds("margin").shape == (3, 1)


def test_one_seed_is_said(folder: Path) -> None:
    study = only(run_loops(folder / "single", seeds=(0,)))
    assert study.notes == ("One seed a strategy: no band, and no test of who is better.",)


def test_one_name_for_two_strategies_gets_the_options_that_differ(folder: Path) -> None:
    for name, lam in (("one", 1.0), ("two", 0.5)):
        run = Path(shutil.copytree(folder / "margin-seed0", folder / name / "bait-seed0"))
        change_config(run, strategy={"name": "bait", "lam": lam, "oversample": 2.0})
    labels = [run.label for run in only(folder).runs]
    assert [label for label in labels if label.startswith("bait")] == [
        "bait (lam=1.0)",
        "bait (lam=0.5)",
    ]


def test_the_same_run_twice_is_refused(folder: Path) -> None:
    shutil.copytree(folder / "margin-seed0", folder / "copy" / "margin-seed0")
    with pytest.raises(ValueError, match=r"two runs of margin with seed 0: .*seed0 and "):
        only(folder)


# --------------------------------------------------------------------------------- bad files
def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot read .*nowhere: no such directory"):
        read_runs([tmp_path / "nowhere"])
    with pytest.raises(
        ValueError, match=r"no run directory with records\.jsonl, here or below"
    ):
        read_runs([tmp_path])
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot read .*file: not a directory"):
        read_runs([tmp_path / "file"])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, r"cannot read .*config\.json: no such file"),
        ("config.json", "{", r"config\.json: not a JSON file"),
        ("config.json", "[]", r"not a run's configuration: dataset\.name is None"),
        ("records.jsonl", "", r"records\.jsonl holds no round"),
        ("records.jsonl", "{}\n", r"records\.jsonl and timings\.jsonl are not those of a run"),
        ("timings.jsonl", "", r"records\.jsonl and timings\.jsonl are not those of a run"),
        ("labels.csv", None, r"cannot read .*labels\.csv: no such file"),
        ("labels.csv", "index,label\n", r"labels\.csv lacks row \d+, which was bought"),
        ("labels.csv", "index,label\n1,9\n", "the label of row 1 must be an integer 0 to 2"),
    ],
)
def test_damaged_files_are_named(
    folder: Path, file: str, content: str | None, message: str
) -> None:
    path = folder / "margin-seed0" / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises((OSError, ValueError), match=message):
        read_runs([folder])


def test_records_have_to_agree_with_the_configuration(folder: Path) -> None:
    run = folder / "margin-seed0"
    change_config(run, metrics=["accuracy", "rmse"])
    with pytest.raises(ValueError, match=r"round 0 of records\.jsonl has no number for 'rmse'"):
        read_runs([run])
    lines = (run / "records.jsonl").read_text()
    (run / "records.jsonl").write_text(lines.replace('"metrics": {', '"metrics": 3, "was": {'))
    with pytest.raises(ValueError, match=r"round 0 of records\.jsonl has no number for 'acc"):
        read_runs([run])
    (run / "records.jsonl").write_text(lines)
    change_config(run, metrics=[])
    with pytest.raises(ValueError, match=r"not a run's configuration: metrics is \[\]"):
        read_runs([run])
    change_config(run, metrics=["accuracy"], initial=[0, 1, 2])
    with pytest.raises(ValueError, match=r"round 0 .* has 4 labels, but 3 rows were picked"):
        read_runs([run])


def test_reading_leaves_a_run_as_it_is(folder: Path) -> None:
    (folder / "margin-seed0" / ".records-0123abcd.jsonl").write_text("half")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    read_runs([folder])
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
