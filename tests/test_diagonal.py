# SPDX-License-Identifier: Apache-2.0
"""The diagonal Fisher information and the masked factors against autograd, sample by sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fisher_select as fs

torch = pytest.importorskip("torch")

from networks import Odd, Tied, Tokens, images, seeded, single_factors  # noqa: E402
from torch import nn  # noqa: E402

from fisher_select import features  # noqa: E402
from fisher_select.features import layers  # noqa: E402
from fisher_select.features.columns import factor_columns  # noqa: E402

LIKELIHOODS = ("softmax", "sigmoid", "gaussian")


def wide(side: int) -> nn.Sequential:
    """Two convolutions whose maps are `side` pixels wide: small ones take the other formula."""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 4, 3), nn.Tanh(),
        nn.Flatten(), nn.Linear(4 * (side - 2) ** 2, 3),
    )  # fmt: skip


def case(name: str) -> tuple[nn.Module, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    if name == "odd":
        return seeded(Odd), images(7)
    if name == "frozen":
        model = seeded(Odd)
        model.conv1.requires_grad_(False)
        model.norm.bias.requires_grad_(False)
        return model, images(7)
    if name == "only the head":
        model = seeded(Odd)
        model.requires_grad_(False)
        model.head.requires_grad_(True)
        return model, images(7)
    if name == "tokens":
        return seeded(Tokens), torch.randint(11, (7, 3), generator=generator)
    if name == "tied":
        return seeded(Tied), torch.randn(7, 5, generator=generator, dtype=torch.float64)
    side = int(name)
    x = torch.randn(7, 2, side, side, generator=generator, dtype=torch.float64)
    return seeded(wide, side), x


CASES = ("odd", "frozen", "only the head", "tokens", "tied", "3", "5", "12")


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", CASES)
def test_diagonal_and_factors_are_those_of_single_samples(name, likelihood):
    model, x = case(name)
    single = single_factors(model, x, likelihood)  # [n, parameters, C]
    expected = np.square(single).sum(axis=2).mean(axis=0)
    found = features.diagonal_fisher(model, x, likelihood=likelihood, batch_rows=3)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13 * expected.max())

    mask = np.sort(np.random.default_rng(0).permutation(len(expected))[: len(expected) // 3])
    factors = features.masked_factors(
        model, x, mask, likelihood=likelihood, dtype="float64", batch_rows=3
    )
    np.testing.assert_allclose(factors, single[:, mask], rtol=1e-9, atol=1e-14)
    whole = features.masked_factors(
        model, x, np.arange(len(expected)), likelihood=likelihood, dtype="float64", reduced=True
    )
    assert whole.shape[2] == single.shape[2] - (likelihood == "softmax")
    np.testing.assert_allclose(
        whole @ whole.swapaxes(1, 2), single @ single.swapaxes(1, 2), atol=1e-12
    )


def test_the_squares_by_either_formula_are_the_same(monkeypatch):
    model, x = case("odd")
    found = []
    for cost in (-1e9, 1e9):  # never multiplied out; always
        monkeypatch.setattr(layers, "_ENTRY_COST", cost)
        found.append(features.diagonal_fisher(model, x))
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("cost", [0, 10**9])
def test_entries_by_either_way_are_the_same(monkeypatch, cost):
    model, x = case("odd")
    single = single_factors(model, x, "softmax")
    monkeypatch.setattr(layers, "_GATHER_COST", cost)
    monkeypatch.setattr(layers, "_PIECE_BYTES", 1)  # a piece a sample
    found = features.masked_factors(model, x, np.arange(single.shape[1]), dtype="float64")
    np.testing.assert_allclose(found, single, rtol=1e-9, atol=1e-14)


def test_which_parameters_need_torch_func():
    """The bare parameter, embeddings, tokens of all samples in one matrix, hidden ties."""
    from fisher_select.features.gradients import SampleGradients

    for name, expected in (
        ("odd", {"scale"}),
        ("tokens", {"embed.weight", "flat.weight", "flat.bias"}),
        ("tied", {"first.weight"}),
    ):
        model, x = case(name)
        probe = features.Pool(x, batch_rows=3).head(next(model.parameters()), 3)
        gradients = SampleGradients(
            model.eval(), probe, layer=None, likelihood="softmax", autocast=None
        )
        assert {slot.name for slot in gradients.batched} == expected


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_sampled_labels_approach_the_expectation(likelihood):
    model, x = case("odd")
    exact = features.diagonal_fisher(model, x, likelihood=likelihood)
    drawn, same, other = (
        features.diagonal_fisher(
            model, x, likelihood=likelihood, expectation="sampled", draws=400, seed=seed
        )
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(drawn, same)
    assert not np.array_equal(drawn, other)
    np.testing.assert_allclose(drawn.sum(), exact.sum(), rtol=0.1)
    assert np.corrcoef(drawn, exact)[0, 1] > 0.99


def test_rows_and_batches():
    model, x = case("odd")
    rows = np.array([1, 4, 6])
    expected = features.diagonal_fisher(model, x[rows])
    for size in (1, 2, 7):
        found = features.diagonal_fisher(model, x, rows=rows, batch_rows=size)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-16)


def test_it_agrees_with_the_accumulator_of_rows():
    model, x = case("5")
    single = single_factors(model, x, "softmax")
    accumulator = fs.DiagonalFisher(single.shape[1])
    for factor in single:
        accumulator.add(factor.T, weights=np.full(3, 1 / 3))
    expected = 3 * accumulator.mean()
    found = features.diagonal_fisher(model, x)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_mixed_precision_and_float32_are_close():
    model, x = case("odd")
    exact = features.diagonal_fisher(model, x)
    model.float()
    single = features.diagonal_fisher(model, x.float())
    np.testing.assert_allclose(single, exact, rtol=1e-3, atol=1e-6 * exact.max())
    mixed = features.diagonal_fisher(model, x.float(), autocast="bfloat16")
    assert np.corrcoef(mixed, exact)[0, 1] > 0.99
    assert mixed.min() >= 0 <= single.min()


def test_factor_columns_square_to_the_information_of_the_logits():
    logits = torch.tensor([[0.3, -2.0, 1.0], [60.0, 0.0, -60.0]], dtype=torch.float64)
    p = logits.softmax(1)
    wanted = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    for reduced in (False, True):
        columns = factor_columns(logits, "softmax", reduced=reduced)
        assert len(columns) == 3 - reduced
        found = torch.einsum("kbc,kbe->bce", columns, columns)
        np.testing.assert_allclose(found, wanted, atol=1e-15)


def test_batch_statistics_and_frozen_models_are_refused():
    x = torch.randn(4, 3)
    mixing = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 2)
    )
    with pytest.raises(ValueError, match="'1' normalises by the batch's statistics"):
        features.diagonal_fisher(mixing, x)
    with pytest.raises(ValueError, match="requires_grad, all are frozen"):
        features.diagonal_fisher(nn.Linear(3, 2).requires_grad_(False), x)


class Branching(nn.Module):
    """Its forward depends on the data, which torch.func cannot batch."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.head = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x * self.scale if (x * self.scale).sum() > 0 else x)


