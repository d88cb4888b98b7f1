# SPDX-License-Identifier: Apache-2.0
"""Every operation at a small size: the picks of the device are those of the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
import torch

import fisher_select as fs
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.row import Measured, Row
from benchmarks.pairing import AnswerError, require_same_picks
from benchmarks.problems import make_problem

SCORES_EQUAL = 1e-5  # of information gain, to the largest one: its pairs are float32


@dataclass(frozen=True)
class Size:
    """A softmax pool, and the labels to buy."""

    n: int
    d: int
    classes: int
    batch_size: int
    labeled: int


FULL = Size(4_000, 48, 6, batch_size=40, labeled=40)
QUICK = Size(80, 6, 3, batch_size=4, labeled=6)


def same_picks(bench: Bench) -> Measured:
    """Time is that of the device, all operations together, small as they are."""
    size = QUICK if bench.quick else FULL
    problem = make_problem(size.n, size.d, size.classes, labeled=size.labeled)
    X, P = problem.features, problem.outputs
    on_device = torch.as_tensor(X).to(bench.device), torch.as_tensor(P).to(bench.device)
    seconds = {}
    for name, call in _operations(size, problem.labeled).items():
        expected = list(call(X, P, "cpu"))
        start = time.perf_counter()
        found = list(call(*on_device, bench.backend))
        seconds[name] = time.perf_counter() - start
        require_same_picks(name, found, expected)
    _require_same_scores(X, P, bench)
    what = f"picks of {len(seconds)} operations equal to the CPU's, n = {size.n:,}"
    return Measured([Row(what, sum(seconds.values()))], asdict(size), {"seconds": seconds})


def _operations(
    size: Size, labeled: np.ndarray
) -> dict[str, Callable[[object, object, str], Iterable[int]]]:
    """Calls (features, probabilities, backend) -> picks, forward ones and survivors."""
    common = {"labeled": labeled, "batch_size": size.batch_size}

    def bait(fisher: str) -> Callable[[object, object, str], Iterable[int]]:
        def picks(X: object, P: object, backend: str) -> Iterable[int]:
            run = fs.bait(X, P, **common, fisher=fisher, backend=backend)
            return [*run.forward_indices, *run.indices]

        return picks

    return {
        "bait": bait("full"),
        "bait, block-diagonal": bait("block_diagonal"),
        "bait, binary": bait("binary"),
        "k-centre": lambda X, _, backend: fs.k_center(X, **common, backend=backend).indices,
        "BADGE": lambda X, P, backend: (
            fs.badge(X, P, **common, seed=0, backend=backend).indices
        ),
        "log-det": lambda X, P, backend: fs.max_det(X, P, **common, backend=backend).indices,
        "log-det, full": lambda X, P, backend: (
            fs.max_det(X, P, **common, gradient="full", backend=backend).indices
        ),
        "mask": lambda X, _, backend: fs.top_k_mask(
            X.ravel() ** 2, size.batch_size, backend=backend
        ),
    }


def _require_same_scores(X: np.ndarray, P: np.ndarray, bench: Bench) -> None:
    """Information gain, whose scores are compared; half of the rows are the evaluation set."""
    half, weight = len(X) // 2, np.linalg.lstsq(X, np.log(P), rcond=None)[0]

    def scores(features: object, weight: object, backend: str) -> np.ndarray:
        return fs.information_gain_scores(
            features[half:],
            eval_features=features[:half],
            eval_labels=P[:half].argmax(axis=1),
            weight=weight,
            kind="aeig",
            backend=backend,
        )

    expected = scores(X, weight, "cpu")
    on_device = (torch.as_tensor(array).to(bench.device) for array in (X, weight))
    apart = np.abs(scores(*on_device, bench.backend) - expected).max()
    if not apart <= SCORES_EQUAL * np.abs(expected).max():
        raise AnswerError(f"information gain: scores differ by {apart:.3g}")
