# SPDX-License-Identifier: Apache-2.0
"""A first batch from embeddings: k-centre needs no labels at all, BADGE a first model.

Run it with ``python examples/embeddings.py``; it takes seconds.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

import fisher_select as fs

BATCH = 30


def radius(X: np.ndarray, centers: np.ndarray) -> float:
    """How far the worst row is from the nearest of the picked ones."""
    distances = np.linalg.norm(X[:, None] - X[centers], axis=2)
    return float(distances.min(axis=1).max())


def main() -> dict[str, tuple[float, float]]:
    """Buy 30 labels first, then 30 more; return radius and accuracy of each way."""
    pixels, y = load_digits(return_X_y=True)
    X = PCA(20, random_state=0).fit_transform(pixels / 16)  # yours: any encoder's embedding
    first = {
        "k_center": fs.k_center(X, batch_size=BATCH),
        "random": fs.random(X, batch_size=BATCH, seed=0),
    }
    results = {}
    for name, picks in first.items():
        labeled = picks.indices
        model = LogisticRegression(max_iter=500).fit(X[labeled], y[labeled])
        results[name] = (radius(X, labeled), float(model.score(X, y)))
    # BADGE spreads its picks over the gradients of the last layer of a first model.
    start = first["k_center"].indices
    model = LogisticRegression(max_iter=500).fit(X[start], y[start])
    P = model.predict_proba(X)
    picks = fs.badge(X, P, labeled=start, batch_size=BATCH, seed=0)
    both = np.concatenate([start, picks.indices])
    model = LogisticRegression(max_iter=500).fit(X[both], y[both])
    results["k_center, then badge"] = (radius(X, both), float(model.score(X, y)))
    for name, (reach, accuracy) in results.items():
        print(f"{name:21} radius {reach:.2f}, accuracy {accuracy:.1%}")
    return results


if __name__ == "__main__":
    main()
