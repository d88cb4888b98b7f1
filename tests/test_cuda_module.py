# SPDX-License-Identifier: Apache-2.0
"""Why the CUDA backend cannot run, told by name; who gets it when it can."""

from __future__ import annotations

import ast
import ctypes
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import fisher_select as fs
from fisher_select import backends, cuda_module

NAME = "fisher_select._cuda"
LIBRARY = "libcublas.so.13"
NO_LIBRARY = f"{LIBRARY}: cannot open shared object file: No such file or directory"


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    cuda_module.load.cache_clear()
    yield
    cuda_module.load.cache_clear()


def install(
    monkeypatch: pytest.MonkeyPatch, *, state: str = "", emulated: bool = False
) -> ModuleType:
    """Put a module in place of the compiled one, which a fixture may have loaded."""
    module = ModuleType(NAME)
    module.__dict__.update(
        emulated=emulated,
        device_state=lambda: state,
        device_name=lambda device: f"GPU number {device}",
    )
    monkeypatch.setitem(sys.modules, NAME, module)
    cuda_module.load.cache_clear()
    return module


def fail_until_loaded(
    monkeypatch: pytest.MonkeyPatch, message: str, loaded: list[str]
) -> ModuleType:
    """Importing the module fails with `message` until ctypes has loaded a library."""
    module = ModuleType(NAME)

    def import_module(name: str) -> ModuleType:
        if name == NAME and not loaded:
            raise ImportError(message)
        return module

    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.setattr(ctypes, "CDLL", loaded.append)
    return module


def state() -> str:
    return backends.explain()["cuda"]


def test_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAME, None)
    assert state().startswith("not available: not built: install ")
    with pytest.raises(ValueError, match=r"^backend 'cuda' is not available: not built: "):
        fs.bait([[1.0], [2.0]], likelihood="gaussian", batch_size=1, backend="cuda")


@pytest.mark.parametrize("reason", ["no CUDA driver", "no CUDA device", "driver too old"])
def test_no_device(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    install(monkeypatch, state=reason)
    assert state() == f"not available: {reason}"
    with pytest.raises(ValueError, match=f"^backend 'cuda' is not available: {reason}$"):
        backends.get("cuda")


def test_missing_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    fail_until_loaded(monkeypatch, NO_LIBRARY, [])
    assert state() == (
        f"not available: missing library: {LIBRARY}; try: pip install 'fisher-select[cuda]'"
    )


def test_another_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_until_loaded(monkeypatch, "libother.so.1: cannot open", [])
    assert state() == "not available: missing library: libother.so.1: cannot open"


@pytest.mark.parametrize("folder", ["nvidia/cu13/lib", "nvidia/cublas/lib"])
def test_the_wheels_library_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    library = tmp_path / folder / LIBRARY
    library.parent.mkdir(parents=True)
    library.touch()
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "absent"), str(tmp_path)])
    loaded: list[str] = []
    module = fail_until_loaded(monkeypatch, NO_LIBRARY, loaded)
    assert cuda_module.load() is module
    assert loaded == [str(library)]


def test_available(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert state() == "available (GPU number 0)"
    assert backends.get("cuda").name == "cuda"


def test_an_emulated_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, emulated=True)
    assert state() == backends.EMULATED


def test_auto_goes_where_the_arrays_are(monkeypatch: pytest.MonkeyPatch, cpu: str) -> None:
    install(monkeypatch)
    assert backends.get("auto").name == cpu
    assert backends.get("auto", arrays_on_device=True).name == "cuda"
    assert backends.get("reference", arrays_on_device=True).name == "reference"


def test_auto_never_takes_device_arrays_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, state="no CUDA driver")
    with pytest.raises(ValueError, match=r"^backend 'cuda' is not available: no CUDA driver$"):
        backends.get("auto", arrays_on_device=True)


def test_the_stub_declares_what_the_module_has() -> None:
    try:
        module = cuda_module.load()
    except ImportError as error:
        pytest.skip(str(error))
    stub = ast.parse(Path(fs.__file__).with_name("_cuda.pyi").read_text(encoding="utf-8"))
    declared = {node.name for node in stub.body if isinstance(node, ast.FunctionDef)}
    declared |= {n.name for n in stub.body if isinstance(n, ast.ClassDef) and not n.bases}
    compiled = {
        name for name in vars(module) if callable(getattr(module, name)) and name[0] != "_"
    }
    assert declared == compiled


@pytest.mark.cuda
def test_the_device_has_a_name() -> None:
    found = state()
    if not found.startswith("available"):
        pytest.skip(f"backend 'cuda' is {found}")
    module = cuda_module.load()
    assert module.device_state() == ""
    assert module.device_name(0)
    with pytest.raises(RuntimeError, match="invalid device"):
        module.device_name(1000)
