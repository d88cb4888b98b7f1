# SPDX-License-Identifier: Apache-2.0
"""The README keeps its word: its Python runs, and its commands exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.main

from fisher_select import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every shell command of the README, split into words."""
    lines = (line for block in blocks("bash") for line in block.splitlines() if line.strip())
    return [shlex.split(command) for line in lines for command in line.split("&&")]


def test_python_blocks_run_in_order(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One namespace, as a reader would type them; one block asserts equal picks."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    sources = blocks("python")
    assert len(sources) >= 2
    for source in sources:
        exec(compile(source, "README.md", "exec"), namespace)
    assert "[" in capsys.readouterr().out


def test_fisher_select_commands_exist() -> None:
    """Each documented sub-command and each of its options is one that the program has."""
    known = typer.main.get_command(cli.app).commands
    documented = [words for words in commands() if words[0] == "fisher-select"]
    assert {words[1] for words in documented} >= {"run", "select", "info"}
    for words in documented:
        options = {name for parameter in known[words[1]].params for name in parameter.opts}
        for word in words[2:]:
            assert not word.startswith("-") or word in options, f"{words[1]} has no {word}"


def test_documented_files_and_extras_exist() -> None:
    """Example files, installed extras, benchmark modules and links are really there."""
    words = [word for command in commands() for word in command]
    for word in words:
        if word.endswith(".toml"):
            assert (ROOT / word).is_file(), word
        if match := re.fullmatch(r"\.\[(\w+)\]", word):
            assert match[1] in PYPROJECT["project"]["optional-dependencies"], word
        if word.startswith("benchmarks."):
            assert (ROOT / (word.replace(".", "/") + ".py")).is_file(), word
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("name", ["run", "test"])
def test_ci_runs_this_command(name: str) -> None:
    """`.ci/run` takes the two commands from the README by these comments: one line each."""
    found = re.findall(rf"^<!-- command: {name} -->\n```bash\n(.*)\n```$", README, re.MULTILINE)
    assert len(found) == 1
    assert f"readme {name}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
