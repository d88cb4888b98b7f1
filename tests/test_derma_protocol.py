# SPDX-License-Identifier: Apache-2.0
"""The protocol whose data are not at hand runs on files of the same format."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from dataset_files import encoded

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package

from benchmarks.suite.protocol import Comparison, check_data, load, located  # noqa: E402
from benchmarks.suite.runner import Outcome, jobs_of, run  # noqa: E402
from fisher_select.datasets import DatasetSpec  # noqa: E402

PATH = ROOT / "benchmarks" / "protocols" / "information_gain_derma.toml"
COUNTS = [10, 14, 30, 4, 30, 200, 4]  # naevi are class 5


def write_npz(folder: Path) -> None:
    """As dermamnist.npz, with 292 images to train on."""
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    labels = np.repeat(np.arange(7), COUNTS).astype(np.uint8)
    for part, rows in (("train", labels), ("val", labels[::7]), ("test", labels[::3])):
        shape = (len(rows), 28, 28, 3)
        arrays[f"{part}_images"] = generator.integers(0, 256, shape).astype(np.uint8)
        arrays[f"{part}_labels"] = rows[:, None]
    folder.mkdir()
    np.savez(folder / "dermamnist.npz", **arrays)


def write_folder(folder: Path) -> None:
    """As ISIC 2018 sorted by class: JPEG photographs of more than one size."""
    pytest.importorskip("PIL")
    generator = np.random.default_rng(0)
    for name, count in zip(("AKIEC", "BCC", "MEL"), (100, 20, 10), strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (30 + number % 3, 40, 3)).astype(np.uint8)
            (folder / name / f"{number}.jpg").write_bytes(encoded(pixels, "JPEG"))


def tiny(protocol: Comparison) -> Comparison:
    """The strategies of the file on its data, one round and next to no training."""
    plan = protocol.plan
    loop = replace(plan.loop, initial=12, batch_size=4, rounds=1, evaluation=20)
    training = replace(plan.training, epochs=1)
    return replace(protocol, plan=replace(plan, loop=loop, training=training, seeds=(0,)))


def outcomes(protocol: Comparison, out: Path) -> list[Outcome]:
    check_data(protocol)
    return [run(job) for job in jobs_of(tiny(protocol), out)]


@pytest.mark.usefixtures("cpu")
def test_it_runs_on_a_file_of_the_format(tmp_path: Path) -> None:
    protocol = load(PATH, quick=True)
    assert isinstance(protocol, Comparison)
    with pytest.raises(FileNotFoundError, match=r"information_gain_derma: .*dermamnist\.npz"):
        check_data(located(protocol, tmp_path))
    write_npz(tmp_path / "medmnist")
    found = outcomes(located(protocol, tmp_path), tmp_path / "out")
    assert [outcome.label for outcome in found] == [
        "aeig", "eig", "k_center", "mc_dropout_entropy", "entropy", "random", "full data",
    ]  # fmt: skip
    for outcome in found[:-1]:
        assert outcome.labeled == (12, 16)
        assert outcome.class_counts is not None
        assert min(outcome.class_counts[0]) >= 1  # each of the seven classes from the start
    assert found[-1].labeled == (292,)


@pytest.mark.usefixtures("cpu")
def test_its_comment_names_the_table_of_an_image_folder(tmp_path: Path) -> None:
    lines = re.findall(r"^#     (.*)$", PATH.read_text(), flags=re.MULTILINE)
    spec = DatasetSpec.from_table(tomllib.loads("\n".join(lines))["dataset"])
    write_folder(tmp_path / "isic2018")
    protocol = load(PATH, quick=True)
    assert isinstance(protocol, Comparison)
    protocol = replace(protocol, plan=replace(protocol.plan, dataset=spec))
    here = located(protocol, tmp_path)
    assert isinstance(here, Comparison)
    one = replace(here, plan=replace(here.plan, strategies=here.plan.strategies[:1]))
    first, whole = outcomes(one, tmp_path / "out")
    assert first.labeled == (12, 16)
    assert whole.class_counts == ((75, 15, 8),)
