# SPDX-License-Identifier: Apache-2.0
"""FisherMask end to end: mask, factors and picks against the same by hand; memory; profile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fisher_select as fs

torch = pytest.importorskip("torch")

from networks import Odd, images, seeded, single_factors  # noqa: E402
from problems import assert_optimal  # noqa: E402
from torch import nn  # noqa: E402

from fisher_select import dual, mask_profile, memory  # noqa: E402
from fisher_select.factors import trace_problem  # noqa: E402
from fisher_select.memory import MemoryNeed  # noqa: E402

LABELED = np.array([3, 8, 11, 20])
CHOICE = {"labeled": LABELED, "batch_size": 5, "lam": 0.05, "dtype": "float64"}


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return seeded(Odd)


def by_hand(net: nn.Module, x: torch.Tensor, sparsity: float, likelihood: str):
    """The definition: all gradients, one at a time; the head is the last 28 parameters."""
    single = single_factors(net, x, likelihood)
    diagonal = np.square(single).sum(axis=2).mean(axis=0)
    k = max(28, round(sparsity * len(diagonal)))
    mask = fs.top_k_mask(diagonal, k, slice(-28, None), backend="reference")
    return mask, single[:, mask]


@pytest.mark.parametrize("likelihood", ["softmax", "sigmoid", "gaussian"])
@pytest.mark.parametrize("sparsity", [1e-6, 0.05, 0.4])  # head alone; primal; dual
def test_picks_are_those_by_hand(net, sparsity, likelihood):
    x = images(30)
    mask, factors = by_hand(net, x, sparsity, likelihood)
    form = {0.4: "dual"}.get(sparsity, "cpu")
    for options in ({}, {"oversample": 1.0}, {"normalization": "paper"}):
        expected = fs.bait(factors=factors, labeled=LABELED, batch_size=5, lam=0.05, **options)
        found = fs.fisher_mask(
            net, x, sparsity=sparsity, likelihood=likelihood, **CHOICE, **options
        )
        assert found.backend == form
        np.testing.assert_array_equal(found.mask, mask)
        np.testing.assert_array_equal(found.forward_indices, expected.forward_indices)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-6)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    by_name = fs.select(
        "fisher_mask", model=net, pool=x, sparsity=sparsity, likelihood=likelihood, **CHOICE
    )
    again = fs.fisher_mask(net, x, sparsity=sparsity, likelihood=likelihood, **CHOICE)
    np.testing.assert_array_equal(by_name.indices, again.indices)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_backend_asked_for_is_the_one_that_runs(net, backend):
    options = CHOICE | {"sparsity": 0.4, "batch_size": 3}
    found = fs.fisher_mask(net, images(12), backend=backend, **options | {"labeled": None})
    expected = fs.fisher_mask(net, images(12), **options | {"labeled": None})
    assert (found.backend, expected.backend) == (backend, "dual")
    np.testing.assert_array_equal(found.indices, expected.indices)


def test_storage_and_seeds(net, tmp_path: Path):
    x = images(30)
    expected = fs.fisher_mask(net, x, sparsity=0.4, **CHOICE)
    for options in ({"dtype": "bfloat16"}, {"dtype": "float32", "path": tmp_path}):
        found = fs.fisher_mask(net, x, sparsity=0.4, **CHOICE | options)
        np.testing.assert_allclose(found.objective, expected.objective, rtol=2e-2)
    narrow = fs.fisher_mask(net, x, sparsity=0.05, **CHOICE | {"dtype": "bfloat16"})
    assert narrow.backend == "cpu"
    masks = [
        fs.fisher_mask(net, x, sparsity=0.1, num_samples=5, seed=seed, **CHOICE).mask
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


def test_a_sketch_picks_nearly_as_well(net):
    x = images(60)
    options = CHOICE | {"sparsity": 0.4}
    exact = fs.fisher_mask(net, x, **options)
    sketched = fs.fisher_mask(net, x, sketch_dim=128, **options)
    assert sketched.backend == "cpu"
    chance = fs.random(60, labeled=LABELED, batch_size=5).indices
    single = single_factors(net, x, "softmax")[:, exact.mask]

    def objective(rows):
        problem = trace_problem(None, None, factors=single, labeled=LABELED, batch_size=5)
        weight = len(LABELED) / (len(LABELED) + 5)
        flat = single.transpose(0, 2, 1)
        M = 0.05 * np.eye(single.shape[1])
        for i in LABELED:
            M += weight / len(LABELED) * flat[i].T @ flat[i]
        for i in rows:
            M += problem.scale**2 * flat[i].T @ flat[i]
        F = np.einsum("nrd,nre->de", flat, flat) / len(x)
        return np.trace(np.linalg.solve(M, F))

    best, found, random = (objective(r) for r in (exact.indices, sketched.indices, chance))
    np.testing.assert_allclose(best, exact.objective[-1], rtol=1e-9)
    assert found - best < 0.5 * (random - best)


# ------------------------------------------------------------------------------------ the dual
@pytest.mark.parametrize(("n", "D", "r", "m"), [(1, 3, 1, 0), (33, 70, 2, 7), (20, 90, 4, 0)])
@pytest.mark.parametrize("oversample", [1.0, 2.0, 100.0])
def test_the_dual_is_optimal_by_regret(n, D, r, m, oversample):
    rng = np.random.default_rng(n)
    V = rng.standard_normal((n, D, r))
    V[n // 2] = V[0]  # ties go to the lowest index
    call = {
        "factors": V,
        "labeled": rng.permutation(n)[:m],
        "batch_size": max(1, (n - m) // 4),
        "oversample": oversample,
    }
    side = V.transpose(0, 2, 1).reshape(n * r, D)
    gram = dual.gram_matrix(lambda start, stop: side[:, start:stop], n * r, D)
    np.testing.assert_allclose(gram, side @ side.T, atol=1e-12)
    options = {k: v for k, v in call.items() if k != "factors"}
    problem = trace_problem(None, None, factors=V, **options)
    picks = dual.trace_select(problem, gram, n)
    assert_optimal(picks, call)
    expected = fs.bait(**call, backend="reference")
    np.testing.assert_array_equal(picks.indices, expected.indices)


def test_the_dual_reads_pieces_and_reports(monkeypatch):
    rng = np.random.default_rng(0)
    side = rng.standard_normal((24, 50))
    monkeypatch.setattr(dual, "PIECE", 7)
    monkeypatch.setattr(dual, "_BLOCK", 5)
    gram = dual.gram_matrix(lambda start, stop: side[:, start:stop], 24, 50)
    np.testing.assert_allclose(gram, side @ side.T, atol=1e-12)
    seen: list[tuple[str, int, int]] = []
    problem = trace_problem(
        None,
        None,
        factors=np.zeros((8, 1, 1)),
        labeled=[1],
        batch_size=2,
        progress=lambda *report: seen.append(report),
    )
    dual.trace_select(problem, gram, 8)
    assert seen == [(s, k, t) for s, t in (("forward", 4), ("backward", 2)) for k in
                    range(1, t + 1)]  # fmt: skip


def test_a_gram_matrix_that_is_none_is_a_numerical_error():
    problem = trace_problem(None, None, factors=np.zeros((3, 1, 1)), batch_size=1, lam=1e-3)
    with pytest.raises(fs.NumericalError, match=r"not positive definite .* raise lam"):
        dual.trace_select(problem, np.asfortranarray(-np.eye(3)), 3)


# -------------------------------------------------------------------------------------- memory
def test_memory_is_refused_before_it_is_taken(net, monkeypatch):
    ran = []
    net.register_forward_hook(lambda *_: ran.append(1))
    message = (
        r"needs .* for 107 masked parameters, 30 rows, rank 3 .* memory_limit; lower spars"
    )
    with pytest.raises(MemoryError, match=message):
        fs.fisher_mask(net, images(30), sparsity=0.1, batch_size=2, memory_limit=10_000)
    assert len(ran) == 2  # the trial that finds the last layer
    net._forward_hooks.clear()
    monkeypatch.setattr(memory, "free_memory", lambda: 1)
    with pytest.raises(MemoryError, match="free on this machine"):
        fs.fisher_mask(net, images(30), batch_size=2)


def test_what_lowers_the_need_does():
    full = MemoryNeed.of(10**6, 5000, 20_000, 9)
    assert not full.dual
    assert full.selection >= 4 * 8 * 20_000**2
    assert full.factors == 4 * 5000 * 9 * 20_000
    assert MemoryNeed.of(10**6, 5000, 2_000, 9).peak < full.peak / 5
    assert MemoryNeed.of(10**6, 5000, 20_000, 9, in_file=True).factors == 0
    few = MemoryNeed.of(10**6, 500, 20_000, 9)
    assert few.dual
    assert few.peak < full.peak / 10
    assert MemoryNeed.of(10**6, 500, 20_000, 9, dtype="bfloat16").peak < few.peak
    assert not MemoryNeed.of(10**6, 500, 20_000, 9, dual_allowed=False).dual


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sparsity": 0.0}, ValueError, "sparsity must be greater than 0"),
        ({"sparsity": 1.5}, ValueError, "sparsity must be at most 1, got 1.5"),
        ({"scope": "layer"}, ValueError, "scope must be one of 'global', 'per_layer'"),
        ({"num_samples": 0}, ValueError, "num_samples must be at least 1"),
        ({"dtype": "float16"}, ValueError, "dtype must be one of"),
        ({"sketch_dim": 0}, ValueError, "sketch_dim must be at least 1"),
        ({"memory_limit": 1.5}, TypeError, "memory_limit must be an integer"),
        ({"expectation": "mean"}, ValueError, "expectation must be one of 'exact', 'sampled'"),
        ({"batch_size": 31}, ValueError, "batch_size must be at most the number of unlabelled"),
        ({"labeled": [40]}, ValueError, r"labeled\[0\] is 40"),
        ({"lam": -1.0}, ValueError, "lam must be greater than 0"),
        ({"backend": "tpu"}, ValueError, "backend must be one of"),
        ({"likelihood": "poisson"}, ValueError, "likelihood must be one of"),
        ({"layer": "conv1"}, TypeError, r"layer must name a torch\.nn\.Linear"),
    ],
)
def test_bad_options_are_named(net, options, error, message):
    with pytest.raises(error, match=message):
        fs.fisher_mask(net, images(30), **{"batch_size": 2, **options})


# ------------------------------------------------------------------------------------- profile
def test_the_profile_counts_the_mask(net, tmp_path: Path):
    x = images(20)
    picks = fs.fisher_mask(net, x, sparsity=0.1, batch_size=2)
    profile = picks.profile
    layers = ["(model)", "conv1", "norm1", "conv2", "conv3", "norm3", "hidden", "norm", "head"]
    assert list(profile.layers) == layers
    assert sum(profile.sizes) == sum(p.numel() for p in net.parameters())
    assert sum(profile.kept) == len(picks.mask) == round(0.1 * sum(profile.sizes))
    assert profile.shares[-1] == 1.0  # the head
    assert "head            28 of          28  100.000%" in str(profile)
    even = fs.fisher_mask(net, x, sparsity=0.1, scope="per_layer", batch_size=2).profile
    assert np.ptp(even.shares[:-1]) < np.ptp(profile.shares[:-1])
    path = tmp_path / "profile.png"
    mask_profile.draw_mask_profile(path, profile, "Mask profile")
    assert path.read_bytes().startswith(b"\x89PNG")
