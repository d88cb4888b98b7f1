# SPDX-License-Identifier: Apache-2.0
"""The array boundary: what is viewed, what is converted, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fisher_select import arrays, conversion

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda a: a, id="contiguous"),
        pytest.param(np.asfortranarray, id="fortran"),
        pytest.param(lambda a: a[::2, 1::3], id="strided"),
        pytest.param(lambda a: a[::-1, ::-1], id="reversed"),
        pytest.param(lambda a: np.broadcast_to(a[0], (5, a.shape[1])), id="broadcast"),
    ],
)
def test_floats_of_any_strides_are_viewed_not_copied(dtype: type, view: Any) -> None:
    given = view(RNG.standard_normal((12, 9)).astype(dtype))
    seen = arrays.as_matrix("features", given)
    assert seen.dtype == dtype
    assert seen.strides == given.strides
    assert np.shares_memory(seen, given)


def test_memmap_is_viewed_not_read_into_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "pool.npy", RNG.standard_normal((40, 6)))
    given = np.load(tmp_path / "pool.npy", mmap_mode="r")
    seen = arrays.as_matrix("features", given)
    assert np.shares_memory(seen, given)
    assert not seen.flags.writeable


def test_read_only_arrays_pass() -> None:
    given = RNG.standard_normal((4, 3))
    given.setflags(write=False)
    assert np.shares_memory(arrays.as_matrix("features", given), given)


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(torch.randn(8, 5), id="float32"),
        pytest.param(torch.randn(8, 5, dtype=torch.float64), id="float64"),
        pytest.param(torch.randn(10, 8).t()[:, ::2], id="non-contiguous"),
        pytest.param(torch.randn(8, 5, requires_grad=True), id="requires_grad"),
        pytest.param(torch.nn.Parameter(torch.randn(8, 5)), id="parameter"),
    ],
)
def test_torch_cpu_tensors_share_their_memory(tensor: torch.Tensor) -> None:
    seen = arrays.as_matrix("features", tensor)
    np.testing.assert_array_equal(seen, tensor.detach().numpy())
    assert np.shares_memory(seen, tensor.detach().numpy())


def test_dlpack_exporters_share_their_memory() -> None:
    class Exporter:
        def __init__(self, array: np.ndarray) -> None:
            self._array = array

        def __dlpack__(self, **options: Any) -> Any:
            return self._array.__dlpack__(**options)

        def __dlpack_device__(self) -> tuple[int, int]:
            return self._array.__dlpack_device__()

    given = RNG.standard_normal((4, 3))
    assert np.shares_memory(arrays.as_matrix("features", Exporter(given)), given)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        pytest.param(np.arange(6).reshape(2, 3), np.float64, id="int64"),
        pytest.param(np.ones((2, 3), np.uint8), np.float64, id="uint8"),
        pytest.param(np.eye(2, dtype=bool), np.float64, id="bool"),
        pytest.param([[1, 2.5], [3, 4]], np.float64, id="lists"),
        pytest.param(np.ones((2, 3), np.float16), np.float32, id="float16"),
        pytest.param(np.ones((2, 3), np.longdouble), np.float64, id="longdouble"),
        pytest.param(np.arange(6.0).reshape(2, 3).astype(">f4"), np.float32, id="big-endian"),
        pytest.param(torch.ones(2, 3, dtype=torch.float16), np.float32, id="torch-float16"),
        pytest.param(torch.ones(2, 3, dtype=torch.bfloat16), np.float32, id="bfloat16"),
        pytest.param(torch.arange(6).reshape(2, 3), np.float64, id="torch-int64"),
        pytest.param(torch.eye(2, dtype=torch.bool), np.float64, id="torch-bool"),
    ],
)
def test_other_numbers_are_converted(given: Any, dtype: type) -> None:
    seen = arrays.as_matrix("features", given)
    assert seen.dtype == dtype
    assert seen.dtype.isnative
    plain = given.double().numpy() if isinstance(given, torch.Tensor) else given
    np.testing.assert_array_equal(seen, np.asarray(plain, dtype=np.float64))


def test_unaligned_fields_are_copied() -> None:
    packed = np.zeros((5, 3), dtype=[("tag", "i1"), ("value", "f8")])
    packed["value"] = RNG.standard_normal((5, 3))
    seen = arrays.as_matrix("features", packed["value"])
    assert seen.flags.aligned
    np.testing.assert_array_equal(seen, packed["value"])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.array([["a", "b"]]), TypeError, "features must hold real numbers, got dtype <U1"),
        (np.array([[1, None]]), TypeError, "features must hold real numbers, got dtype object"),
        (np.ones((2, 2), complex), TypeError, "features must hold real numbers, got dtype com"),
        (np.ma.ones((2, 2)), TypeError, "features must not be a masked array"),
        (torch.eye(2).to_sparse(), TypeError, "features must be a dense tensor, got layout"),
        (torch.eye(2, dtype=torch.cfloat), TypeError, "must hold real numbers, got dtype comp"),
        (
            torch.empty(2, 2, device="meta"),
            ValueError,
            r"features must be in the CPU's memory, got an array on torch device 'meta'",
        ),
        ([[1.0], [1.0, 2.0]], ValueError, "features must be a rectangular array"),
        (
            np.ones(3),
            ValueError,
            r"features must have 2 axes \[n, d\], got 1 with shape \[3\]",
        ),
        (np.float64(3), ValueError, r"features must have 2 axes \[n, d\], got 0"),
        (
            np.ones((0, 3)),
            ValueError,
            r"features must not be empty: \[n, d\] wanted, got \[0, 3\]",
        ),
        (np.ones((3, 0)), ValueError, r"must not be empty: \[n, d\] wanted, got \[3, 0\]"),
    ],
)
def test_other_input_is_refused(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        arrays.as_matrix("features", given)


def test_arrays_on_a_gpu_are_refused_by_their_interface() -> None:
    class OnDevice:
        __cuda_array_interface__: dict[str, Any] = {}  # noqa: RUF012  # as cupy spells it

    with pytest.raises(ValueError, match="got an array on a CUDA device: copy it"):
        arrays.as_matrix("features", OnDevice())


def test_factors_want_three_axes() -> None:
    assert arrays.as_factors("factors", np.ones((4, 3, 2))).shape == (4, 3, 2)
    with pytest.raises(ValueError, match=r"factors must have 3 axes \[n, D, r\], got 2"):
        arrays.as_factors("factors", np.ones((4, 3)))


# --------------------------------------------------------------------------- finiteness
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("row", [0, 1, 2999])
def test_first_bad_row_is_found_in_any_chunk(
    monkeypatch: pytest.MonkeyPatch, bad: float, order: str, row: int
) -> None:
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 1 << 10)  # many chunks
    X = np.ones((3000, 7), order=order)
    X[row, 4] = bad
    X[2999, 6] = np.nan  # a later one does not hide it
    with pytest.raises(
        ValueError, match=f"features must be finite: row {row}, column 4 is {bad}"
    ):
        arrays.as_matrix("features", X)


def test_opposite_infinities_do_not_cancel() -> None:
    X = np.zeros((2, 2))
    X[1] = np.inf, -np.inf
    with pytest.raises(ValueError, match="row 1, column 0 is inf"):
        arrays.as_matrix("features", X)


def test_a_sum_that_overflows_is_not_mistaken_for_infinity() -> None:
    X = np.full((4, 4), np.finfo(np.float32).max, dtype=np.float32)
    assert arrays.as_matrix("features", X) is not None


# ------------------------------------------------------------------------ probabilities
def test_probabilities_are_viewed_when_nothing_needs_repair() -> None:
    P = np.full((3, 4), 0.25, dtype=np.float32)
    assert arrays.as_probabilities("probabilities", P, 3, "softmax") is P


def test_half_precision_softmax_is_accepted_and_divided_by_its_sums() -> None:
    logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    P = torch.softmax(logits, dim=1).to(torch.float16)
    assert (P.float().sum(1) - 1).abs().max() > 1e-5  # the repair is needed
    seen = arrays.as_probabilities("probabilities", P, 200, "softmax")
    np.testing.assert_allclose(seen.sum(axis=1), 1.0, atol=5e-7)


def test_rounding_outside_the_unit_interval_is_clipped_not_passed_on() -> None:
    P = np.array([[1.0 + 5e-7, -5e-7], [0.5, 0.5]])
    seen = arrays.as_probabilities("probabilities", P, 2, "softmax")
    assert seen.min() >= 0.0
    assert seen.max() <= 1.0
    assert P[0, 1] < 0.0  # the caller's array is left alone


def test_logits_are_called_so_wherever_the_first_one_lies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 1 << 10)  # many chunks
    P = np.full((3000, 4), 0.25)
    P[5], P[2900, 1] = 0.1, 3.0
    message = r"^probabilities must lie in \[0, 1\] \(not logits\): row 2900, column 1 is 3,"
    with pytest.raises(ValueError, match=message):
        arrays.as_probabilities("probabilities", P, 3000, "softmax")
    P[2900, 1] = 0.25
    with pytest.raises(ValueError, match=r"for softmax \(within 0.001\): row 5 sums to 0.4$"):
        arrays.as_probabilities("probabilities", P, 3000, "softmax")


def test_sigmoid_rows_need_not_sum_to_one() -> None:
    P = np.array([[0.9], [0.2]])
    assert arrays.as_probabilities("probabilities", P, 2, "sigmoid") is P


# -------------------------------------------------------------------------- labelled rows
@pytest.mark.parametrize(
    "given",
    [
        [4, 1, 7],
        (7, 4, 1),
        np.array([1, 7, 4], dtype=np.uint16),
        torch.tensor([7, 1, 4]),
        np.isin(np.arange(9), [1, 4, 7]),
        torch.isin(torch.arange(9), torch.tensor([1, 4, 7])),
        np.isin(np.arange(9), [1, 4, 7]).tolist(),
    ],
)
def test_labeled_is_sorted_whatever_its_form(given: Any) -> None:
    rows = arrays.as_labeled(given, 9)
    assert rows.dtype == np.int64
    np.testing.assert_array_equal(rows, [1, 4, 7])


@pytest.mark.parametrize("given", [None, [], np.array([], dtype=int), np.zeros(9, bool)])
def test_nothing_labeled(given: Any) -> None:
    rows = arrays.as_labeled(given, 9)
    assert rows.dtype == np.int64
    assert rows.shape == (0,)


def test_row_count_reads_no_data() -> None:
    assert conversion.row_count("pool", torch.empty(7, 3, device="meta")) == 7
    assert conversion.row_count("pool", [[1], [2]]) == 2
    with pytest.raises(TypeError, match="pool must be an array or a number of rows, got set_"):
        conversion.row_count("pool", iter({1}))