def test_what_cannot_be_batched_says_what_to_freeze():
    x = torch.rand(4, 3)
    model = Branching()
    with pytest.raises(ValueError, match=r"parameters scale: torch.func says .* freeze them"):
        features.diagonal_fisher(model, x)
    model.scale.requires_grad_(False)
    assert features.diagonal_fisher(model, x).shape == (8,)


# ----------------------------------------------------------------------------- stored factors
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_factors_in_a_file_are_those_in_memory(tmp_path: Path, dtype: str):
    model, x = case("odd")
    mask = np.arange(0, 900, 7)
    memory = features.masked_factors(model, x, mask, dtype=dtype)

    def stop(_stage: str, done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    options = {"dtype": dtype, "path": tmp_path, "batch_rows": 2}
    with pytest.raises(KeyboardInterrupt):
        features.masked_factors(model, x, mask, progress=stop, **options)
    seen: list[int] = []
    filed = features.masked_factors(
        model, x, mask, progress=lambda _s, done, _t: seen.append(done), **options
    )
    assert seen == [6, 7]
    if dtype == "bfloat16":
        assert memory.dtype == filed.dtype == torch.bfloat16
        memory, filed = memory.float(), filed.float()
    np.testing.assert_allclose(filed, memory, rtol=1e-2 if dtype == "bfloat16" else 1e-4)
    with pytest.raises(ValueError, match="holds rows of another mask"):
        features.masked_factors(model, x, mask[1:], **options)


def test_a_sketch_keeps_inner_products_on_average():
    model, x = case("odd")
    mask = np.arange(300)
    exact = features.masked_factors(model, x, mask, dtype="float64")[:, :, 0]
    found = [
        features.masked_factors(model, x, mask, dtype="float64", sketch_dim=64, seed=seed)
        for seed in range(60)
    ]
    assert found[0].shape == (7, 64, 4)
    mean = np.mean([v[:, :, 0] @ v[:, :, 0].T for v in found], axis=0)
    gram = exact @ exact.T
    np.testing.assert_allclose(mean, gram, atol=0.1 * gram.max())


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([3, 2], "sorted indices"),
        ([2, 2], "sorted indices"),
        ([], "at least one"),
        ([-1, 2], "from 0 to 7, got -1 to 2"),
        ([1, 8], "from 0 to 7, got 1 to 8"),
    ],
)
def test_bad_masks_are_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        features.masked_factors(nn.Linear(3, 2), torch.rand(4, 3), np.array(mask, dtype=int))
