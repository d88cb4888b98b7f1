# SPDX-License-Identifier: Apache-2.0
"""The table [dataset] of a configuration file: which keys it takes, and what they do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import images, labels, write_idx

from fisher_select import config, datasets, experiment
from fisher_select.datasets import DatasetSpec


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "missing key 'reader'"),
        ({"reader": 3}, "reader must be one of 'breast_cancer', .*, got 3"),
        ({"reader": "mnist"}, "reader must be one of 'breast_cancer', .*, got 'mnist'"),
        ({"reader": "idx"}, "missing key 'path'"),
        ({"reader": "idx", "path": 3}, "path must be a string, got 3"),
        ({"reader": "idx", "path": "x", "size": 3}, "unknown key 'size'; known keys: reader, "),
        ({"reader": "digits", "path": "x"}, "unknown key 'path'; known keys: reader, seed, "),
        ({"reader": "digits", "options": {}}, "unknown key 'options'"),
        ({"reader": "digits", "counts": 3}, "counts must be a list, each an integer, got 3"),
        ({"reader": "digits", "counts": [1.5]}, "counts must be a list, each an integer"),
        ({"reader": "digits", "classes": [True, False]}, ".* integer or a string, got "),
        ({"reader": "digits", "seed": -1}, "seed must be at least 0, got -1"),
        ({"reader": "digits", "seed": "a"}, "seed must be an integer, got 'a'"),
        ({"reader": "digits", "scale": "log"}, "scale must be one of 'standard', 'unit'"),
        ({"reader": "digits", "flatten": 1}, "flatten must be true or false, got 1"),
        ({"reader": "table", "path": "x", "target": 1.0}, "target must be an integer or "),
        ({"reader": "table", "path": "x", "target": 0, "replace": {"T": "0"}},
         "replace must be a table, each value a number, got "),
        ({"reader": "table", "path": "x", "target": 0, "test_fraction": "x"},
         "test_fraction must be a number, got 'x'"),
        ({"reader": "image_folder", "path": "x", "size": [8]},
         r"size must be a list of 2, each an integer, got \[8\]"),
    ],
)  # fmt: skip
def test_a_bad_key_is_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^\[dataset\] {message}"):
        config.build(DatasetSpec, table, "[dataset] ")


def test_a_spec_reads_and_derives(tmp_path: Path) -> None:
    table = {
        "reader": "idx",
        "path": str(write_idx(tmp_path / "small")),
        "classes": [2, 0],
        "counts": [1, 3],
        "scale": "unit",
        "flatten": True,
        "name": "rare",
        "licence": "none",
    }
    data = datasets.load(table)
    assert (data.name, data.licence, data.image_shape) == ("rare", "none", (1, 5, 4))
    assert data.pool_labels.tolist().count(0) == 1
    assert data.pool_inputs.shape == (4, 20)
    kept = np.isin(labels(), [2, 0])
    np.testing.assert_allclose(
        data.test_inputs, images(seed=1)[kept].reshape(-1, 20) / 255, rtol=1e-6
    )
    spec = DatasetSpec.from_table(table)
    assert json.loads(json.dumps(spec.as_dict())) == {"seed": 0, **table}
    assert DatasetSpec.from_table(spec.as_dict()) == spec
    other = datasets.load(table | {"seed": 3})
    assert not np.array_equal(other.pool_inputs, data.pool_inputs)


def test_an_experiment_names_a_reader(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "small")
    path = tmp_path / "x.toml"
    text = f"""
        name = "x"
        seeds = [0]
        loop = {{initial = 3, batch_size = 2, rounds = 1}}
        model = {{hidden = [4]}}
        training = {{epochs = 1}}
        strategies = [{{name = "random"}}]

        [dataset]
        reader = "idx"
        path = {str(folder)!r}
        scale = "unit"
        flatten = true
    """
    path.write_text(text)
    plan = experiment.load(path)
    assert isinstance(plan.dataset, DatasetSpec)
    assert plan.as_dict()["dataset"]["path"] == str(folder)
    pytest.importorskip("torch")
    (run,) = experiment.run(plan, tmp_path / "runs")
    assert [record.labeled for record in run.records] == [3, 5]
    path.write_text(text + "colour = 3\n")
    with pytest.raises(ValueError, match=r"x\.toml: \[dataset\] unknown key 'colour'"):
        experiment.load(path)
