# SPDX-License-Identifier: Apache-2.0
"""Labels by people in Label Studio: tasks out, best first, and annotations back, ten times.

Run it with ``python examples/adapters/label_studio.py [FOLDER]``; it takes seconds. Here a
function stands in for the annotators; with a server, import ``tasks.json`` into a project
ordered by uncertainty sampling, and export it as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from fisher_select.adapters.label_studio import ROW, read_annotations, to_tasks

ROUNDS, BATCH = 10, 20
CLASSES = [f"digit {c}" for c in range(10)]


def annotate(tasks: list[dict[str, Any]], truth: np.ndarray) -> list[dict[str, Any]]:
    """What a project with <Choices name="digit"> exports of finished tasks."""
    answers = [CLASSES[truth[task["data"][ROW]]] for task in tasks]
    return [
        {
            "data": task["data"],
            "annotations": [
                {"result": [{"from_name": "digit", "value": {"choices": [answer]}}]}
            ],
        }
        for task, answer in zip(tasks, answers, strict=True)
    ]


def main(folder: Path) -> list[float]:
    """Buy labels round by round; return the accuracy after each."""
    digits = load_digits()
    X, y = digits.data / 16, digits.target
    shown = [{"image": f"https://example.org/digits/{row}.png"} for row in range(1200)]
    labeled, labels, exported, scores = np.arange(20), y[:20], [], []
    for _ in range(ROUNDS):
        model = LogisticRegression(max_iter=300).fit(X[labeled], labels)
        scores.append(float(model.score(X[1200:], y[1200:])))
        print(f"{len(labeled):4d} labels: {scores[-1]:.1%} right")
        tasks = to_tasks(
            shown,
            "bait",
            batch_size=BATCH,
            labeled=labeled,
            features=X[:1200],
            probabilities=model.predict_proba(X[:1200]),
        )
        (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
        exported += annotate(tasks[:BATCH], y)
        (folder / "export.json").write_text(json.dumps(exported), encoding="utf-8")
        rows, found = read_annotations(folder / "export.json", classes=CLASSES)
        labeled, labels = np.append(np.arange(20), rows), np.append(y[:20], found)
    return scores


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
