# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one test body over all backends; a missing backend is a visible skip."""

from __future__ import annotations

import importlib
import signal
from pathlib import Path

import exporters
import hypothesis
import pytest
from command_line import Call

from fisher_select import backends

# The same examples each time: a run on another day must not fail by what it drew.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

SETS = ("baseline", "avx2", "avx512")  # each includes the one before


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-cuda",
        action="store_true",
        help="a CUDA backend that cannot run fails its tests instead of skipping them",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A runner in the background hands an ignored SIGINT down to its children, and ours would
    # not hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--require-cuda") and backends.explain()["cuda"] == backends.EMULATED:
        raise pytest.UsageError("--require-cuda wants a device, and this one is emulated")


def pytest_report_header() -> str:
    state = backends.explain()["cuda"]
    return f"CUDA: {'EMULATED on the CPU' if state == backends.EMULATED else state}"


def _available(name: str, config: pytest.Config) -> str:
    reason = backends.explain()[name]
    if not reason.startswith("available"):
        missing = f"backend {name!r} is {reason}"
        if name == "cuda" and config.getoption("--require-cuda"):
            pytest.fail(missing)
        pytest.skip(missing)
    return name


@pytest.fixture(params=["reference", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend by name."""
    return _available(request.param, request.config)


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> str:
    """Every set of the CPU backend's inner loops that this processor has."""
    _available("cpu", request.config)
    own = importlib.import_module("fisher_select._core").instruction_set()
    if SETS.index(request.param) > SETS.index(own):
        pytest.skip(f"this processor has no {request.param}")
    return str(request.param)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def engine(request: pytest.FixtureRequest) -> str:
    """Every backend but the reference: those that have threads, chunks and screening."""
    return _available(request.param, request.config)


@pytest.fixture
def cpu(request: pytest.FixtureRequest) -> str:
    """The compiled CPU backend."""
    return _available("cpu", request.config)


@pytest.fixture
def cuda(request: pytest.FixtureRequest) -> str:
    """The CUDA backend; its tests are marked cuda."""
    return _available("cuda", request.config)


@pytest.fixture(params=exporters.NAMES)
def export(cuda: str, request: pytest.FixtureRequest) -> exporters.Export:  # noqa: ARG001
    """Puts an array on a CUDA device, by every way that there is."""
    return exporters.exporter(request.param)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process: (exit code, stdout, stderr)."""
    # Not above: a machine that only runs the engine's tests may lack typer and rich.
    from fisher_select import cli

    def run(*words: object) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """The project's golden selections beside the checkout; skips where they are not."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "golden"
    if not folder.is_dir():
        pytest.skip("no shared golden files beside this checkout")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets beside the checkout; skips where they are not."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared data sets beside this checkout")
    return folder
