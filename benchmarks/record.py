# SPDX-License-Identifier: Apache-2.0
"""What a benchmark leaves behind: one JSON file each, and one table over all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Reads as: what was measured, the figure to reach (DESIGN.md section 9), what came out.
COLUMNS = ("figure", "target", "measured", "reached", "command")


@dataclass(frozen=True)
class Figure:
    """One row of the table. ``reached`` is None where no target is set."""

    figure: str
    target: str
    measured: str
    value: float
    reached: bool | None = None


@dataclass(frozen=True)
class Record:
    """One benchmark: its sizes, its rows of the table, and every raw time."""

    name: str
    sizes: Mapping[str, Any]
    figures: Sequence[Figure]
    raw: Mapping[str, Any]
    notes: Sequence[str] = field(default=())

    @property
    def missed(self) -> list[Figure]:
        """Rows whose target was not reached."""
        return [row for row in self.figures if row.reached is False]


def at_least(figure: str, value: float, limit: float, *, detail: str = "") -> Figure:
    """A row for a speed-up that must not be smaller than ``limit`` times."""
    return Figure(figure, f">= {limit:,g} x", _times(value, detail), value, value >= limit)


def at_most(figure: str, value: float, limit: float, *, detail: str = "") -> Figure:
    """A row for a cost that must not exceed ``limit`` times its floor."""
    return Figure(figure, f"<= {limit:,g} x", _times(value, detail), value, value <= limit)


def informative(figure: str, value: float, *, detail: str = "") -> Figure:
    """A row without a target."""
    return Figure(figure, "", _times(value, detail), value)


def seconds(value: float) -> str:
    """A duration with three digits and a unit a reader can compare."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if value < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s"


def as_json(record: Record, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The record and where it was measured, as one JSON object."""
    return {**asdict(record), **provenance}


def write_record(record: Mapping[str, Any], directory: Path) -> Path:
    """Write ``<name>.json`` into ``directory`` (made if absent), whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{record['name']}.json"
    write_text(path, json.dumps(record, indent=1) + "\n")
    return path


def write_text(path: Path, text: str) -> None:
    """Write under a temporary name, then rename: a reader never sees half a file."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def read_records(directory: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """The records present in ``directory``, in the order of ``names``."""
    paths = (directory / f"{name}.json" for name in names)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def render_table(records: Sequence[Mapping[str, Any]]) -> str:
    """The Markdown page: the table, then where each record was measured."""
    lines = [
        "# Measured speed and memory",
        "",
        "Written by `python -m benchmarks.run`; raw times are in `benchmarks/results/`.",
        "Ratios are medians over pairs taken by turns in one process.",
        "Label efficiency, and who beats whom: [SUITE.md](SUITE.md); what the approximations "
        "cost: [APPROXIMATIONS.md](APPROXIMATIONS.md).",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    for record in records:
        for row in record["figures"]:
            reached = {True: "yes", False: "no", None: ""}[row["reached"]]
            cells = (row["figure"], row["target"], row["measured"], reached)
            lines.append("| " + " | ".join((*cells, f"`{record['command']}`")) + " |")
    notes = [f"- `{record['name']}`: {note}" for record in records for note in record["notes"]]
    lines += ["", "## How to read it", "", *notes] if notes else []
    lines += ["", "## Where it was measured", ""]
    lines += list(dict.fromkeys(_where(record) for record in records))
    return "\n".join(lines) + "\n"


def _times(value: float, detail: str) -> str:
    shown = f"{value:,.0f} x" if value >= 100 else f"{value:.3g} x"
    return f"{shown} ({detail})" if detail else shown


def _where(record: Mapping[str, Any]) -> str:
    machine, versions = record["machine"], record["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    smoke = " Quick sizes: a smoke test, not results." if record["quick"] else ""
    return (
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['instruction_set']}, "
        f"{machine['memory_gib']} GiB; {packages}; "
        f"commit {record['commit']}, {record['date']}.{smoke}"
    )
