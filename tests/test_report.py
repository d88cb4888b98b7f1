# SPDX-License-Identifier: Apache-2.0
"""The report: numbers that are those of the records, a picture, and JSON that reads back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from fisher_select import config, report
from fisher_select.experiment import Experiment, Run
from fisher_select.records import RoundRecord, Timing

ACCURACY = {"BAIT": [[0.5, 0.9], [0.7, 1.0]], "[random]": [[0.5, 0.7], [0.7, 0.7]]}


def runs(accuracy: dict[str, list[list[float]]] = ACCURACY) -> list[Run]:
    return [
        Run(
            label=label,
            seed=seed,
            folder=f"{label}-seed{seed}",
            initial=(3, 1),
            metric="accuracy",
            records=tuple(
                RoundRecord(k, 10 * (k + 1), {"accuracy": value}, None, Timing(2.0, 0.5, 0.25))
                for k, value in enumerate(values)
            ),
        )
        for label, seeds in accuracy.items()
        for seed, values in enumerate(seeds)
    ]


def printed(found: list[report.Curve]) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(report.results_table(found, "title"))
    return capture.get()


def test_curves_are_means_and_standard_deviations() -> None:
    bait, random = report.curves(runs())
    assert bait.label == "BAIT"
    assert bait.labeled.tolist() == [10, 20]
    np.testing.assert_allclose(bait.mean, [0.6, 0.95])
    np.testing.assert_allclose(bait.band, [np.sqrt(0.02), np.sqrt(0.005)])
    np.testing.assert_allclose(random.band, [np.sqrt(0.02), 0], atol=1e-15)
    assert (bait.train_seconds, bait.select_seconds) == (8.0, 1.0)


def test_one_seed_has_no_band() -> None:
    (curve,) = report.curves(runs({"BAIT": [[0.5, 0.75]]}))
    assert curve.band.tolist() == [0, 0]
    text = printed([curve])
    assert "75.0" in text
    assert "±" not in text
    assert "test accuracy in %, 1 seed" in text


def test_the_table_holds_every_round_and_the_whole() -> None:
    lines = [
        line.strip("│ ").split("│") for line in printed(report.curves(runs())).splitlines()
    ]
    rows = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}
    assert rows["10"] == ["60.0 ± 14.1", "60.0 ± 14.1"]
    assert rows["20"] == ["95.0 ± 7.1", "70.0 ± 0.0"]
    assert rows["all rounds"] == ["77.5 ± 10.6", "65.0 ± 7.1"]
    assert rows["training"] == ["8.0 s", "8.0 s"]
    assert rows["selection"] == ["1.0 s", "1.0 s"]


def test_labels_are_no_markup() -> None:
    assert "[random]" in printed(report.curves(runs()))


@pytest.mark.parametrize("rounds", [2, 40])
def test_the_picture_is_a_png_of_print_quality(tmp_path: Path, rounds: int) -> None:
    pytest.importorskip("matplotlib")
    rising = np.linspace(0.1, 0.9, rounds).tolist()
    found = report.curves(runs({"BAIT": [rising, rising], "$": [rising, rising]}))
    report.draw_learning_curve(tmp_path / "curve.png", found, "title")
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]
    content = (tmp_path / "curve.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20]) >= 1200  # pixels across


def test_the_results_read_back(tmp_path: Path) -> None:
    for package in ("torch", "sklearn"):
        pytest.importorskip(package)
    tables: dict[str, Any] = {
        "name": "tiny",
        "dataset": "digits",
        "seeds": [0, 1],
        "loop": {"initial": 2, "batch_size": 3, "rounds": 1},
        "model": {"hidden": [8]},
        "training": {},
        "strategies": [{"name": "random", "label": "BAIT"}],
    }
    plan = config.build(Experiment, tables)
    path = tmp_path / "results.json"
    report.write_results(path, plan, runs(), command="fisher-select run x", seconds=1.5)
    results = json.loads(path.read_text())
    assert results["command"] == "fisher-select run x"
    assert results["seconds"] == 1.5
    assert tables["loop"].items() <= results["config"]["loop"].items()
    assert {"fisher_select", "numpy", "torch"} <= set(results["versions"])
    assert [(r["strategy"], r["seed"]) for r in results["runs"]] == [
        (run.label, run.seed) for run in runs()
    ]
    assert results["runs"][0]["initial"] == [3, 1]
    assert results["runs"][0]["records"][1] == {
        "round": 1,
        "labeled": 20,
        "accuracy": 0.9,
        "train_seconds": 2.0,
        "evaluate_seconds": 0.5,
        "select_seconds": 0.25,
    }
    assert results["summary"][0]["mean_accuracy"] == pytest.approx([0.6, 0.95])
