# SPDX-License-Identifier: Apache-2.0
"""Where arrays lie decides who works on them; what the protocols promise is kept."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from exporters import Dlpack, Export, Interface
from operations import LARGE, OPERATIONS, N, pool, run

import fisher_select as fs
from fisher_select import arrays, backends, cuda_module, device_arrays
from fisher_select.placement import place

X, P = pool()["features"], pool()["probabilities"]


@pytest.fixture
def emulated() -> Any:
    """The compiled module with the emulation's hooks."""
    state = backends.explain()["cuda"]
    if state != backends.EMULATED:
        pytest.skip(f"no emulated device: backend 'cuda' is {state}")
    return cuda_module.load()


# ------------------------------------------------------------------------------ places
@pytest.mark.cuda
def test_one_place_for_all_large_arrays(export: Export) -> None:
    words = r"^features and probabilities must lie in one place: features lies "
    with pytest.raises(
        ValueError, match=words + r"on CUDA device 0, probabilities in the CPU's"
    ):
        fs.bait(export(X), P, batch_size=2)
    with pytest.raises(
        ValueError, match=words + r"in the CPU's memory, probabilities on CUDA d"
    ):
        fs.badge(X, export(P), batch_size=2, backend="cuda")
    there = pool() | {"features": export(X), "probabilities": export(P)}
    with pytest.raises(ValueError, match=r"^features and eval_features must lie in one place"):
        run("information_gain", there)


@pytest.mark.cuda
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_backends_of_the_host_refuse_device_arrays(backend: str, export: Export) -> None:
    there = pool() | {name: export(pool()[name]) for name in LARGE}
    words = (
        rf"^backend '{backend}' reads the CPU's memory alone, and (features|factors) lies on a "
        r"CUDA device: copy it with \.cpu\(\) or \.get\(\), or choose backend='cuda'$"
    )
    for operation in OPERATIONS:
        with pytest.raises(ValueError, match=words):
            run(operation, there, backend=backend)


@pytest.mark.cuda
def test_functions_of_the_host_alone_say_so(export: Export) -> None:
    words = (
        r"^probabilities must be in the CPU's memory, got an array on .*: copy it with \.cpu"
    )
    with pytest.raises(ValueError, match=words):
        fs.uncertainty(export(P), batch_size=2)


