# SPDX-License-Identifier: Apache-2.0
"""Plans against measured peaks, their limits, and what they refuse."""

from __future__ import annotations

import importlib
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from problems import arguments

import fisher_select as fs
from fisher_select import cost, free_memory
from fisher_select.quantities import as_bytes
from fisher_select.tiles import inversion

# Last: the checkout must not hide the installed package.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks.bait_memory import measure
from benchmarks.engine import Settings
from benchmarks.plan_check import Case


def planned(case: Case, **options: Any) -> fs.Plan:
    shapes = (case.n, case.d), (case.n, case.classes)
    return fs.plan(*shapes, batch_size=case.picks, oversample=1.0, **case.mode, **options)


# ---------------------------------------------------------------------------- the figures
@pytest.mark.usefixtures("cpu")
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
@pytest.mark.parametrize(
    "case",
    [
        Case(30_000, 32, 10, picks=2),
        Case(8_000, 128, 10, picks=30),
        Case(12_000, 32, 24, picks=2, rank=5),
        Case(12_000, 160, 40, picks=2, fisher="block_diagonal"),
        Case(30_000, 48, 40, picks=2, top_classes=12),
        Case(80_000, 40, 12, picks=20, prefilter=20_000),
    ],
    ids=str,
)
def test_bytes_are_what_a_selection_holds(case: Case) -> None:
    measured = measure(case, Settings(quick=True))
    peak = measured["peak_bytes"] - measured["inputs_bytes"]
    assert planned(case).bytes == pytest.approx(peak, rel=0.25)


def test_the_matrices_and_state_of_design_section_9() -> None:
    found = fs.plan((50_000, 512), (50_000, 10), batch_size=50)
    assert found.parameters == 9 * 512
    assert found.memory["matrices"] == 4 * 8 * (9 * 512) ** 2
    assert found.bytes <= 1.5 * (2 * 50_000 * 81 * 4 + 4 * (9 * 512) ** 2 * 8)


def test_flops_are_those_of_the_sizes() -> None:
    """The sweep's products dominate here: n d x 2 (C - 1)^2 a pick but the last."""
    work = cost.work_of(
        "softmax",
        n=40_000,
        m=0,
        length=100,
        outputs=5,
        rank=0,
        forward=7,
        batch=7,
        use_pool_fisher=True,
        threads=1,
        chunk_rows=0,
    )
    products = 6 * 40_000 * 100 * 2 * 16
    assert work.multiplications()["forward"] == pytest.approx(products, rel=0.1)


def test_seconds_are_positive_and_add_up() -> None:
    found = fs.plan((3_000, 8), (3_000, 4), batch_size=5)
    assert set(found.seconds) == {"fisher", "setup", "forward", "backward"}
    assert all(second > 0.0 for second in found.seconds.values())
    assert found.total_seconds == sum(found.seconds.values())
    assert fs.plan((3_000, 8), (3_000, 4), batch_size=5, oversample=1).seconds["backward"] == 0


def test_seconds_have_the_stages_of_a_prefilter() -> None:
    call = arguments("softmax", 2_000, 6, 4) | {"batch_size": 5, "prefilter": 100}
    assert set(fs.plan(**call).seconds) == set(fs.bait(**call, backend="cpu").seconds)


@pytest.mark.parametrize("side", [1, 255, 256, 257, 600, 3_000])
def test_multiplications_of_an_inverse(side: int) -> None:
    """One tile makes all, many tiles tend to the eleven sixths that a triangle leaves."""
    alone = inversion(side, 1, pool_fisher=True)
    assert 11 / 6 < alone / side**3 < 6.0
    assert alone / 2 <= inversion(side, 2, pool_fisher=True) <= alone
    assert inversion(side, 1, pool_fisher=False) < alone
    if side <= 256:
        assert inversion(side, 8, pool_fisher=True) == alone


def test_arrays_and_their_shapes_give_one_plan() -> None:
    for kind in ("softmax", "sigmoid", "dense", "gaussian"):
        call = arguments(kind, 200, 6, 4) | {"batch_size": 3, "threads": 1}
        of_shapes = {k: v.shape if isinstance(v, np.ndarray) else v for k, v in call.items()}
        assert fs.plan(**call, labeled=[1, 5]).memory == fs.plan(**of_shapes, labeled=2).memory


# --------------------------------------------------------------------------------- limits
def test_the_nearest_mode_that_fits() -> None:
    shapes = (20_000, 16), (20_000, 64)
    whole = fs.plan(*shapes, batch_size=2)
    assert whole.fits
    assert whole.nearest is None
    modes = ["rank=31", "rank=15", "rank=7", "rank=3", "rank=1", "fisher='block_diagonal'"]
    seen = []
    limit = whole.bytes
    while (found := fs.plan(*shapes, batch_size=2, memory_limit=limit - 1)).nearest:
        assert not found.fits
        assert found.nearest.bytes < limit
        seen.append(found.nearest.mode)
        limit = found.nearest.bytes
        assert found.nearest.mode in str(found)
    assert seen[-1] == "fisher='binary'"
    assert [mode for mode in modes if mode in seen] == seen[:-1]


