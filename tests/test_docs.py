# SPDX-License-Identifier: Apache-2.0
"""The documentation keeps its word: its Python runs, what it names exists.

That the site builds, and what a browser shows of it, is in test_docs_site.py.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

import fisher_select as fs
from fisher_select import cli, config, experiment

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order; those with a title are whole scripts."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name_of)
def test_python_blocks_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One namespace a page, as a reader would type them."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    with torch.random.fork_rng():
        for block in blocks(page, "python"):
            exec(compile(block, name_of(page), "exec"), namespace)


def commands(page: Path) -> list[list[str]]:
    """Commands in blocks, and measurements in the text, split into words."""
    lines = "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    found = [part for line in lines for part in line.split("&&")]
    text = page.read_text(encoding="utf-8")
    found += re.findall(r"`(python -m benchmarks\.[^`]+)`", text)
    return [shlex.split(line, comments=True) for line in found]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_shown_python_is_python(page: Path) -> None:
    """Blocks with a title need another framework, or are scripts that test_examples.py runs."""
    for title, block in re.findall(
        r'^```python title="([^"]+)"\n(.*?)^```$',
        page.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    ):
        if block.startswith("--8<--"):
            assert block == f'--8<-- "{title}"\n'
        else:
            compile(block, title, "exec")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    """Sub-commands of fisher-select with their options, files, extras, measurements."""
    known = typer.main.get_command(cli.app).commands
    for words in commands(page):
        for word in words:
            if word.startswith(("examples/", "benchmarks/")):
                assert (ROOT / word).exists(), word
            for extra in re.findall(r"^\.\[(\w+)\]$", word):
                assert extra in EXTRAS, word
        if "benchmarks.suite" in words:
            protocol = words[words.index("benchmarks.suite") + 1]
            assert (ROOT / "benchmarks" / "protocols" / f"{protocol}.toml").is_file(), protocol
        if "--only" in words:
            figure = words[words.index("--only") + 1]
            assert (ROOT / "benchmarks" / "results" / f"{figure}.json").is_file(), figure
        if "fisher-select" in words:
            name, *options = words[words.index("fisher-select") + 1 :]
            assert name in known, words
            taken = {option for parameter in known[name].params for option in parameter.opts}
            for option in options:
                assert not option.startswith("-") or option in taken, f"{name}: no {option}"


def test_every_public_name_is_in_the_reference() -> None:
    """And every name in the reference can be imported from where it says."""
    text = "".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    documented = re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)
    for path in documented:
        module, _, name = path.rpartition(".")
        if ".adapters." in module:  # imports its host, which may be missing
            source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()
            assert re.search(rf"^(class|def) {name}\b", source, re.MULTILINE), path
        else:
            assert hasattr(importlib.import_module(module), name), path
    names = {path.rpartition(".")[2] for path in documented}
    for name in fs.__all__:
        if name != "__version__" and not isinstance(getattr(fs, name), ModuleType):
            assert name in names, f"{name} is not in docs/api"


def test_every_strategy_has_its_place() -> None:
    """By its name, on a page of docs/strategies."""
    text = "".join(page.read_text() for page in (DOCS / "strategies").glob("*.md"))
    for name in fs.strategies.names():
        assert f"`{name}`" in text, name


def measured(kind: str, entry: dict[str, Any]) -> str:
    """A cell of the table of that kind."""
    if kind == "labels":
        return str(entry["labels_to_level"] or "never")
    if kind == "last":
        (curve,) = entry["mean"].values()
        return f"{curve[-1]:.3f}"
    if kind == "area":
        return f"{100 * entry['area']['mean']:.1f}"
    return f"{entry['select_seconds']:.1f}"


def test_tables_hold_the_results() -> None:
    """Each cell of the comparison, against benchmarks/results/suite."""
    text = (DOCS / "choosing.md").read_text(encoding="utf-8")
    tables = re.findall(r"<!-- suite: (\w+) -->\n\n(.*?)\n\n", text, re.DOTALL)
    assert [kind for kind, _ in tables] == ["labels", "area", "last", "seconds"]
    for kind, table in tables:
        (_, *protocols), _, *rows = (
            [cell.strip(" `") for cell in line.strip("|").split("|")]
            for line in table.splitlines()
        )
        for column, protocol in enumerate(protocols):
            path = ROOT / "benchmarks" / "results" / "suite" / f"{protocol}.json"
            entries = json.loads(path.read_text(encoding="utf-8"))["strategies"]
            there = {entry["strategy"]: measured(kind, entry) for entry in entries}
            shown = {name: cells[column] for name, *cells in rows if cells[column]}
            assert shown == there, (kind, protocol)


def test_figures_are_those_of_the_benchmarks() -> None:
    """Numbers with a comma or a point, beside the command that measured them."""
    checked = 0
    for page in PAGES:
        command = None
        for block in re.split(r"\n\n|(?<=\|)\n", page.read_text(encoding="utf-8")):
            found = re.search(r"benchmarks\.run\s--only\s(\w+)", block)
            # The rows of a table go on with the command of the paragraph before it.
            command = found[1] if found else command if block.startswith("|") else None
            if command is None:
                continue
            path = ROOT / "benchmarks" / "results" / f"{command}.json"
            figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
            known = " ".join(figure["figure"] + figure["measured"] for figure in figures)
            for number in re.findall(r"\d+(?:,\d{3})+|\d+\.\d+", block):
                assert number in known, (name_of(page), command, number)
                checked += 1
    assert checked > 20


def test_configurations_are_valid() -> None:
    """The experiments and protocols that the pages show."""
    blocks_shown = [block for page in PAGES for block in blocks(page, "toml")]
    assert len(blocks_shown) >= 2
    for block in blocks_shown:
        table = tomllib.loads(block)
        for key in ("source", "departures", "quick"):  # of a protocol alone
            table.pop(key, None)
        config.build(experiment.Experiment, table)


def test_readme_links_to_the_documentation() -> None:
    assert "](docs/" in (ROOT / "README.md").read_text(encoding="utf-8")
