# SPDX-License-Identifier: Apache-2.0
"""The tables of benchmarks/SUITE.md: ``python -m benchmarks.suite.page``.

Rewrites what stands between the page's two marks from the results in
benchmarks/results/suite/; the words around them are written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.machine import ROOT
from benchmarks.record import write_text
from fisher_select.comparison import PenaltyMatrix, Scores, penalty_matrix

PAGE = ROOT / "benchmarks" / "SUITE.md"
RESULTS = ROOT / "benchmarks" / "results" / "suite"
BEGIN, END = "<!-- begin: python -m benchmarks.suite.page -->", "<!-- end -->"

Result = Mapping[str, Any]


def main() -> None:
    """Rewrite the tables of the page."""
    results = [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted(RESULTS.glob("*.json"))
    ]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{PAGE} must hold the marks {BEGIN} and {END}")
    write_text(PAGE, f"{before}{BEGIN}\n\n{render(results)}\n{END}{after}")


def render(results: Sequence[Result]) -> str:
    """The penalty matrix over those that compare the most strategies, and a section each.

    A matrix over protocols of unlike strategies would count some pairs more often than others.
    """
    measured = [result for result in results if result["metric"] == "accuracy"]
    most = max(len(result["strategies"]) for result in measured)
    sweep = [result for result in measured if len(result["strategies"]) == most]
    parts = [_matrix(sweep, penalty_matrix([scores(result) for result in sweep]))]
    parts += [_section(result) for result in results]
    return "\n".join(parts)


def scores(result: Result) -> Scores:
    """A result as the comparison takes it."""
    first = result["strategies"][0]
    labels = [strategy["strategy"] for strategy in result["strategies"]]
    return Scores(
        metric=result["metric"],
        batch_size=first["labeled"][1] - first["labeled"][0],
        labeled=np.array(first["labeled"]),
        values={
            strategy["strategy"]: dict(
                zip(result["seeds"], map(np.array, strategy["values"]), strict=True)
            )
            for strategy in result["strategies"]
        },
        baseline="random" if "random" in labels else None,
    )


def _matrix(results: Sequence[Result], found: PenaltyMatrix) -> str:
    names = ", ".join(f"`{result['name']}`" for result in results)
    lines = [
        "## Who beats whom",
        "",
        f"Over {names}. Row i, column j: how often strategy i is significantly better than j "
        "(two-sided paired t-test over the seeds, level 0.05) at M + B, M + 2 B, M + 4 B, ... "
        "labels, with M at the start and B a round, while random picks are below 99 % of their "
        "last score; the most is the number of protocols. Last row: how often a strategy is "
        "beaten, the mean of its column; lower is better.",
        "",
        _row(["", *found.strategies]),
        "|---|" + "---:|" * len(found.strategies),
    ]
    for name, row in zip(found.strategies, found.matrix, strict=True):
        lines.append(_row([name, *(f"{value:.2f}" for value in row)]))
    means = found.column_means
    cells = [f"{value:.3f}" for value in means]
    best = f"{means.min():.3f}"
    cells = [f"**{cell}**" if cell == best else cell for cell in cells]
    lines.append(_row(["mean", *cells]))
    points = ", ".join(map(str, found.checkpoints))
    return "\n".join([*lines, "", f"Checkpoints of each protocol: {points}.", ""])


def _section(result: Result) -> str:
    lower, metric = result["lower_is_better"], result["metric"]
    labeled = result["strategies"][0]["labeled"]
    shown = sorted({len(labeled) // 4, len(labeled) // 2, len(labeled) - 1})
    heads = ["strategy", *(f"{labeled[k]} labels" for k in shown), "area"]
    if result["level"] is not None:
        heads.append(f"labels to {_value(result['level'], lower)}")
    per_class = result["reach"] is not None
    heads += [*(["labels a class at the end"] if per_class else []), "selection"]
    order = sorted(result["strategies"], key=lambda s: s["area"]["mean"], reverse=not lower)
    words = (
        f"{metric.replace('_', ' ').capitalize()}, mean of {len(result['seeds'])} seeds with "
        "standard deviation; area: mean height of the curve."
    )
    if per_class:
        words += f" Trained on the whole pool: {_value(np.mean(result['full_data']), lower)}."
    return "\n".join(
        [
            f"## `{result['name']}`",
            "",
            f"{result['source']}. {' '.join(result['departures'].split())}",
            "",
            words,
            "",
            _row(heads),
            "|---|" + "---:|" * (len(heads) - 1),
            *(_row(_cells(result, strategy, shown)) for strategy in order),
            "",
            f"`{result['command']}`; commit {result['commit']}.",
            "",
        ]
    )


def _cells(result: Result, strategy: Result, shown: Sequence[int]) -> list[str]:
    """One line of a protocol's table."""
    lower, metric = result["lower_is_better"], result["metric"]
    mean, spread = strategy["mean"][metric], strategy["deviation"][metric]
    area, reached = strategy["area"], strategy["labels_to_level"]
    cells = [strategy["strategy"], *(_spread(mean[k], spread[k], lower) for k in shown)]
    cells.append(_spread(area["mean"], area["deviation"], lower))
    if result["level"] is not None:
        cells.append("never" if reached is None else str(reached))
    if result["reach"] is not None:
        cells.append(" ".join(f"{count:.0f}" for count in strategy["labels_per_class"]))
    return [*cells, f"{strategy['select_seconds']:.1f} s"]


def _value(value: float, lower: bool) -> str:
    """Shares in percent, risks and errors as they are."""
    return f"{value:.3g}" if lower else f"{100 * value:.1f} %"


def _spread(mean: float, spread: float, lower: bool) -> str:
    scale, digits = (1.0, 3) if lower else (100.0, 1)
    return f"{scale * mean:.{digits}f} ± {scale * spread:.{digits}f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