def test_a_limit_is_checked_before_any_work() -> None:
    call = arguments("softmax", 2_000, 20, 10) | {"batch_size": 5}
    calls: list[str] = []
    need = fs.plan(**call).bytes
    with pytest.raises(
        MemoryError,
        match=r"^bait needs .*B beyond its inputs \(matrices .*\), more than the 1 MB allowed "
        r"by memory_limit; fisher='b.*' needs .*B$",
    ):
        fs.bait(
            **call, memory_limit="1MB", backend="cpu", progress=lambda *a: calls.append(a[0])
        )
    assert not calls
    free = fs.bait(**call, backend="cpu")
    held = fs.bait(**call, memory_limit=need, backend="cpu")
    np.testing.assert_array_equal(held.indices, free.indices)
    with pytest.raises(MemoryError, match=r"offer a smaller pool or narrower features$"):
        fs.bait(**call, memory_limit=1, backend="cpu")


def test_without_a_limit_the_machine_has_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    call = arguments("softmax", 2_000, 20, 10) | {"batch_size": 5, "backend": "cpu"}
    planning = importlib.import_module("fisher_select.plan")  # fs.plan is the function
    monkeypatch.setattr(planning, "free_memory", lambda: 10**6)
    with pytest.raises(
        MemoryError, match=r"more than the 1 MB free on this machine; fisher='b"
    ):
        fs.bait(**call)
    assert len(fs.bait(**call, memory_limit="1GB").indices) == 5  # who knows better may say so


def test_free_memory_is_no_more_than_a_container_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "meminfo"
    said.write_text("MemTotal: 4000 kB\nMemAvailable:    3000 kB\n")
    group, old = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"
    monkeypatch.setattr(free_memory, "_MEMINFO", said)
    monkeypatch.setattr(free_memory, "_LIMITS", (group, old))
    assert free_memory.free_memory() == 3_072_000
    group.write_text("max\n")
    assert free_memory.free_memory() == 3_072_000
    group.write_text("1000000\n")
    assert free_memory.free_memory() == 1_000_000
    old.write_text("2000\n")
    assert free_memory.free_memory() == 2_000
    said.unlink()
    group.unlink()
    old.unlink()
    assert free_memory.free_memory() > 10**8  # all there is


def test_the_published_size_says_what_fits_before_any_work() -> None:
    """C = 100, d = 512, n = 50,000 has matrices of 82 GB; one block a class has 0.8 GB."""
    n, d, classes = 50_000, 512, 100
    found = fs.plan((n, d), (n, classes), batch_size=50, memory_limit="20GB")
    assert re.match(
        r"fisher='full': 103 GB, .* more than the 20 GB allowed, within which is "
        r"fisher='block_diagonal': 9\d\d MB",
        str(found),
    )
    X = np.broadcast_to(np.float32(1.0), (n, d))
    P = np.broadcast_to(np.float32(1.0 / classes), (n, classes))
    with pytest.raises(
        MemoryError,
        match=r"bait needs 103 GB .* more than the 20 GB .*; fisher='block_diagonal' needs 9",
    ):
        fs.bait(X, P, batch_size=50, memory_limit="20GB", backend="cpu")


def test_a_limit_is_for_the_cpu_backend() -> None:
    call = arguments("softmax", 20, 3, 3)
    with pytest.raises(ValueError, match="memory_limit is for the cpu backend, got backend 'r"):
        fs.bait(**call, batch_size=2, memory_limit="1GB", backend="reference")


@pytest.mark.usefixtures("cpu")
def test_progress_on_a_terminal_begins_with_the_plan(monkeypatch: Any) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    fs.bait(**arguments("softmax", 50, 4, 3), batch_size=3, progress=True, backend="cpu")
    assert re.match(
        r"bait: fisher='full': \S+ [kM]B, \S+ [kMG]flop, about \S+ m?s\n", terminal.getvalue()
    )


# ------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("text", "size"),
    [("8GB", 8e9), ("512MiB", 2**29), (" 1.5 kB ", 1500), (".5tb", 5e11), ("7B", 7), (9, 9)],
)
def test_sizes(text: Any, size: float) -> None:
    assert as_bytes("memory_limit", text) == size


@pytest.mark.parametrize("text", ["", "8", "GB", "-1GB", "8 gigabytes", "8G", "1e9B"])
def test_texts_that_are_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"^memory_limit must be bytes, or a text like '8GB'"):
        fs.plan((10, 2), (10, 3), batch_size=1, memory_limit=text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": (10,)}, r"^X must be an array of 2 axes or its shape, got \(10,\)"),
        ({"X": None}, "^X must be an array of 2 axes or its shape, got NoneType"),
        ({"P": (9, 3)}, "^P must have the 10 rows of X, got 9"),
        ({"P": (10, 1)}, r"^P must have at least two columns \(classes\), got 1"),
        ({"rank": 4}, "^rank must be at most the number of classes, 3 columns"),
        ({"batch_size": 11}, "^batch_size must be at most the number of unlabelled rows"),
        ({"memory_limit": 0}, "^memory_limit must be at least 1, got 0"),
        ({"labeled": -1}, "^labeled must be at least 1, got -1"),
    ],
)
def test_wrong_arguments(changes: dict[str, Any], message: str) -> None:
    call = {"X": (10, 2), "P": (10, 3), "batch_size": 2} | changes
    with pytest.raises(ValueError, match=message):
        fs.plan(**call)
