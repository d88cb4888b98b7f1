# SPDX-License-Identifier: Apache-2.0
"""An expert labels in a spreadsheet: the run stops, waits for a file, and goes on.

Run ``python examples/expert_file.py FOLDER``, fill the column ``label`` of
``FOLDER/to_label.csv``, run it again, and so on. ``--demo`` fills the file for you.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import fisher_select as fs
from fisher_select import datasets, training

DATA = datasets.breast_cancer()  # 427 rows to label: 0 is malignant, 1 is benign


def learner(folder: Path) -> fs.ActiveLearner:
    """A loop that knows no label: everything it was told is in `folder`."""
    return fs.ActiveLearner(
        lambda: training.mlp(inputs=30, hidden=(16,), classes=2),
        DATA,
        strategy="bait",
        batch_size=5,
        rounds=3,
        initial=10,
        trainer=training.TorchTrainer(epochs=60, threads=1),
        oracle=fs.loop.FileOracle(),
        run_dir=folder,
    )


def fill(path: Path) -> None:
    """Be the expert: write the true labels into the file."""
    rows = [int(line["index"]) for line in csv.DictReader(path.read_text().splitlines())]
    lines = ["index,label", *(f"{row},{DATA.pool_labels[row]}" for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def main(folder: Path, *, demo: bool) -> int:
    """Go on as far as the labels reach; return how many rows have been trained on."""
    labeled = 0
    while True:
        try:
            for record in learner(folder):  # reads what is finished, and goes on
                labeled = record.labeled
                print(f"{labeled:3d} labels: {record.accuracy:.1%} of the test rows right")
            return labeled
        except fs.loop.LabelsNeeded as wait:
            print(wait)
            if not demo:
                return labeled
            fill(wait.path)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--demo"]
    main(Path(words[0] if words else "runs/expert"), demo="--demo" in sys.argv)
