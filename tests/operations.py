# SPDX-License-Identifier: Apache-2.0
"""Every operation that a CUDA device runs, on one small pool."""

from __future__ import annotations

from typing import Any

import numpy as np

import fisher_select as fs

N, D, C = 60, 5, 3


def pool(dtype: type = np.float32) -> dict[str, np.ndarray]:
    """Arrays of every operation, in float64 and float32 alike."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)).astype(np.float32).astype(dtype)
    logits = 2.0 * X @ rng.standard_normal((D, C))
    P = np.exp(logits - logits.max(axis=1, keepdims=True))
    return {
        "features": X,
        "probabilities": (P / P.sum(axis=1, keepdims=True)).astype(dtype),
        "factors": rng.standard_normal((N, 7, 2)).astype(dtype),
        "eval_features": rng.standard_normal((20, D)).astype(dtype),
        "weight": rng.standard_normal((D, C)),
        "bias": rng.standard_normal(C),
        "eval_labels": rng.integers(0, C, 20),
        "labeled": np.isin(np.arange(N), [3, 11, 40]),
    }


LARGE = ("features", "probabilities", "factors", "eval_features")
BOTH = ("features", "probabilities", "labeled")
GAIN = ("features", "probabilities", "eval_features", "weight", "bias", "eval_labels")
OPERATIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "bait": (BOTH, {"batch_size": 5}),
    "bait dense": (("factors", "labeled"), {"batch_size": 5}),
    "bait gaussian": (("features",), {"batch_size": 5, "likelihood": "gaussian"}),
    "max_det": (BOTH, {"batch_size": 5}),
    "max_det full": (BOTH, {"batch_size": 5, "gradient": "full"}),
    "k_center": (("features", "labeled"), {"batch_size": 5}),
    "k_center unlabelled": (("features",), {"batch_size": 5}),
    "k_center gradient": (
        ("features", "probabilities"),
        {"batch_size": 5, "embedding": "gradient"},
    ),
    "badge": (BOTH, {"batch_size": 5, "seed": 3}),
    "information_gain": ((*GAIN, "labeled"), {"batch_size": 5}),
}


def run(operation: str, given: dict[str, Any], **changes: Any) -> fs.Selection:
    names, options = OPERATIONS[operation]
    call = {name: given[name] for name in names} | options | changes
    function = getattr(fs, operation.partition(" ")[0])
    X, P = call.pop("features", None), call.pop("probabilities", None)
    if operation.startswith(("bait", "max_det")):
        return function(X, P, **call)
    return function(X, **call) if P is None else function(X, P, **call)
