# SPDX-License-Identifier: Apache-2.0
"""Experiments: what a configuration file may say; runs that compare like with like."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fisher_select import config, experiment, report
from fisher_select.experiment import Experiment, Loop
from fisher_select.strategies import Bait, Random

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

# Small in every way; "binary" keeps the reference backend quick.
TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": "digits",
    "seeds": [0, 1],
    "loop": {"initial": 10, "batch_size": 3, "rounds": 2},
    "model": {"hidden": [8]},
    "training": {"epochs": 3, "threads": 1},
    "strategies": [
        {"name": "bait", "label": "BAIT", "fisher": "binary", "backend": "reference"},
        {"name": "random"},
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """TINY with one key set, or removed when the value is ...; path "table.key" or "key"."""
    tables = copy.deepcopy(TINY)
    *parents, key = path.split(".")
    table: Any = tables
    for parent in parents:
        table = table[int(parent) if parent.isdecimal() else parent]
    if value is ...:
        del table[key]
    else:
        table[key] = value
    return tables


def test_a_file_becomes_an_experiment() -> None:
    plan = config.build(Experiment, TINY)
    assert plan.seeds == (0, 1)
    assert plan.loop == Loop(initial=10, batch_size=3, rounds=2)
    assert plan.model.hidden == (8,)
    assert (plan.training.epochs, plan.training.learning_rate) == (3, 0.01)
    assert [c.label for c in plan.strategies] == ["BAIT", "random"]
    assert plan.strategies[0].strategy == Bait(fisher="binary", backend="reference")
    assert plan.strategies[1].strategy == Random()


def test_integers_do_for_numbers() -> None:
    assert (
        config.build(Experiment, changed("training.weight_decay", 1)).training.weight_decay == 1
    )


def test_the_configuration_can_be_written_down_again() -> None:
    plan = config.build(Experiment, TINY)
    plain = plan.as_dict()
    assert plain["training"]["learning_rate"] == 0.01
    assert plain["strategies"][1] == {"label": "random", "name": "random"}
    assert plain["strategies"][0]["lam"] == 1.0
    assert plain["oracle"] == {"kind": "dataset"}
    for table in ("training", "loop"):  # TOML has no null
        plain[table] = {k: v for k, v in plain[table].items() if v is not None}
    plain["strategies"] = TINY["strategies"]
    assert config.build(Experiment, plain | {"seeds": [0, 1], "model": {"hidden": [8]}}) == plan


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("name", ..., "^missing key 'name'"),
        ("name", "a/b", "^name must be of letters, digits, _ and -, got 'a/b'"),
        ("colour", 1, "^unknown key 'colour'; known keys: name, dataset, seeds"),
        ("dataset", "moons", "^dataset must be one of breast_cancer, .* got .moons."),
        ("dataset", 3, "^dataset must be a string, got 3"),
        ("dataset", {}, r"^\[dataset\] missing key 'reader'"),
        ("dataset", {"reader": "xlsx"}, r"^\[dataset\] reader must be one of 'breast_cancer'"),
        ("dataset", {"reader": "idx"}, r"^\[dataset\] missing key 'path'"),
        ("seeds", [], "^seeds must be a list of different integers"),
        ("seeds", [1, 1], r"^seeds must be a list of different integers, got \[1, 1\]"),
        ("seeds", 3, "^seeds must be a list, got 3"),
        ("seeds", ["a"], "^each of seeds must be an integer, got 'a'"),
        ("seeds", [-1], "^seed must be at least 0, got -1"),
        ("loop", ..., "^missing key 'loop'"),
        ("loop", 3, r"^\[loop\] must be a table, got 3"),
        ("loop.rounds", ..., r"^\[loop\] missing key 'rounds'"),
        ("loop.rounds", 0, r"^\[loop\] rounds must be at least 1, got 0"),
        ("loop.rounds", 1.5, r"^\[loop\] rounds must be an integer, got 1.5"),
        ("loop.rounds", True, r"^\[loop\] rounds must be an integer, got True"),
        ("model.hidden", [], r"^\[model\] hidden must list widths of at least 1, got \[\]"),
        ("model.hidden", [8, 0], r"^\[model\] hidden must list widths"),
        ("training.epoch", 3, r"^\[training\] unknown key 'epoch'; known keys: epochs"),
        ("training.epochs", "many", r"^\[training\] epochs must be an integer, got 'many'"),
        ("training.epochs", 0, r"^\[training\] epochs must be at least 1, got 0"),
        ("training.learning_rate", "x", r"^\[training\] learning_rate must be a number"),
        ("training.learning_rate", 0, r"^\[training\] learning_rate must be positive"),
        ("loop.evaluation", -1, r"^\[loop\] evaluation must be at least 0, got -1"),
        ("loop.metrics", "nll", r"^\[loop\] metrics must be a list, got 'nll'"),
        ("model.dropout", 1.0, r"^\[model\] dropout must be at least 0 and below 1, got 1"),
        ("training.warm_start", 1, r"^\[training\] warm_start must be true or false, got 1"),
        (
            "training.class_weights",
            "even",
            r"^\[training\] class_weights must be 'balanced'",
        ),
        ("training.class_weights", [1, 0], r"^\[training\] class_weights must be positive"),
        ("training.stop_accuracy", 2, r"^\[training\] stop_accuracy must be above 0 and at"),
        ("training.minibatch", 0, r"^\[training\] minibatch must be at least 1, got 0"),
        ("loop.start", "even", r"^\[loop\] start must be one of 'random', 'stratified', got"),
        (
            "oracle",
            {"kind": "x"},
            r"^\[oracle\] kind must be one of 'dataset', 'file', got 'x'",
        ),
        ("oracle", {"path": "x"}, r"^\[oracle\] unknown key 'path'; known keys: kind"),
        ("strategies", [], "^strategies must hold at least one table"),
        ("strategies", {}, "^strategies must be a list"),
        ("strategies", [3], r"^\[\[strategies\]\] 1: must be a table, got 3"),
        ("strategies.1.name", ..., r"^\[\[strategies\]\] 2: missing key 'name'"),
        ("strategies.1.name", "best", r"^\[\[strategies\]\] 2: strategy must be one of "),
        ("strategies.1.label", 3, r"^\[\[strategies\]\] 2: label must be a string, got 3"),
        ("strategies.1.label", "Bait", "labels that differ in letters or digits, got 'BAIT'"),
        ("strategies.1.label", "?", "labels that differ in letters or digits, got '?'"),
        ("strategies.1.seed", 3, r"^\[\[strategies\]\] 2: key 'seed' is not set per strategy"),
        ("strategies.0.likelihood", "sigmoid", r"1: key 'likelihood' is not set per strategy"),
        ("strategies.0.lamb", 1.0, r"^\[\[strategies\]\] 1: .* no field 'lamb', only lam"),
        (
            "strategies.0.lam",
            -1.0,
            r"^\[\[strategies\]\] 1: lam must be greater than 0, got -1",
        ),
        ("strategies.0.fisher", "half", r"^\[\[strategies\]\] 1: fisher must be one of"),
        (
            "strategies.1.name",
            "bald",
            r"^dropout of \[model\] must be above 0 .* strategy 'bald'",
        ),
        ("strategies.0.backend", "gpu", r"^\[\[strategies\]\] 1: backend must be one of"),
    ],
)
def test_bad_keys_are_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.build(Experiment, changed(path, value))


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with pytest.raises(OSError, match=r"cannot read .*x\.toml: no such file or directory"):
        experiment.load(path)
    path.write_text("name = ")
    with pytest.raises(ValueError, match=r"x\.toml: not a TOML file: Invalid value"):
        experiment.load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"x\.toml: not a TOML file: 'utf-8' codec"):
        experiment.load(path)
    path.write_text("name = 3")
    with pytest.raises(ValueError, match=r"x\.toml: missing key 'dataset'"):
        experiment.load(path)


@pytest.mark.parametrize("path", [EXAMPLES / "digits.toml"], ids=lambda p: p.name)
def test_the_examples_are_valid(path: Path, cpu: str) -> None:
    plan = experiment.load(path)
    assert plan.name == path.stem
    assert {c.strategy.name for c in plan.strategies} >= {"bait", "random"}, cpu


def test_runs_compare_like_with_like(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    plan = config.build(Experiment, TINY)
    seen: list[tuple[str, int, int]] = []
    runs = experiment.run(
        plan, tmp_path, lambda c, seed, record: seen.append((c.label, seed, record.round))
    )
    assert [(r.label, r.seed) for r in runs] == [
        ("BAIT", 0), ("BAIT", 1), ("random", 0), ("random", 1),
    ]  # fmt: skip
    assert seen == [(r.label, r.seed, k) for r in runs for k in range(3)]
    bait, random = runs[:2], runs[2:]
    for one, other in zip(bait, random, strict=True):
        assert one.initial == other.initial
        assert one.records[0].accuracy == other.records[0].accuracy
        assert [record.labeled for record in one.records] == [10, 13, 16]
        first, second = one.records[0].selection, other.records[0].selection
        assert first is not None
        assert second is not None
        assert set(first.indices) != set(second.indices)
    assert bait[0].initial != bait[1].initial
    folders = {path.name for path in tmp_path.iterdir()}
    assert folders == {"bait-seed0", "bait-seed1", "random-seed0", "random-seed1"}


def test_a_regression_is_told_by_its_error(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    tables = changed("dataset", "diabetes")
    del tables["strategies"][0]["fisher"]
    plan = config.build(Experiment, tables)
    runs = experiment.run(plan, tmp_path)
    assert {run.metric for run in runs} == {"rmse"}
    found = report.curves(runs)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(report.results_table(found, "title"))
    assert "test rmse, mean ± standard deviation of 2 seeds" in capture.get()
    assert f"{found[0].mean[0]:.3f} ±" in capture.get()


def test_the_keys_of_the_loop_and_of_training_reach_them(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    tables = changed("loop", TINY["loop"] | {"metrics": ["macro_auc", "nll"], "evaluation": 12})
    tables["model"] |= {"dropout": 0.1}
    tables["training"] |= {
        "warm_start": True,
        "class_weights": "balanced",
        "stop_accuracy": 0.9,
        "stop_loss": 0.2,
        "validation_share": 0.3,
        "patience": 2,
    }
    tables["strategies"] = [{"name": "aeig"}, {"name": "bald"}]
    tables["seeds"] = [0]
    runs = experiment.run(config.build(Experiment, tables), tmp_path)
    assert [run.metric for run in runs] == ["macro_auc", "macro_auc"]
    assert list(runs[0].records[0].metrics) == ["macro_auc", "nll"]
    written = json.loads((tmp_path / "aeig-seed0" / "config.json").read_text())
    assert len(written["evaluation"]) == 12
    assert tables["training"].items() <= written["trainer"].items()
    assert "Dropout(p=0.1" in written["trainer"]["model"]


def test_the_digits_are_split_once_and_for_all() -> None:
    pytest.importorskip("sklearn")
    from fisher_select import datasets

    first, second = datasets.load("digits"), datasets.load("digits")
    assert first.pool_inputs.shape == (1198, 64)
    assert first.test_inputs.shape == (599, 64)
    assert (first.pool_inputs.min(), first.pool_inputs.max()) == (0, 1)
    assert (first.pool_inputs == second.pool_inputs).all()
    assert set(first.test_labels) == set(range(10))
    with pytest.raises(ValueError, match="unknown data set 'moons'; available: breast_cancer"):
        datasets.load("moons")
