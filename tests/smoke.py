# SPDX-License-Identifier: Apache-2.0
"""Does an installed package work? Seconds; it needs nothing but the package's dependencies.

    python tests/smoke.py [--digits]

Golden picks (tests/golden), every operation against the float64 reference, and the command
line. With --digits, which needs the extra "datasets", also picks on scikit-learn's digits.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np

# Not the checkout, which the script's folder does not lead to: the package that is installed.
import fisher_select as fs

GOLDEN = Path(__file__).resolve().parent / "golden"
BATCH = 5


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def compare(operation: Callable[..., fs.Selection], *arrays: object, **options: object) -> None:
    """The same picks from the compiled engine as from the reference."""
    picks = operation(*arrays, **options, batch_size=BATCH)
    wanted = operation(*arrays, **options, batch_size=BATCH, backend="reference")
    assert picks.backend == "cpu"
    np.testing.assert_array_equal(picks.indices, wanted.indices)


def check_installation() -> None:
    assert importlib.metadata.version("fisher-select") == fs.__version__
    for name in ("py.typed", "_core.pyi", "_cuda.pyi"):
        assert files("fisher_select").joinpath(name).is_file(), name
    assert fs.backends.explain()["cpu"] == "available"


def check_golden_picks() -> None:
    paths = sorted(GOLDEN.glob("bait_*.npz"))
    assert paths, f"no golden files in {GOLDEN}"
    for path in paths:
        with np.load(path) as file:
            case = dict(file)
        words = {name: str(case[name]) for name in ("normalization", "likelihood")}
        numbers = {name: float(case[name]) for name in ("lam", "oversample")}
        picks = fs.bait(
            case.get("X"),
            case.get("P"),
            factors=case.get("V"),
            labeled=case["labeled"],
            batch_size=int(case["batch"]),
            fisher=str(case.get("fisher", "full")),
            use_pool_fisher=bool(case.get("use_pool_fisher", True)),
            **words,
            **numbers,
        )
        np.testing.assert_array_equal(picks.forward_indices, case["forward"], path.stem)
        np.testing.assert_array_equal(picks.indices, case["kept"], path.stem)


def check_operations() -> None:
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((300, 8)), rng.standard_normal((8, 3))
    P, labeled = softmax(X @ W), np.arange(4)
    compare(fs.bait, X, P, labeled=labeled)
    compare(fs.bait, X, likelihood="gaussian", labeled=labeled)
    compare(fs.max_det, X, P, labeled=labeled)
    compare(fs.k_center, X, labeled=labeled)
    compare(fs.badge, X, P, labeled=labeled, seed=0)
    gain = {"eval_features": X[:50], "weight": W, "bias": np.zeros(3)}
    compare(fs.information_gain, X, P, **gain, kind="eig", labeled=labeled)
    assert len(fs.uncertainty(P, labeled=labeled, batch_size=BATCH)) == BATCH


def check_command_line() -> None:
    program = Path(sysconfig.get_path("scripts")) / "fisher-select"
    told = subprocess.run([program, "info"], check=True, capture_output=True, text=True).stdout
    assert fs.__version__ in told, told
    rng = np.random.default_rng(1)
    X = rng.standard_normal((100, 6))
    P = softmax(X[:, :3])
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "X.npy"), X)
        np.save(Path(folder, "P.npy"), P)
        command = "select X.npy --probs P.npy --method bait --batch 5 --out picks.csv"
        subprocess.run([program, *command.split()], check=True, cwd=folder, timeout=60)
        header, *lines = Path(folder, "picks.csv").read_text(encoding="utf-8").split()
    column = header.split(",").index("index")
    picked = [int(line.split(",")[column]) for line in lines]
    assert picked == fs.bait(X, P, batch_size=BATCH).indices.tolist()


def check_digits() -> None:
    from fisher_select import datasets

    data = datasets.digits()
    X = data.pool_inputs[:300, ::4].astype(np.float64)  # what the reference does in a second
    y = data.pool_labels[:300]
    P = softmax(X @ np.stack([X[y == c].mean(axis=0) for c in range(10)], axis=1))
    compare(fs.bait, X, P, labeled=np.arange(10))
    compare(fs.k_center, X, labeled=np.arange(10))
    compare(fs.badge, X, P, labeled=np.arange(10), seed=0)


def main(words: list[str]) -> None:
    checks = [check_installation, check_golden_picks, check_operations, check_command_line]
    match words:
        case []:
            pass
        case ["--digits"]:
            checks.append(check_digits)
        case _:
            sys.exit(f"usage: smoke.py [--digits], got {' '.join(words)}")
    print(f"fisher_select {fs.__version__} in {Path(fs.__file__).parent}")
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}")
    for check in checks:
        start = time.perf_counter()
        check()
        print(f"{check.__name__:20} {time.perf_counter() - start:6.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
