# SPDX-License-Identifier: Apache-2.0
"""Tasks for Label Studio and the annotations it exports, as the JSON that it documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hosts
import numpy as np
import pytest

import fisher_select as fs
from fisher_select import strategies
from fisher_select.adapters.label_studio import ROW, read_annotations, to_tasks

N = 60
LABELED = np.arange(0, N, 3)
FREE = np.setdiff1d(np.arange(N), LABELED)
CLASSES = tuple(f"digit {c}" for c in range(10))


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    X, y = hosts.digits(N)
    P = hosts.logistic().fit(X[LABELED], y[LABELED]).predict_proba(X)
    return {"features": X, "probabilities": P, "data": X}


def shown() -> list[dict[str, str]]:
    return [{"image": f"https://example.org/{row}.png"} for row in range(N)]


def choice(*names: str, control: str = "digit") -> dict[str, Any]:
    """A result of Label Studio's <Choices>."""
    return {
        "from_name": control,
        "to_name": "image",
        "type": "choices",
        "value": {"choices": list(names)},
    }


def exported(row: int, *annotations: Any) -> dict[str, Any]:
    """A task of an export, an annotation for each list of results."""
    made = [
        {"id": i, "was_cancelled": False, "result": results}
        for i, results in enumerate(annotations)
    ]
    return {"id": row + 7, "data": {"image": "x", ROW: row}, "annotations": made}


@pytest.mark.parametrize("name", hosts.PLAIN)
def test_tasks_are_in_the_order_of_the_picks(name: str, arrays: Any) -> None:
    strategy = hosts.strategy(name)
    needs = {k: arrays[k] for k in strategy.needs}
    tasks = to_tasks(shown(), strategy, batch_size=7, labeled=LABELED, **needs)
    picks = strategy.select(batch_size=7, labeled=LABELED, **needs)
    rows = [task["data"][ROW] for task in tasks]
    assert rows[:7] == picks.indices.tolist()
    assert sorted(rows) == FREE.tolist()
    scores = [task["predictions"][0]["score"] for task in tasks]
    np.testing.assert_allclose(scores, np.arange(len(FREE)) / len(FREE))
    assert tasks[0]["data"]["image"] == f"https://example.org/{rows[0]}.png"
    assert tasks[0]["predictions"][0]["result"] == []
    json.dumps(tasks, allow_nan=False)


def test_bait_is_fs_bait(arrays: Any) -> None:
    X, P, _ = arrays.values()
    bait = strategies.get("bait", lam=0.1)
    tasks = to_tasks(shown(), bait, batch_size=9, labeled=LABELED, features=X, probabilities=P)
    picks = fs.bait(X, P, labeled=LABELED, batch_size=9, lam=0.1)
    assert [task["data"][ROW] for task in tasks[:9]] == picks.indices.tolist()


def test_zero_labels_and_a_clipped_batch(arrays: Any) -> None:
    X = arrays["features"]
    tasks = to_tasks(shown(), "k_center", batch_size=3, features=X)
    assert tasks[0]["data"][ROW] == fs.k_center(X, batch_size=1).indices[0]
    with pytest.warns(UserWarning, match="only 60 unlabelled rows are left of the 99 asked"):
        assert len(to_tasks(shown(), "k_center", batch_size=99, features=X)) == N
    with pytest.raises(ValueError, match="no unlabelled row is left to pick"):
        to_tasks(shown(), "k_center", batch_size=1, labeled=np.arange(N), features=X)
    with pytest.raises(TypeError, match="takes no array 'weight'"):
        to_tasks(shown(), "k_center", batch_size=1, weight=X)


