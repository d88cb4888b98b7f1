# SPDX-License-Identifier: Apache-2.0
"""Features and outputs of a model: right, without a trace, resumable; bad models refused."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from networks import Odd, images, seeded  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import (  # noqa: E402
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
    WeightedRandomSampler,
)

from fisher_select import features  # noqa: E402


def perceptron(outputs: int = 3, dropout: float = 0.0) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, outputs))


@pytest.fixture
def net() -> nn.Sequential:
    return seeded(perceptron, dtype=torch.float32)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(23, 4, generator=torch.Generator().manual_seed(2))


# ------------------------------------------------------------------------------ what comes out
@pytest.mark.parametrize("kind", ["tensor", "array", "dataset", "loader", "mapping"])
def test_features_and_probabilities_are_those_by_hand(net, x, kind):
    pool = {
        "tensor": x,
        "array": x.double().numpy(),  # cast to the model's precision
        "dataset": TensorDataset(x, torch.zeros(23)),
        "loader": DataLoader(TensorDataset(x, torch.zeros(23)), batch_size=5),
        "mapping": DataLoader(
            [{"input": row, "labels": torch.tensor(1)} for row in x], batch_size=5
        ),
    }[kind]
    found = features.extract(net, pool, batch_rows=7)
    with torch.no_grad():
        hidden = net[:3](x)
        logits = net[3](hidden)
    np.testing.assert_allclose(found.features, hidden, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.outputs, logits.softmax(1), rtol=1e-6, atol=1e-6)
    assert found.features.dtype == np.float32
    assert found.targets is None


def test_likelihoods_bias_column_device_and_targets(net, x):
    pool = TensorDataset(x, torch.arange(23))
    raw = features.extract(net, x, likelihood="gaussian", bias_column=True)
    assert np.all(raw.features[:, -1] == 1)
    with_bias = features.extract(net, x, bias_column=None)
    np.testing.assert_array_equal(raw.features, with_bias.features)
    sigmoid = features.extract(net, pool, likelihood="sigmoid", to="device", with_targets=True)
    assert isinstance(sigmoid.outputs, torch.Tensor)
    np.testing.assert_allclose(sigmoid.outputs, 1 / (1 + np.exp(-raw.outputs)), rtol=1e-5)
    np.testing.assert_array_equal(sigmoid.targets, np.arange(23))
    no_bias = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2, bias=False))
    assert features.extract(no_bias, x, bias_column=None).features.shape == (23, 6)


def test_mixed_precision_is_close_and_given_out_in_float32(net, x):
    exact, mixed = (features.extract(net, x, autocast=word) for word in (None, "bfloat16"))
    assert mixed.features.dtype == mixed.outputs.dtype == np.float32
    assert not np.array_equal(exact.outputs, mixed.outputs)
    np.testing.assert_allclose(exact.outputs, mixed.outputs, atol=2e-2)


def test_the_callable_makes_the_inputs(net, x):
    pool = DataLoader(TensorDataset(torch.zeros(23), x), batch_size=4)
    found = features.extract(net, pool, inputs=lambda batch: batch[1])
    np.testing.assert_allclose(found.features, features.extract(net, x).features, atol=1e-6)


def test_progress_counts_rows(net, x):
    seen: list[tuple[str, int, int]] = []
    features.extract(net, x, batch_rows=10, progress=lambda *report: seen.append(report))
    assert seen == [("features", 10, 23), ("features", 20, 23), ("features", 23, 23)]


def test_arrays_with_a_stray_stride_on_a_short_axis():
    """NumPy makes such images; torch's convolutions crash on them in the backward pass."""
    rng = np.random.default_rng(0)
    pixels = rng.random((12, 8, 8), dtype=np.float32)
    stray = pixels[np.arange(12), None]  # [12, 1, 8, 8]
    assert stray.strides[1] == 4
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
    found = features.diagonal_fisher(model, stray)
    plain = np.ascontiguousarray(pixels).reshape(12, 1, 8, 8)
    np.testing.assert_allclose(found, features.diagonal_fisher(model, plain), rtol=1e-5)


# -------------------------------------------------------------------------------- no trace left
def state_of_the_world() -> tuple[Any, ...]:
    return (
        torch.random.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
    )


