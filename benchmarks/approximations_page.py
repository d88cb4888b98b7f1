# SPDX-License-Identifier: Apache-2.0
"""APPROXIMATIONS.md out of its results: ``python -m benchmarks.approximations_page``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.approximations import BASELINE, FULL
from benchmarks.record import seconds, write_text
from benchmarks.run import HERE, RESULTS

HEAD = """# What the approximations of BAIT cost

Written by `python -m benchmarks.approximations_page` from `results/approximations.json`, which
`python -m benchmarks.run --only approximations` measures; the folder that FISHER_SELECT_DATA
names must hold `fashion_mnist` for the second data set.

Batches: one model, trained on 50 random rows; each mode picks B rows, and the full objective
tr(M^-1 F) of them is compared with that of the full mode's picks (more is worse; a greedy batch
is no minimum, so that a little less is possible). Seconds are those of the selection, the best
of three; memory is what `fisher_select.plan` tells, beyond the inputs.

Curves: {rounds} rounds of {batch_size} labels, {seeds} seeds, a linear model trained anew each
round. Accuracy in %, mean of the seeds and half of its 68 % interval (Student's t); area is the
mean height of the curve, p that of a paired t-test of the areas against the full mode's. With
{seeds} seeds and {tests} tests none of the p is corrected for their number.
"""


def main() -> None:
    """Write the page."""
    record = json.loads((RESULTS / "approximations.json").read_text(encoding="utf-8"))
    write_text(HERE / "APPROXIMATIONS.md", page(record))


def page(record: Mapping[str, Any]) -> str:
    """The page as Markdown: a section a data set, with its batches and its curves."""
    curves = [found["curves"] for found in record["raw"].values()]
    tests = sum(curve["p"] is not None for found in curves for curve in found.values())
    lines = [HEAD.format(**record["sizes"]["study"], tests=tests)]
    for name, found in record["raw"].items():
        n, width = record["sizes"]["data"][name]
        lines += [f"## {name}: {n:,} rows x {width}", "", *_batches(found["selections"]), ""]
        lines += [*_curves(found["curves"]), ""]
    machine = record["machine"]
    lines.append(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"commit {record['commit']}, {record['date']}."
    )
    return "\n".join(lines) + "\n"


def _batches(selections: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line a mode; the batches side by side."""
    columns = ("full objective", "picks in common", "seconds", "memory")
    yield "| mode | " + " | ".join(f"{b}: {c}" for b in selections for c in columns) + " |"
    yield "|---|" + "---:|" * (len(columns) * len(selections))
    for mode in next(iter(selections.values())):
        cells = []
        for rows in selections.values():
            row = rows[mode]
            excess = "" if mode == FULL else f" ({100 * row['excess']:+.2f} %)"
            cells += [
                f"{row['objective']:.4g}{excess}",
                f"{100 * row['in_common']:.0f} %",
                seconds(row["seconds"]),
                f"{row['planned_bytes'] / 1e6:.1f} MB",
            ]
        yield f"| {mode} | " + " | ".join(cells) + " |"


def _curves(curves: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line a mode: accuracy at some label counts, the area, and the test against full."""
    labeled = curves[BASELINE]["labeled"]
    shown = sorted({1, len(labeled) // 4, len(labeled) // 2, len(labeled) - 1})
    heads = [f"{labeled[k]} labels" for k in shown]
    yield "| mode | " + " | ".join([*heads, "area", "to full", "p"]) + " |"
    yield "|---|" + "---:|" * (len(heads) + 3)
    for mode, curve in curves.items():
        cells = [
            f"{100 * curve['mean'][k]:.1f} ± {100 * curve['interval_68'][k]:.1f}" for k in shown
        ]
        area = 100 * sum(curve["area"]) / len(curve["area"])
        if curve["p"] is None:
            against = ["", ""]
        else:
            against = [f"{100 * curve['difference']:+.2f}", f"{curve['p']:.2g}"]
        yield f"| {mode} | " + " | ".join([*cells, f"{area:.2f}", *against]) + " |"


if __name__ == "__main__":
    main()