def test_a_loop_of_ten_rounds_learns(tmp_path: Path) -> None:
    X, y = hosts.digits(400)
    labels, scores, export = dict(enumerate(y[:10].tolist())), [], []
    for _ in range(10):
        rows = np.array(sorted(labels))
        model = hosts.logistic().fit(X[rows], [labels[row] for row in rows.tolist()])
        scores.append(model.score(X[300:], y[300:]))
        tasks = to_tasks(
            [{"image": str(row)} for row in range(300)],
            "bait",
            batch_size=10,
            labeled=rows,
            features=X[:300],
            probabilities=model.predict_proba(X[:300]),
        )
        for task in tasks[:10]:
            row = task["data"][ROW]
            export.append(exported(row, [choice(CLASSES[y[row]])]))
        path = tmp_path / "export.json"
        path.write_text(json.dumps(export), encoding="utf-8")
        found, classes = read_annotations(path, classes=CLASSES)
        np.testing.assert_array_equal(classes, y[found])
        labels |= dict(zip(found.tolist(), classes.tolist(), strict=True))
    assert len(labels) == 110
    assert scores[-1] > max(scores[0], 0.8)


def test_unfinished_tasks_are_left_out() -> None:
    skipped = exported(4, [])
    skipped["annotations"][0]["was_cancelled"] = True
    rows, labels = read_annotations(
        [exported(9, [choice(CLASSES[3])]), skipped, exported(2)], classes=CLASSES
    )
    assert (rows.tolist(), labels.tolist()) == ([9], [3])
    rows, labels = read_annotations([], classes=CLASSES, task="multi_label")
    assert (len(rows), labels.shape) == (0, (0, 10))


def test_several_choices_and_numbers() -> None:
    both = [choice(CLASSES[4], CLASSES[1])]
    rows, labels = read_annotations(
        [exported(5, both), exported(3, [])], classes=CLASSES, task="multi_label"
    )
    assert rows.tolist() == [3, 5]
    assert labels.sum(axis=1).tolist() == [0, 2]
    assert labels[1, [1, 4]].tolist() == [1, 1]
    number = {"from_name": "n", "to_name": "image", "type": "number", "value": {"number": 2.5}}
    rows, values = read_annotations([exported(8, [number])], task="regression")
    assert (rows.tolist(), values.tolist()) == ([8], [2.5])


def test_one_control_of_several() -> None:
    results = [choice(CLASSES[1]), choice("blurred", control="quality")]
    rows, labels = read_annotations([exported(0, results)], classes=CLASSES, from_name="digit")
    assert (rows.tolist(), labels.tolist()) == ([0], [1])


@pytest.mark.parametrize(
    ("export", "message"),
    [
        ([exported(6, [choice("a cat")])], "row 6: 'a cat' is none of the classes"),
        ([exported(6, [choice(*CLASSES[:2])])], "row 6: one choice wanted, got"),
        (
            [exported(6, [choice(CLASSES[0])], [choice(CLASSES[1])])],
            "row 6: annotators disagree, 0 and 1",
        ),
        ([{"data": {"image": "x"}, "annotations": []}], "task 0 must have annotations and"),
        ([{"data": {ROW: 3}}], "task 0 must have annotations and"),
        ([3], "task 0 must have annotations and"),
        ({"tasks": []}, "must be a list of tasks, got dict"),
    ],
)
def test_bad_exports(export: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_annotations(export, classes=CLASSES)
    path = tmp_path / "export.json"
    path.write_text(json.dumps(export), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_annotations(path, classes=CLASSES)


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    with pytest.raises(OSError, match=r"cannot read .*no such file"):
        read_annotations(path, classes=CLASSES)
    path.write_text("<xml>", encoding="utf-8")
    with pytest.raises(ValueError, match="not JSON"):
        read_annotations(path, classes=CLASSES)
    with pytest.raises(ValueError, match="task must be one of"):
        read_annotations([], task="boxes")


def test_label_studios_own_check_takes_them(arrays: Any) -> None:
    pytest.importorskip("jsonschema")  # of label_studio_sdk's own needs
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    names = "".join(f'<Choice value="{name}"/>' for name in CLASSES)
    config = interface(
        '<View><Image name="image" value="$image"/>'
        f'<Choices name="digit" toName="image">{names}</Choices></View>'
    )
    tasks = to_tasks(shown(), "k_center", batch_size=3, features=arrays["features"])
    assert config.validate_task({"data": tasks[0]["data"]})
    assert config.validate_prediction(tasks[0]["predictions"][0])
    assert config.validate_annotation(exported(0, [choice(CLASSES[2])])["annotations"][0])
