# SPDX-License-Identifier: Apache-2.0
"""The commands `report` and `compare`: what they write and print, and how they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Call
from run_folders import cut, run_loops


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_loops(tmp_path_factory.mktemp("runs"))


def test_compare_prints_a_line_a_strategy(call: Call, runs: Path) -> None:
    code, out, err = call("compare", runs)
    assert (code, err) == (0, "")
    title, headings, *lines, caption = [line.split() for line in out.splitlines()]
    assert title == ["blobs,", "4", "labels", "+", "2", "a", "round"]
    assert headings[:2] == ["strategy", "seeds"]
    assert {line[0] for line in lines} == {"margin", "random"}
    assert all(line[1] == "3" and line[3] == "±" for line in lines)
    assert caption[:4] == ["±", "one", "standard", "deviation"]
    assert "\x1b" not in out
    assert "─" not in out


def test_compare_by_another_metric_and_level(call: Call, runs: Path) -> None:
    out = call("compare", runs, "--metric", "nll", "--level", "0.5", "--score", "0.1")[1]
    assert "NLL at 14 labels" in out
    assert "level: 50 % of 0.100: 0.200" in out


def test_compare_tells_what_was_left_out(call: Call, tmp_path: Path) -> None:
    cut(run_loops(tmp_path) / "margin-seed2", 2)
    out = call("compare", tmp_path)[1]
    assert "Unfinished runs are left out: margin seed 2 (2 of 6)." in out


def test_compare_draws_lines_on_a_terminal(
    call: Call, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert "│" in call("compare", runs)[1]


def test_report_writes_a_page(
    call: Call, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("matplotlib", "jinja2"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    assert call("report", runs) == (0, "wrote report.html and report-figures\n", "")
    assert Path("report.html").read_text().startswith("<!DOCTYPE html>")
    assert list(Path("report-figures").glob("*.png"))
    assert call("report", runs, "--out", "b.html", "--quiet") == (0, "", "")
    assert Path("b.html").exists()


@pytest.mark.parametrize("command", ["report", "compare"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "cannot read nowhere: no such directory"),
        (("--level", "2"), "level must be above 0 and at most 1, got 2"),
        (("--metric", "rmse"), "metric must be one of accuracy, "),
        (("--speed",), "No such option"),
    ],
)
def test_bad_input_is_one_line(
    call: Call,
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call(command, *((runs, *words) if words[0].startswith("-") else words))
    assert (code, out) == (2, "")
    assert err.startswith("fisher-select: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


def test_report_needs_somewhere_to_write(call: Call, runs: Path, tmp_path: Path) -> None:
    code, _, err = call("report", runs, "--out", tmp_path / "gone" / "page.html")
    assert code == 2
    assert "cannot write" in err
