# SPDX-License-Identifier: Apache-2.0
"""Golden selections of our own, by brute force: python tests/golden/make_golden.py [--check].

Every candidate's objective is computed from a fresh inverse of M with its factor added or
removed; no gain formula, no update, nothing of fisher_select. A case is kept only if each step
wins by CLEAR and float32 input gives the same picks. They cover the options that the files
shared between projects leave out. Without --check the files beside this script are rewritten.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
CLEAR = 1e-5  # relative lead over the runner-up, far above float32 rounding of the input
ARRAYS = ("X", "P", "V")


class NotClearError(Exception):
    """Two candidates are too close to call."""


def factors(case: dict[str, Any]) -> np.ndarray:
    """V [n, D, r], one row at a time."""
    if "V" in case:
        return np.asarray(case["V"], dtype=np.float64)
    rows = []
    for i, x in enumerate(np.asarray(case["X"], dtype=np.float64)):
        if case["likelihood"] == "gaussian":
            rows.append(x[:, None])
            continue
        p = np.asarray(case["P"][i], dtype=np.float64)
        if case["fisher"] == "binary":
            L = np.array([[np.sqrt(p.max() * (1.0 - p.max()))]])
        elif case["likelihood"] == "sigmoid" or case["fisher"] == "block_diagonal":
            L = np.diag(np.sqrt(p * (1.0 - p)))
        else:
            columns = [np.sqrt(p[c]) * (np.eye(len(p))[c] - p) for c in range(len(p))]
            L = np.stack(columns, axis=1)
        rows.append(np.kron(L, x[:, None]))
    return np.stack(rows)


def solve(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """Forward picks, survivors and the objective path of a case."""
    V = factors(case)
    n, D, _ = V.shape
    batch, labeled = int(case["batch"]), [int(i) for i in case["labeled"]]
    m = len(labeled)
    information = np.stack([v @ v.T for v in V])
    F = information.mean(axis=0) if case["use_pool_fisher"] else np.eye(D)
    start = information[labeled].mean(axis=0) if m else np.zeros((D, D))
    by_reference = str(case["normalization"]) == "reference"
    M = float(case["lam"]) * np.eye(D) + (m / (m + batch) if by_reference else 1.0) * start
    information = information * (batch / (m + batch) if by_reference else 1.0)

    def best(sign: int, rows: list[int]) -> tuple[int, float]:
        """The row whose addition (sign 1) or removal (-1) leaves the smallest objective."""
        now = np.trace(np.linalg.inv(M) @ F)
        after = np.array([np.trace(np.linalg.inv(M + sign * information[i]) @ F) for i in rows])
        first, *rest = np.sort(after)
        if rest and rest[0] - first <= CLEAR * abs(now - first):
            raise NotClearError
        return rows[int(np.argmin(after))], float(after.min())

    forward: list[int] = []
    path: list[float] = []
    free = [i for i in range(n) if i not in labeled]
    for _ in range(min(int(np.ceil(float(case["oversample"]) * batch)), len(free))):
        pick, value = best(1, [i for i in free if i not in forward])
        forward.append(pick)
        path.append(value)
        M = M + information[pick]
    kept = list(forward)
    while len(kept) > batch:
        pick, value = best(-1, kept)
        kept.remove(pick)
        path.append(value)
        M = M - information[pick]
    return {
        "forward": np.array(forward),
        "kept": np.array(kept),
        "objective": np.array(path),
    }


def clear(draw: Callable[[], dict[str, Any]], **options: Any) -> dict[str, Any]:
    """The first drawn case that is clear in float64 and the same from float32."""
    defaults = {
        "lam": 0.1,
        "oversample": 2.0,
        "normalization": "reference",
        "likelihood": "softmax",
        "fisher": "full",
        "use_pool_fisher": True,
    }
    for _ in range(200):
        case = defaults | draw() | options
        coarse = {k: np.float32(v) if k in ARRAYS else v for k, v in case.items()}
        try:
            exact, rounded = solve(case), solve(coarse)
        except NotClearError:
            continue
        if all(np.array_equal(exact[k], rounded[k]) for k in ("forward", "kept")):
            return case | exact
    raise SystemExit("no clear case found; draw fewer picks")


def cases(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    rng = np.random.default_rng(seed)

    def classes(n: int, d: int, C: int, m: int) -> Callable[[], dict[str, Any]]:
        def draw() -> dict[str, Any]:
            Z = 1.5 * rng.standard_normal((n, C))
            P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
            return {"X": rng.standard_normal((n, d)), "P": P, "labeled": labels(n, m)}

        return draw

    def bernoulli(n: int, d: int, C: int, m: int) -> Callable[[], dict[str, Any]]:
        def draw() -> dict[str, Any]:
            P = rng.uniform(0.02, 0.98, size=(n, C))
            return {"X": rng.standard_normal((n, d)), "P": P, "labeled": labels(n, m)}

        return draw

    def dense(n: int, D: int, r: int, m: int) -> Callable[[], dict[str, Any]]:
        return lambda: {"V": rng.standard_normal((n, D, r)), "labeled": labels(n, m)}

    def labels(n: int, m: int) -> np.ndarray:
        return np.sort(rng.choice(n, size=m, replace=False))

    def regression(n: int, d: int, m: int) -> Callable[[], dict[str, Any]]:
        return lambda: {"X": rng.standard_normal((n, d)), "labeled": labels(n, m)}

    yield "bait_unlabeled", clear(classes(50, 5, 3, 0), batch=6)
    yield (
        "bait_oversample_1_5",
        clear(classes(60, 4, 4, 7), batch=7, oversample=1.5, lam=1e-3),
    )
    yield "bait_oversample_3", clear(classes(60, 6, 2, 5), batch=5, oversample=3.0)
    yield "bait_all_free_rows", clear(classes(14, 3, 3, 4), batch=8, oversample=2.0)
    yield "bait_no_pool_fisher", clear(classes(60, 5, 3, 5), batch=6, use_pool_fisher=False)
    yield "bait_block_diagonal", clear(classes(60, 5, 4, 6), batch=6, fisher="block_diagonal")
    yield "bait_binary_fisher", clear(classes(60, 6, 5, 6), batch=6, fisher="binary")
    yield (
        "bait_sigmoid_paper",
        clear(bernoulli(50, 4, 3, 5), batch=6, likelihood="sigmoid", normalization="paper"),
    )
    yield (
        "bait_gaussian_unlabeled",
        clear(regression(60, 7, 0), batch=8, likelihood="gaussian", lam=1e-3),
    )
    yield "bait_dense_small_lambda", clear(dense(40, 9, 2, 6), batch=6, lam=1e-5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="only recompute the stored cases")
    arguments = parser.parse_args()
    if arguments.check:
        for path in sorted(HERE.glob("*.npz")):
            with np.load(path) as stored:
                case = dict(stored)
            for name, value in solve(case).items():
                np.testing.assert_allclose(value, case[name], rtol=1e-9, err_msg=path.name)
        return
    for name, case in cases(arguments.seed):
        np.savez_compressed(HERE / f"{name}.npz", **case)
        sys.stdout.write(f"{name}: forward {len(case['forward'])}, kept {len(case['kept'])}\n")


if __name__ == "__main__":
    main()
