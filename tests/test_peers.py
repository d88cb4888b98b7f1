# SPDX-License-Identifier: Apache-2.0
"""The peer table: both sides pick the same, and whoever stops early is said to."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

# Last: the checkout must not hide the installed package.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks import mask_floor, peers, run
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError

SIZE = peers.SIZE_QUICK
RUN = {"seconds": 0.5, "inputs_bytes": 10**6, "peak_bytes": 3 * 10**6, "picks": [1, 2, 3]}


def row(method: str = "entropy", **sides: Any) -> Any:
    return peers._row(method, "words", SIZE, {"n": SIZE.n} | sides, 8 * 10**9)


def test_a_row_of_two_that_finished() -> None:
    theirs = RUN | {"seconds": 2.0, "picks": [3, 4, 1]}
    figure = row(ours=RUN, theirs=theirs)
    assert figure.value == 4.0
    assert figure.measured == (
        "4 x: ours 500 ms, 2 MB; scikit-activeml 2 s, 2 MB; 2 of 3 picks the same"
    )
    assert "picks" not in row("badge", ours=RUN, theirs=theirs).measured


def test_a_row_of_a_rival_that_was_stopped() -> None:
    late = row(ours=RUN, theirs={"over_seconds": 60})
    assert late.measured == "ours 500 ms, 2 MB; scikit-activeml over 60 s"
    large = row(ours={"out_of_memory": "words"}, theirs={"out_of_memory": "words"})
    assert large.measured == "ours over 8.0 GB; scikit-activeml over 8.0 GB"
    assert row(ours=RUN).measured == "ours 500 ms, 2 MB; scikit-activeml has none"


def test_a_rival_that_is_stopped_is_measured_on_fewer_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def fake(side: str, method: str, n: int, *others: Any) -> dict[str, Any]:
        del method, others
        asked.append((side, n))
        return RUN if side == "ours" or n < 6000 else {"over_seconds": 1}

    monkeypatch.setattr(peers, "_run", fake)
    runs = list(peers._compare("badge", peers.SIZE, 0))
    assert asked == [("ours", 20_000), ("theirs", 20_000), ("ours", 5000), ("theirs", 5000)]
    assert [r["n"] for r in runs] == [20_000, 5000]


def test_our_side_runs_in_a_process_of_its_own(cpu: str) -> None:
    assert cpu
    measured = peers._run("ours", "entropy", SIZE.n, SIZE, 8 * 10**9)
    assert len(set(measured["picks"])) == SIZE.batch_size
    assert measured["seconds"] > 0
    with pytest.raises(AnswerError, match=r"^ours, unknown, n = 400: ended with 1: "):
        peers._run("ours", "unknown", SIZE.n, SIZE, 8 * 10**9)


def test_without_scikit_activeml_it_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "find_spec", lambda _: None)
    assert run.main(["--quick", "--only", "peers"]) == 1
    assert "peers: left out, scikit-activeml is not installed; try: pip install scikit-" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("skactiveml") is None, reason="scikit-activeml is not installed"
)
def test_both_sides_pick_the_same(cpu: str) -> None:
    assert cpu
    record = peers.peers(Settings(quick=True))
    same = [f.measured for f in record.figures if "picks" in f.measured]
    assert len(same) == len(peers.METHODS) - len(peers.RANDOMISED)
    for text in same:
        assert text.endswith("10 of 10 picks the same")


@pytest.mark.slow
def test_the_mask_benchmark_runs(cpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu
    monkeypatch.setattr(mask_floor, "SIZE_QUICK", mask_floor.Size(20_000, 50, rounds=1))
    record = mask_floor.mask(Settings(quick=True))
    assert [f.target for f in record.figures] == ["<= 3 x", "", "", "", ""]