@pytest.mark.cuda
def test_the_device_is_that_of_the_arrays(
    emulated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FS_EMULATION_DEVICES", "3")
    engine, (features,) = place("auto", features=Interface(X, device=2))
    assert engine.name == "cuda"
    assert isinstance(features, device_arrays.DeviceArray)
    assert features.device == 2
    asked = []

    class Module(ModuleType):
        def k_center(self, **arguments: Any) -> Any:
            asked.append((arguments["device"], arguments["stream"]))
            return emulated.k_center(**arguments)

    monkeypatch.setattr(engine, "_module", Module("spy"))
    monkeypatch.setattr(backends, "_cuda", lambda: engine)
    expected = fs.k_center(X, batch_size=4, first=0, backend="cpu")
    found = fs.k_center(Interface(X, device=2), batch_size=4, first=0)
    np.testing.assert_array_equal(found.indices, expected.indices)
    assert asked == [(2, 0)]
    words = "features lies on CUDA device 2, probabilities on CUDA device 1$"
    with pytest.raises(ValueError, match=words):
        fs.badge(Interface(X, device=2), Interface(P, device=1), batch_size=2)


def test_auto_and_host_arrays_stay_on_the_host(cpu: str) -> None:
    engine, given = place("auto", features=X, probabilities=None)
    assert engine.name == cpu
    assert given == (X, None)


# ------------------------------------------------------------------------------ streams
@pytest.mark.cuda
def test_the_interfaces_stream_comes_first(emulated: Any) -> None:
    """Numbers that are still under way when the call begins."""
    stream = emulated._create_stream()

    def under_way(array: np.ndarray, **changes: Any) -> Interface:
        unknown = np.frombuffer(b"\xff" * array.nbytes, array.dtype)  # NaN, -1
        there = Interface(unknown.reshape(array.shape), **changes)
        emulated._upload_later(there.memory.address, array, stream)
        return there

    with pytest.raises(ValueError, match=r"^features must be finite: row 0, column 0 is nan$"):
        fs.k_center(under_way(X), batch_size=4)
    expected = fs.bait(X, P, batch_size=4)
    found = fs.bait(under_way(X, stream=stream), under_way(P, stream=stream), batch_size=4)
    np.testing.assert_array_equal(found.indices, expected.indices)
    diagonal = np.random.default_rng(0).random(50)
    np.testing.assert_array_equal(
        fs.top_k_mask(under_way(diagonal, stream=stream), 7), fs.top_k_mask(diagonal, 7)
    )
    rows = arrays.as_labeled(under_way(np.array([2, 5]), stream=stream), N)
    np.testing.assert_array_equal(rows, [2, 5])


@pytest.mark.cuda
@pytest.mark.parametrize("stream", [None, 1, 2])
def test_default_streams_by_name(stream: int | None, export: Export) -> None:
    there = export(X)
    if not isinstance(there, Interface):
        pytest.skip("of the interface alone")
    there.__cuda_array_interface__["stream"] = stream
    expected = fs.k_center(X, batch_size=4).indices
    np.testing.assert_array_equal(fs.k_center(there, batch_size=4).indices, expected)


@pytest.mark.cuda
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("device_type", [2, 13])
def test_dlpack_is_asked_to_wait_for_its_own_stream(device_type: int) -> None:
    there = Dlpack(X, device_type)
    found = fs.k_center(there, batch_size=4)
    assert there.asked == [1]  # the legacy default stream, which the engine waits for
    assert found.backend == "cuda"
    np.testing.assert_array_equal(found.indices, fs.k_center(X, batch_size=4).indices)


# ---------------------------------------------------------------------------- protocols
def refused(there: Interface, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fs.k_center(there, batch_size=2)


@pytest.mark.cuda
@pytest.mark.usefixtures("emulated")
def test_interfaces_that_cannot_be_read() -> None:
    refused(
        Interface(X, data=(4096, False)),
        ValueError,
        "^features must lie on a CUDA device, as its interface says: no device can read its "
        "address 0x1000$",
    )
    refused(Interface(X, mask=Interface(X > 0)), TypeError, "^features must not be a masked")
    refused(Interface(X, strides=(22, 4)), ValueError, "^features must be aligned in the")
    for numbers in (
        X.astype(np.float16),
        X.astype(">f4"),
        X.astype(np.int64),
        X.astype(complex),
    ):
        refused(
            Interface(numbers),
            TypeError,
            f"^features must hold float32 or float64, got dtype {numbers.dtype} of Interface",
        )


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["i4", "u2", "i8", "?"])
def test_small_arrays_of_any_integers(dtype: str, export: Export) -> None:
    given = np.array([1, 0, 1, 1, 0, 0]).astype(dtype)
    view = device_arrays.to_host("labels", export(given[::2]))
    np.testing.assert_array_equal(np.asarray(view), given[::2])


@pytest.fixture
def cupy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """CuPy as far as this package meets it, on the emulated device."""
    request.getfixturevalue("emulated")
    log: list[str] = []

    class Device:
        id = 0

        def __enter__(self) -> None:
            log.append("enter")

        def __exit__(self, *error: object) -> None:
            log.append("exit")

    class ndarray(Interface):  # as CuPy spells it
        calls = log
        device = Device()

        def __init__(self, array: np.ndarray) -> None:
            super().__init__(array)
            self.host = array
            self.dtype = array.dtype

        def astype(self, dtype: type) -> ndarray:
            log.append(f"astype {np.dtype(dtype)}")
            return ndarray(self.host.astype(dtype))

        def get(self) -> np.ndarray:
            return self.host

    module = ModuleType("cupy")
    module.ndarray = ndarray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", module)
    return ndarray


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [("f2", "float32"), ("i8", "float64"), ("?", "float64"), ("f4", None), ("f8", None)],
)
def test_cupy_converts_on_its_own_device(cupy: Any, dtype: str, wanted: str | None) -> None:
    given = (4 * X).astype(dtype)
    found = fs.k_center(cupy(given), cupy(P), batch_size=4, labeled=cupy(np.array([3])))
    np.testing.assert_array_equal(
        found.indices, fs.k_center(given, batch_size=4, labeled=[3]).indices
    )
    converted = [] if wanted is None else [f"astype {wanted}"]
    assert cupy.calls == ["enter", *converted, "exit"]
    with pytest.raises(
        TypeError, match=r"^features must hold real numbers, got dtype complex64$"
    ):
        fs.k_center(cupy(X.astype(np.complex64)), batch_size=4)


# ------------------------------------------------------------------ without a CUDA module
class OnDevice:
    """Says that it lies on a device, and is never read."""

    shape = X.shape
    __cuda_array_interface__: dict[str, Any] = {}  # noqa: RUF012  # as CuPy spells it


class OnDeviceByDlpack:
    shape = X.shape

    def __dlpack__(self, **options: Any) -> Any:
        raise AssertionError("not to be read")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


@pytest.fixture(params=[OnDevice, OnDeviceByDlpack])
def unbuilt(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An array on a device where no CUDA module is built."""
    cuda_module.load.cache_clear()
    monkeypatch.setitem(sys.modules, "fisher_select._cuda", None)
    yield request.param()
    cuda_module.load.cache_clear()


@pytest.mark.parametrize("backend", ["auto", "cuda"])
def test_device_arrays_without_a_cuda_module(unbuilt: Any, backend: str) -> None:
    words = "^backend 'cuda' is not available: not built: install fisher-select from source"
    for operation in OPERATIONS:
        with pytest.raises(ValueError, match=words):
            run(operation, pool() | dict.fromkeys(LARGE, unbuilt), backend=backend)
    with pytest.raises(ValueError, match=words):
        fs.top_k_mask(unbuilt, 3, backend=backend)


def test_the_wrong_backend_without_a_cuda_module(unbuilt: Any) -> None:
    with pytest.raises(ValueError, match=r"^backend 'reference' reads the CPU's memory alone"):
        fs.k_center(unbuilt, batch_size=2, backend="reference")


def test_small_device_arrays_without_a_cuda_module(unbuilt: Any) -> None:
    words = "^labeled must be in the CPU's memory, got an array on a CUDA device: copy it with"
    with pytest.raises(ValueError, match=words):
        fs.k_center(X, labeled=unbuilt, batch_size=2, backend="reference")
