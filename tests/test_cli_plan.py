# SPDX-License-Identifier: Apache-2.0
"""The command `plan`, and the line with the plan that `select` begins with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import Call

import fisher_select as fs
from fisher_select.quantities import duration, scaled

SIZE = ("--rows", 4000, "--features", 30, "--classes", 8)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with the same sizes in files."""
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", np.zeros((4000, 30), np.float32))
    np.savez("P.npz", probabilities=np.full((4000, 8), 0.125))
    np.save("known.npy", np.arange(10))


def facts(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if line)
    return {line[:14].strip(): line[15:] for line in lines}


def sizes(text: str) -> list[str]:
    """What does not depend on how fast the machine was."""
    return [line for line in text.splitlines() if not line.startswith("expected time")]


def test_it_says_what_the_function_returns(call: Call) -> None:
    code, out, err = call("plan", *SIZE, "--batch", 20)
    found = fs.plan((4000, 30), (4000, 8), batch_size=20)
    assert (code, err) == (0, "")
    told = facts(out)
    assert told["mode"] == "fisher='full'"
    assert told["parameters"] == "210"
    assert told["memory"].startswith(f"{scaled(found.bytes)}B beyond the inputs: matrices ")
    assert told["operations"] == f"{scaled(found.flops)}flop"
    assert [part.split()[0] for part in told["expected time"].split(": ")[1].split(", ")] == [
        "fisher", "setup", "forward", "backward",
    ]  # fmt: skip
    assert "memory limit" not in told


@pytest.mark.parametrize(
    "words",
    [
        ("X.npy", "--probs", "P.npz", "--labeled", "known.npy"),
        ("X.npy", "--classes", 8, "--labeled", 10),
        ("--rows", 4000, "--features", 30, "--probs", "P.npz", "--labeled", 10),
    ],
    ids=["files", "before there is a model", "numbers"],
)
def test_files_and_numbers_give_one_plan(call: Call, words: tuple[object, ...]) -> None:
    expected = call("plan", *SIZE, "--labeled", 10, "--batch", 20)[1]
    assert sizes(call("plan", *words, "--batch", 20)[1]) == sizes(expected)


@pytest.mark.parametrize("ending", ["parquet", "zarr"])
def test_tables_are_only_looked_at(call: Call, ending: str) -> None:
    X = np.load("X.npy")
    if ending == "parquet":
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.table({f"f{k}": X[:, k] for k in range(30)}), "X.parquet")
    else:
        zarr = pytest.importorskip("zarr")
        zarr.create_array("X.zarr", data=X)
    expected = call("plan", *SIZE, "--batch", 20)[1]
    out = call("plan", f"X.{ending}", "--classes", 8, "--batch", 20)[1]
    assert sizes(out) == sizes(expected)


def test_every_option_of_the_mode_is_passed_on(call: Call) -> None:
    words = ("--rank", 2, "--threads", 1, "--set", "oversample=1.0", "--set", "lam=0.01")
    out = call("plan", *SIZE, "--batch", 20, *words)[1]
    found = fs.plan((4000, 30), (4000, 8), batch_size=20, rank=2, threads=1, oversample=1.0)
    assert facts(out)["mode"] == "rank=2"
    assert facts(out)["operations"] == f"{scaled(found.flops)}flop"
    assert "backward" not in out
    binary = call("plan", *SIZE, "--batch", 20, "--fisher", "binary")[1]
    assert facts(binary)["parameters"] == "30"
    regression = ("--set", "likelihood=gaussian")
    assert facts(call("plan", *SIZE[:4], "--batch", 20, *regression)[1])["parameters"] == "30"


def test_a_limit_names_the_nearest_mode_that_fits(call: Call) -> None:
    words = ("plan", *SIZE, "--batch", 20, "--threads", 1, "--memory-limit")
    fits = call(*words, "1GB")[1]
    assert facts(fits)["memory limit"] == "1 GB: fits"
    assert "nearest" not in fits
    own, other = call(*words, "2MB")[1].split("The nearest mode that fits:\n")
    assert facts(own)["memory limit"] == "2 MB: does not fit"
    options = {"batch_size": 20, "threads": 1, "memory_limit": "2MB"}
    found = fs.plan((4000, 30), (4000, 8), **options).nearest
    assert found is not None
    assert facts(other)["mode"] == found.mode
    assert facts(other)["memory limit"] == "2 MB: fits"
    assert call(*words, "1kB")[1].endswith(
        "No mode fits: offer a smaller pool or narrower features.\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*SIZE,), "Missing option '--batch'"),
        (("--batch", 3), "a file of features, or --rows and --features, must be given"),
        (
            ("X.npy", "--batch", 3),
            "--probs or --classes must be given, except for a regression",
        ),
        (("X.npy", *SIZE, "--batch", 3), "--rows and --features must not be given along with"),
        (("X.npy", "--probs", "P.npz", "--classes", 8, "--batch", 3), "--classes must not be"),
        (("no.npy", "--classes", 8, "--batch", 3), "cannot read no.npy: no such file"),
        (
            ("known.npy", "--classes", 8, "--batch", 3),
            "known.npy: expected numbers [n, d], got",
        ),
        ((*SIZE, "--batch", 4001), "batch_size must be at most the number of unlabelled rows"),
        ((*SIZE, "--batch", 3, "--memory-limit", "8"), "memory_limit must be bytes, or a text"),
        ((*SIZE, "--batch", 3, "--fisher", "half"), "fisher must be one of "),
        ((*SIZE, "--batch", 3, "--set", "depth=3"), "no field 'depth'"),
        ((*SIZE, "--batch", 3, "--rank", 2, "--set", "rank=3"), "--set rank: this option is"),
        (
            (*SIZE, "--batch", 3, "--set", "likelihood=gaussian"),
            "--probs and --classes must not be given for a regression",
        ),
    ],
)
def test_bad_input_is_exit_code_2_and_one_line(
    call: Call, words: tuple[object, ...], message: str
) -> None:
    code, out, err = call("plan", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.usefixtures("cpu")
def test_select_begins_with_the_plan_on_a_terminal(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(0).standard_normal((60, 4))
    np.save("small.npy", X)
    np.save("P.npy", np.full((60, 3), 1 / 3))
    words = ("select", "small.npy", "--probs", "P.npy", "--batch", 3, "--backend", "cpu")
    assert call(*words)[2] == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    err = call(*words)[2]
    assert err.count("bait: fisher='full': ") == 1
    assert "flop, about " in err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12.3 ms"), (1.0, "1 s"), (119.0, "119 s"), (120.0, "2 min"), (36000.0, "10 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