def trace(model: nn.Module) -> dict[str, Any]:
    """Everything of a model that a hook could change, bit by bit."""
    return {
        "state": {k: v.numpy().tobytes() for k, v in model.state_dict().items()},
        "modes": [m.training for m in model.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "grads": [p.grad for p in model.parameters()],
        "requires": [p.requires_grad for p in model.parameters()],
    }


class Restless(Dataset[Any]):
    """A data set that draws from all three global generators."""

    def __init__(self, rows: torch.Tensor, fail_at: int = -1) -> None:
        self.rows, self.fail_at = rows, fail_at

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> torch.Tensor:
        if i == self.fail_at:
            raise OSError("unreadable image")
        torch.rand(1), random.random(), np.random.rand()  # noqa: NPY002
        return self.rows[i]


@pytest.mark.parametrize("fail_at", [-1, 17])
def test_model_hooks_and_random_states_are_as_before(fail_at):
    model = seeded(Odd)
    model.train()
    model.norm1.eval()  # a mixed state, as in fine-tuning
    generator = torch.Generator().manual_seed(5)
    pool = DataLoader(Restless(images(20), fail_at), batch_size=4, generator=generator)
    before, world, own = trace(model), state_of_the_world(), generator.get_state()
    calls = [
        lambda: features.extract(model, pool),
        lambda: features.diagonal_fisher(model, pool),
        lambda: features.masked_factors(model, pool, np.arange(3)),
    ]
    for call in calls:
        if fail_at < 0:
            call()
        else:
            with pytest.raises(OSError, match="unreadable image"):
                call()
        assert trace(model) == before
        assert state_of_the_world() == world
        assert torch.equal(generator.get_state(), own)


# ------------------------------------------------------------------------------------- on disk
class Counting(nn.Sequential):
    rows = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.rows += len(x)
        return super().forward(x)


def test_an_interrupted_extraction_goes_on(net, x, tmp_path: Path):
    model = Counting(*net)
    whole = features.extract(model, x, bias_column=True)

    def stop_at_15(_stage: str, done: int, _total: int) -> None:
        if done >= 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features.extract(
            model, x, bias_column=True, path=tmp_path, batch_rows=5, progress=stop_at_15
        )
    assert json.loads((tmp_path / "progress.json").read_text())["rows_done"] == 15
    model.rows = 0
    found = features.extract(model, x, bias_column=True, path=tmp_path, batch_rows=5)
    assert model.rows == 8 + 2 * 4  # what was left, and the probe, twice
    assert isinstance(found.features, np.memmap)
    np.testing.assert_allclose(found.features, whole.features, atol=1e-6)
    np.testing.assert_allclose(found.outputs, whole.outputs, atol=1e-6)
    again = features.extract(model, x, bias_column=True, path=tmp_path)
    np.testing.assert_array_equal(again.outputs, found.outputs)


def test_rows_of_another_model_pool_or_option_are_refused(net, x, tmp_path: Path):
    features.extract(net, x, path=tmp_path)
    other = copy.deepcopy(net)
    with torch.no_grad():
        other[0].bias += 1e-3
    for model, pool, options, word in (
        (other, x, {}, "model"),
        (net, x + 1, {}, "pool"),
        (net, x, {"likelihood": "sigmoid"}, "options"),
    ):
        with pytest.raises(ValueError, match=f"holds rows of another {word}; delete it"):
            features.extract(model, pool, path=tmp_path, **options)
    (tmp_path / "outputs.npy").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"outputs\.npy: cannot be continued"):
        features.extract(net, x, path=tmp_path)
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(ValueError, match=r"progress\.json: not a record of this kind"):
        features.extract(net, x, path=tmp_path)
    with pytest.raises(ValueError, match="path must be None with to='device'"):
        features.extract(net, x, path=tmp_path, to="device")


# ---------------------------------------------------------------------------------- MC dropout
def test_dropout_samples_have_only_dropout_active(x):
    model = nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3)
    ).train()
    before = trace(model)
    first, same, other = (
        features.dropout_samples(model, x, samples=200, seed=s, batch_rows=9) for s in (0, 0, 1)
    )
    assert trace(model) == before  # no statistics of the batch norm moved
    assert first.shape == (200, 23, 3)
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(first.sum(2), 1, atol=1e-5)
    with torch.no_grad():
        hidden = model.eval()[:2](x)
        drawn = [(torch.rand(23, 6) < 0.5) * hidden * 2 for _ in range(2000)]
        expected = torch.stack([model[3](h).softmax(1) for h in drawn]).mean(0)
    np.testing.assert_allclose(first.mean(0), expected, atol=0.1)


def test_no_dropout_is_an_error(net, x):
    with pytest.raises(ValueError, match=r"must have dropout layers .* it has none; pass"):
        features.dropout_samples(net, x)


