# SPDX-License-Identifier: Apache-2.0
"""Protocol files and the suite that runs them: checked without data, resumed after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package

from benchmarks.suite import __main__ as suite  # noqa: E402
from benchmarks.suite.bayes_risk import bayes_risk, pool  # noqa: E402
from benchmarks.suite.protocol import (  # noqa: E402
    Comparison,
    Protocol,
    Risk,
    check_data,
    load,
    located,
)
from benchmarks.suite.runner import Outcome  # noqa: E402
from benchmarks.suite.summary import summarize  # noqa: E402

FILES = sorted(suite.PROTOCOLS.glob("*.toml"))

TINY = """
name = "tiny"
source = "no paper"
departures = "all"
dataset = "digits"
seeds = [0, 1]
[loop]
initial = 20
batch_size = 10
rounds = 4
metrics = ["accuracy", "nll"]
[model]
kind = "linear"
[training]
epochs = 40
threads = 1
[[strategies]]
name = "margin"
[[strategies]]
name = "random"
[quick.loop]
rounds = 2
"""


def write(folder: Path, text: str = TINY) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


# ------------------------------------------------------------------------------ the files
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("quick", [False, True])
def test_every_protocol_is_checked_without_its_data(path: Path, quick: bool) -> None:
    protocol = located(load(path, quick=quick), Path("nowhere"))
    assert protocol.name == path.stem
    assert "random" in [candidate.label for candidate in protocol.plan.strategies]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_quick_size_is_smaller(path: Path) -> None:
    assert load(path, quick=True) != load(path)


def test_missing_data_says_which_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = suite.main(["bait_figure_4", "--data", str(tmp_path), "--out", str(tmp_path / "o")])
    assert code == 2
    error = capsys.readouterr().err
    assert f"protocol bait_figure_4: {tmp_path / 'mnist'} is not there" in error
    assert "--data" in error
    assert "FISHER_SELECT_DATA" in error
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "no paper"', "", "tiny.toml: missing key 'source'"),
        ('source = "no paper"', 'source = " "', "source must not be empty"),
        (
            'dataset = "digits"',
            'dataset = "digits"\nreach = 1.5',
            "reach must be between 0 and",
        ),
        (
            'dataset = "digits"',
            'kind = "x"',
            "kind must be 'comparison' or 'bayes_risk', got 'x'",
        ),
        ("[quick.loop]\nrounds = 2", "", r"\[quick\] must be a table of sizes for two cores"),
        (
            "[quick.loop]\nrounds = 2",
            "[quick.loop]\nround = 2",
            r"\[loop\] unknown key 'round'",
        ),
        ('kind = "linear"', 'kind = "tree"', r"\[model\] kind must be one of 'mlp'"),
        ('kind = "linear"', 'kind = "linear"\nhidden = [3]', "hidden is of kind 'mlp'"),
        (
            "[model]",
            '[oracle]\nkind = "file"\n[model]',
            r"\[oracle\] kind must be 'dataset': a protocol waits for no expert",
        ),
        (
            'kind = "linear"',
            'kind = "linear"\ndropout = 0.1',
            "dropout must be 0 for kind 'lin",
        ),
        (
            'kind = "linear"',
            'kind = "resnet"\nblocks = []',
            "width and blocks must be at least",
        ),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TINY
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path, TINY.replace(old, new)))


def test_a_bayes_risk_has_no_share_to_reach(tmp_path: Path) -> None:
    text = (suite.PROTOCOLS / "bait_figure_2.toml").read_text()
    with pytest.raises(ValueError, match="reach is of kind 'comparison'"):
        load(write(tmp_path, f"reach = 0.9\n{text}"))


def test_a_bayes_risk_takes_no_strategy_of_models(tmp_path: Path) -> None:
    text = (suite.PROTOCOLS / "bait_figure_2.toml").read_text()
    with pytest.raises(ValueError, match="'margin' needs probabilities"):
        load(write(tmp_path, text.replace('name = "random"', 'name = "margin"')))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--seeds", "1", "1"], "seeds must be a list of different integers"),
        (["digits"], "is given twice"),
    ],
)
def test_a_bad_command_is_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite.main(["digits", *words, "--out", str(tmp_path / "o")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


# ------------------------------------------------------------------------------- the runs
def command(path: Path, out: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.suite", str(path), "--out", str(out), *words]


def records(out: Path) -> dict[str, str]:
    found = {path.parent.name: path for path in (out / "tiny").glob("*/records.jsonl")}
    return {name: path.read_text() for name, path in found.items()}


@pytest.mark.slow
def test_a_killed_suite_goes_on_to_the_same_results(tmp_path: Path) -> None:
    path, whole, cut = write(tmp_path), tmp_path / "whole", tmp_path / "cut"
    done = subprocess.run(
        command(path, whole, "--jobs", "2"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("[1/4] tiny ")
    assert " at 60 labels, " in lines[0]

    with subprocess.Popen(command(path, cut, "--seeds", "0", "1"), cwd=ROOT) as child:
        _wait_for(cut / "tiny" / "margin-seed0" / "records.jsonl")
        child.send_signal(signal.SIGKILL)
    _wait_for_worker(cut)
    assert not (cut / "tiny.json").exists()
    subprocess.run(command(path, cut), cwd=ROOT, capture_output=True, check=True)
    assert records(cut) == records(whole)
    assert len(records(cut)) == 4
    results = [json.loads((out / "tiny.json").read_text()) for out in (whole, cut)]
    for name in ("strategies", "level", "seeds", "source"):
        assert _timeless(results[0][name]) == _timeless(results[1][name])


def _wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written within 30 s")


def _wait_for_worker(out: Path) -> None:
    """The worker of a killed suite ends with it."""
    for lock in (out / "tiny").glob("*/run.lock"):
        worker = int(lock.read_text() or 0)
        for _ in range(600):
            if not worker or not _runs(worker):
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the worker outlived the suite")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def _timeless(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {k: v for k, v in entry.items() if "seconds" not in k}
        if isinstance(entry, dict)
        else entry
        for entry in value
    ]


@pytest.mark.slow
def test_the_whole_pool_gives_the_level_to_reach(tmp_path: Path) -> None:
    text = TINY.replace("seeds = [0, 1]", "seeds = [0]\nreach = 0.5")
    out = tmp_path / "out"
    subprocess.run(
        command(write(tmp_path, text), out, "--quick", "--results", str(tmp_path / "kept")),
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    result = json.loads((out / "tiny.json").read_text())
    assert result == json.loads((tmp_path / "kept" / "tiny.json").read_text())
    assert result["level"] == pytest.approx(0.5 * result["full_data"][0], abs=1e-5)
    assert [s["strategy"] for s in result["strategies"]] == ["margin", "random"]
    for strategy in result["strategies"]:
        assert strategy["labeled"] == [20, 30, 40]
        assert sum(strategy["labels_per_class"]) == pytest.approx(40)
        assert strategy["labels_to_level"] in (20, 30, 40, None)
    line = (out / "tiny" / "full-data-seed0" / "records.jsonl").read_text()
    assert json.loads(line)["labeled"] == 1198


@pytest.mark.slow
def test_a_failed_run_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    spoiled = out / "tiny" / "margin-seed0"
    spoiled.mkdir(parents=True)
    (spoiled / "config.json").write_text('{"other": 1}')
    done = subprocess.run(
        command(write(tmp_path), out, "--seeds", "0"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "tiny margin seed 0: FAILED:" in done.stderr
    assert "another configuration" in done.stderr
    assert "tiny random seed 0: accuracy" in done.stdout
    assert not (out / "tiny.json").exists()


# -------------------------------------------------------------------------- Bayes risk
def test_the_bayes_risk_is_the_mean_error_of_the_posterior_mean() -> None:
    plan = _risk(load(suite.PROTOCOLS / "bait_figure_3.toml", quick=True))
    X, picked, lam = pool(plan, 0)[:60, :5], np.arange(0, 30, 3), 2.0
    generator = np.random.default_rng(0)
    w = generator.standard_normal((5, 20_000)) / np.sqrt(lam)
    y = X[picked] @ w + generator.standard_normal((len(picked), 20_000))
    mean = np.linalg.solve(lam * np.eye(5) + X[picked].T @ X[picked], X[picked].T @ y)
    drawn = ((X @ (mean - w)) ** 2).mean(axis=0)
    expected = drawn.mean()
    error = drawn.std() / np.sqrt(drawn.size)
    assert bayes_risk(X, picked, lam) == pytest.approx(expected, abs=4 * error)


def test_bait_has_the_lowest_risk_and_random_the_highest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    names = ["bait_figure_2", "bait_figure_3"]
    before = dict(os.environ)
    for _ in range(2):  # the second time out of the files
        assert suite.main([*names, "--quick", "--out", str(out), "--seeds", "0"]) == 0
    assert dict(os.environ) == before
    for name in names:
        result = json.loads((out / f"{name}.json").read_text())
        assert result["lower_is_better"]
        final = {s["strategy"]: s["values"][0][-1] for s in result["strategies"]}
        assert min(final.values()) in (final["bait"], final["bait_forward"])
        assert final["bait"] < final["random"]


def _risk(protocol: Protocol) -> Any:
    assert isinstance(protocol, Risk)
    return protocol.plan


# ----------------------------------------------------------------------------- summaries
def outcome(label: str, seed: int, values: list[float]) -> Outcome:
    counts = ((1, 1), (3, 1), (4, 2))
    return Outcome(label, seed, (2, 4, 6), {"accuracy": tuple(values)}, counts, 1.0, 0.5)


def test_a_summary_by_hand() -> None:
    protocol = load(suite.PROTOCOLS / "digits.toml", quick=True)
    assert isinstance(protocol, Comparison)
    labels = [candidate.label for candidate in protocol.plan.strategies]
    outcomes = [
        outcome(label, seed, [0.2, 0.4, 0.5] if label == "random" else [0.2, 0.5, 0.7 + seed])
        for seed in (1, 0)
        for label in labels
    ]
    found = summarize(protocol, outcomes, {"command": "c"})
    assert found["level"] == 0.5
    assert found["full_data"] == []
    first, last = found["strategies"][0], found["strategies"][-1]
    assert first["values"] == [[0.2, 0.5, 0.7], [0.2, 0.5, 1.7]]  # seeds in order
    assert first["mean"]["accuracy"] == [0.2, 0.5, 1.2]
    assert first["deviation"]["accuracy"][-1] == pytest.approx(np.sqrt(0.5), abs=1e-5)
    assert first["area"]["mean"] == pytest.approx((0.475 + 0.725) / 2)
    assert (first["labels_to_level"], last["labels_to_level"]) == (4, 6)
    assert first["labels_per_class"] == [4.0, 2.0]
    assert (first["train_seconds"], first["select_seconds"]) == (2.0, 1.0)


def test_paths_are_taken_from_the_data_folder(tmp_path: Path) -> None:
    protocol = located(load(suite.PROTOCOLS / "ecg5000.toml"), tmp_path)
    assert isinstance(protocol, Comparison)
    spec = protocol.plan.dataset
    assert not isinstance(spec, str)
    assert spec.options["test_path"] == str(tmp_path / "ecg" / "ECG5000_TEST.npy")
    (tmp_path / "ecg").mkdir()
    (tmp_path / "ecg" / "ECG5000_TRAIN.ts").touch()
    with pytest.raises(FileNotFoundError, match=r"ecg5000: .*ECG5000_TEST\.npy is not there"):
        check_data(protocol)
