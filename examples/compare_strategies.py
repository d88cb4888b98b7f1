# SPDX-License-Identifier: Apache-2.0
"""Which strategy suits my data? Run several, and write a page about them.

Run ``python examples/compare_strategies.py [FOLDER]`` and open ``FOLDER/report.html``; with
``--open`` a browser does. Killed, it goes on where it was. ``fisher-select run`` does the same
from a file.
"""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

from rich.console import Console

import fisher_select as fs
from fisher_select import datasets, report, training

STRATEGIES, SEEDS = ("bait", "margin", "random"), (0, 1)


def main(folder: Path) -> Path:
    """Run three strategies with two seeds on breast cancer data; return the page."""
    data = datasets.breast_cancer()
    for strategy in STRATEGIES:
        for seed in SEEDS:
            learner = fs.ActiveLearner(
                lambda: training.mlp(inputs=30, hidden=(16,), classes=2),
                data,
                strategy=strategy,
                batch_size=5,
                rounds=4,
                initial=10,
                metrics=("accuracy", "macro_auc"),
                trainer=training.TorchTrainer(epochs=60, threads=1),
                seed=seed,
                run_dir=folder / f"{strategy}-seed{seed}",
            )
            *_, last = learner
            print(f"{strategy}, seed {seed}: {last.accuracy:.1%} at {last.labeled} labels")
    studies = report.group(report.read_runs([folder]))
    for study in studies:
        Console().print(
            report.summary_table(study, "accuracy", report.Level(0.95), plain=False)
        )
    page = folder / "report.html"
    report.write_report(page, studies)
    print(f"page: {page}")
    return page


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--open"]
    written = main(Path(words[0] if words else "runs/compare"))
    if "--open" in sys.argv:
        webbrowser.open(written.resolve().as_uri())