# ---------------------------------------------------------------------------------- bad models
class Heads(nn.Module):
    def __init__(self, *, apart: bool) -> None:
        super().__init__()
        self.body, self.apart = nn.Linear(4, 6), apart
        self.age, self.sex = nn.Linear(6, 5), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.body(x)
        return self.age(hidden), self.sex(hidden.tanh() if self.apart else hidden)


class Returns(nn.Module):
    """A linear layer, and something done with what it gives."""

    def __init__(self, then: Any) -> None:
        super().__init__()
        self.fc, self.then = nn.Linear(4, 3), then

    def forward(self, x: torch.Tensor) -> Any:
        return self.then(self.fc(x), self)


@pytest.mark.parametrize("apart", [False, True])
def test_several_heads_ask_for_a_name(x, apart):
    model = Heads(apart=apart)
    with pytest.raises(ValueError, match=r"several heads \(age, sex\); pass layer="):
        features.extract(model, x)
    assert features.extract(model, x, layer="age").outputs.shape == (23, 5)


@pytest.mark.parametrize(
    "then",
    [
        lambda z, _: z.softmax(1),
        lambda z, _: z.log_softmax(1),
        lambda z, _: z.sigmoid(),
        lambda z, _: {"logits": z, "hidden": [z * 2]},
    ],
)
def test_what_a_model_makes_of_its_logits_may_be_usual(x, then):
    model = Returns(then)
    expected = model.fc(x).softmax(1).detach()
    np.testing.assert_allclose(features.extract(model, x).outputs, expected, atol=1e-6)


def test_bad_models_are_told_what_to_pass(x):
    cases = [
        (nn.Conv1d(4, 3, 1), ValueError, "must end in a torch.nn.Linear, it has none; replace"),
        (nn.Identity(), ValueError, "must have parameters"),
        (np.zeros(3), TypeError, "model must be a torch.nn.Module, got ndarray"),
        (
            Returns(lambda z, _: z.square() + 2),
            ValueError,
            "outputs of its last linear layer, 'fc'",
        ),
        (
            Returns(lambda z, m: m.fc(z @ m.fc.weight)),
            ValueError,
            "it ran 2 times; pass layer=",
        ),
        (nn.Linear(4, 1), ValueError, "pass likelihood='sigmoid' or 'gaussian'"),
    ]
    for model, error, message in cases:
        with pytest.raises(error, match=message):
            features.extract(model, x)
    with pytest.raises(ValueError, match=r"must give one row of outputs for each .* layer="):
        features.extract(nn.Linear(4, 3), x[:, None])
    with pytest.raises(ValueError, match=r"got 'top'; its linear layers are \['0', '3'\]"):
        features.extract(perceptron(), x, layer="top")
    with pytest.raises(TypeError, match=r"layer must name a torch\.nn\.Linear, '1' is a Tanh"):
        features.extract(perceptron(), x, layer="1")
    with pytest.raises(ValueError, match="autocast must be one of"):
        features.extract(perceptron(), x, autocast="int8")


def test_outputs_that_are_not_finite_name_the_row(net, x):
    x[13, 2] = float("nan")
    with pytest.raises(ValueError, match=r"must be finite: pool row 13 gives \[nan"):
        features.extract(net, x, batch_rows=5)
    with pytest.raises(ValueError, match="must be finite: pool row 13"):
        features.diagonal_fisher(net, x, batch_rows=5)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(torch.zeros(3, 4))


def test_pools_without_order_or_length_are_refused(net, x):
    data = TensorDataset(x)
    weighted = WeightedRandomSampler(torch.ones(23), 23)
    for pool, message in (
        (DataLoader(data, shuffle=True), r"shuffles or samples \(RandomSampler\); pass"),
        (DataLoader(data, sampler=weighted), r"\(WeightedRandomSampler\)"),
        (DataLoader(data, batch_size=5, drop_last=True), "must not drop rows"),
        (DataLoader(data, batch_size=None), "must yield plain batches"),
        (x[:0], "at least one row"),
    ):
        with pytest.raises(ValueError, match=message):
            features.extract(net, pool)
    for pool, message in ((Stream(), "a Dataset with a length"), ([1.0], "got list")):
        with pytest.raises(TypeError, match=message):
            features.extract(net, pool)
    with pytest.raises(TypeError, match="IterableDataset; pass a map-style data set"):
        features.extract(net, DataLoader(Stream()))
    with pytest.raises(TypeError, match="pass inputs= to turn a batch"):
        features.extract(net, DataLoader(["a", "b"], collate_fn=lambda rows: (rows,)))
