# SPDX-License-Identifier: Apache-2.0
"""The mask of a large model against one reading of its diagonal: ``numpy.sum``, on one thread.

NumPy sums on one core whatever it is given, so the engine is measured on one thread as well as
on all of them; the target is held by all of them.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

import fisher_select as fs
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError, Pairs, alternate, median_seconds
from benchmarks.record import Record, at_most, informative, seconds

REPEATS = 7
LIMIT = 3.0


@dataclass(frozen=True)
class Size:
    """Parameters in layers of equal size, and pairs."""

    parameters: int
    layers: int
    rounds: int
    seed: int = 0


SIZE = Size(25_000_000, 50, rounds=5)
SIZE_QUICK = Size(400_000, 50, rounds=2)

# DESIGN section 2: 0.2 % and the last layer. The others show what more costs.
SPARSITY = 0.002
SHARES = (0.002, 0.02, 0.2)


def mask(settings: Settings) -> Record:
    """Keep 0.2 % of the parameters, the last layer among them; then other shares and scopes."""
    size = SIZE_QUICK if settings.quick else SIZE
    diagonal = _diagonal(size)
    last = range(size.parameters - size.parameters // 1000, size.parameters)
    layers = [size.parameters // size.layers] * size.layers

    def measure(share: float, threads: int | None, scope: str = "global") -> Pairs:
        k = int(share * size.parameters)

        def ours() -> float:
            return median_seconds(
                lambda: fs.top_k_mask(
                    diagonal,
                    k,
                    last,
                    scope=scope,
                    layers=layers if scope == "per_layer" else None,
                    backend=settings.backend,
                    threads=threads,
                ),
                repeats=REPEATS,
            )

        return alternate(
            lambda: median_seconds(diagonal.sum, repeats=REPEATS), ours, rounds=size.rounds
        )

    _check(diagonal, int(SPARSITY * size.parameters), last, settings)
    sorting = _seconds_of_sort(diagonal)
    cases = {f"{share:.1%} kept": measure(share, None) for share in SHARES} | {
        f"{SPARSITY:.1%} kept, one thread": measure(SPARSITY, 1),
        f"{SPARSITY:.1%} kept, per layer": measure(SPARSITY, None, "per_layer"),
    }
    what = f"top-k mask of {size.parameters:,} float32 parameters"
    rows = []
    for name, pairs in cases.items():
        figure = f"{what}, {name}, against one pass (numpy.sum)"
        detail = f"{seconds(pairs.median_ours)}, pass {seconds(pairs.median_rival)}"
        if not rows:
            detail += f", argpartition {seconds(sorting)}; same mask as a stable sort"
            rows.append(at_most(figure, pairs.cost, LIMIT, detail=detail))
        else:
            rows.append(informative(figure, pairs.cost, detail=detail))
    raw = {name: pairs.raw() for name, pairs in cases.items()}
    return Record("mask", asdict(size), rows, raw | {"argpartition_s": sorting})


def _diagonal(size: Size) -> npt.NDArray[np.float32]:
    """Squared gradients whose scale differs from layer to layer, as a network's does."""
    rng = np.random.default_rng(size.seed)
    diagonal = rng.standard_normal(size.parameters, dtype=np.float32)
    np.square(diagonal, out=diagonal)
    layers = diagonal.reshape(size.layers, -1)
    layers *= np.exp(2.0 * rng.standard_normal((size.layers, 1))).astype(np.float32)
    return diagonal


def _check(diagonal: npt.NDArray[np.float32], k: int, last: range, settings: Settings) -> None:
    mine = fs.top_k_mask(diagonal, k, last, backend=settings.backend)
    order = np.argsort(-diagonal[: last.start], kind="stable")[: k - len(last)]
    if not np.array_equal(mine, np.concatenate([np.sort(order), last])):
        raise AnswerError("the mask is not that of a stable sort")


def _seconds_of_sort(diagonal: npt.NDArray[np.float32]) -> float:
    """What NumPy itself has for it, without the order of ties."""
    start = time.perf_counter()
    np.argpartition(diagonal, -int(SPARSITY * len(diagonal)))
    return time.perf_counter() - start
