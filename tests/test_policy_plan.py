# SPDX-License-Identifier: Apache-2.0
"""Policies out of configuration files: the command, its mistakes, and the suite's protocols."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Call

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # last: the checkout must not hide the installed package

from benchmarks.suite import __main__ as suite  # noqa: E402
from benchmarks.suite.protocol import Comparison, load, located  # noqa: E402
from fisher_select import reinforcement_learning  # noqa: E402
from fisher_select.policy import Policy, View  # noqa: E402

TINY = """
name = "tiny"
[dataset]
reader = "digits"
part = [1, 3]
[model]
kind = "linear"
[training]
epochs = 5
threads = 1
[episode]
budget = 2
candidates = 40
[learning]
hidden = [8]
warm_start = 2
episodes = 1
updates = 2
"""

PROTOCOL = """
name = "tiny"
source = "no paper"
departures = "all"
seeds = [0, 1]
dataset = "digits"
[loop]
initial = 20
batch_size = 10
rounds = 2
[model]
kind = "linear"
[training]
epochs = 5
threads = 1
[[strategies]]
name = "reinforcement"
label = "ours"
[strategies.policy]
dataset = {reader = "digits", part = [1, 3]}
episode = {budget = 2, candidates = 40}
view = {space = "data"}
learning = {hidden = [8], warm_start = 2, episodes = 1, updates = 2}
[[strategies]]
name = "random"
[quick.loop]
rounds = 1
"""


def write(folder: Path, text: str = TINY) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


# --------------------------------------------------------------------------- the command
def test_the_command_trains_and_goes_on(call: Call, cpu: str, tmp_path: Path) -> None:
    path, out = write(tmp_path), tmp_path / "out"
    code, stdout, stderr = call("train-policy", path, "--out", out)
    assert (code, stderr) == (0, ""), cpu
    assert f"wrote {out / 'policy.pt'} after 3 episodes in " in stdout
    assert sorted(p.name for p in out.iterdir()) == ["checkpoint.pt", "policy.pt"]
    first = Policy.load(out / "policy.pt")
    assert first.metadata["dataset"] == "digits"
    assert len(first.metadata["rewards"]) == 3
    (out / "policy.pt").unlink()
    assert call("train-policy", path, "--out", out, "--quiet") == (0, "", "")
    assert Policy.load(out / "policy.pt").digest == first.digest
    code, _, stderr = call("train-policy", path, "--out", out, "--seed", 1)
    assert (code, len(stderr.splitlines())) == (2, 1)
    assert "checkpoint.pt is the checkpoint of another training (other seed)" in stderr


def test_its_policy_selects_from_files(call: Call, cpu: str, tmp_path: Path) -> None:
    assert call("train-policy", write(tmp_path), "--out", tmp_path, "--quiet")[0] == 0, cpu
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", X=draw.random((30, 3)), P=draw.dirichlet(np.ones(4), 30))
    words = ["select", tmp_path / "x.npz", "--probs", tmp_path / "x.npz", "--batch", 3,
             "--method", "reinforcement"]  # fmt: skip
    code, stdout, stderr = call(*words, "--set", f"policy={tmp_path / 'policy.pt'}")
    assert (code, stderr) == (0, "")
    assert len(stdout.splitlines()) == 4
    code, stdout, stderr = call(*words)
    assert (code, stdout) == (2, "")
    assert "policy must be given, a trained one or its file" in stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "tiny"', 'name = "a/b"', "name must be of letters, digits, _ and -"),
        ("budget = 2", "budget = 0", "[episode] budget must be at least 1, got 0"),
        ("candidates = 40", "colour = 40", "[episode] unknown key 'colour'"),
        ("updates = 2", "gamma = 2.0", "[learning] gamma must be at most 1"),
        ("part = [1, 3]", "part = [4, 3]", "part must be [number, parts] with 1 <= number"),
        ("candidates = 40", "candidates = 4000", "inputs must leave 4030 rows for candidates"),
        (
            'reader = "digits"\npart = [1, 3]',
            'reader = "diabetes"',
            "policies learn from classes",
        ),
    ],
)
def test_mistakes_are_one_line(
    call: Call, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TINY
    path = write(tmp_path, TINY.replace(old, new))
    code, stdout, stderr = call("train-policy", path, "--out", tmp_path / "out")
    assert (code, stdout, len(stderr.splitlines())) == (2, "", 1)
    assert message in stderr
    assert not (tmp_path / "out" / "policy.pt").exists()


def test_the_example_is_valid() -> None:
    plan = reinforcement_learning.load(ROOT / "examples" / "policy.toml")
    assert plan.view == View("margin")
    assert plan.learning.warm_start == 128


# ----------------------------------------------------------------------------- the suite
def test_a_protocol_trains_its_policies_once(
    tmp_path: Path, cpu: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = write(tmp_path, PROTOCOL), tmp_path / "out"
    protocol: Any = load(path)
    assert isinstance(protocol, Comparison)
    plan = protocol.policies["ours"]
    assert plan.training == protocol.plan.training
    assert plan.view.space == "data"
    lines = []
    for _ in range(2):  # the second time out of checkpoint and run directories
        assert suite.main([str(path), "--out", str(out)]) == 0, cpu
        assert "tiny: policy of ours: 3 episodes" in capsys.readouterr().out
        lines.append([p.read_bytes() for p in sorted(out.glob("tiny/*/records.jsonl"))])
    assert len(lines[0]) == 4
    assert lines[0] == lines[1]
    (made,) = (out / "policies").glob("ours-*.pt")
    assert Policy.load(made).view.space == "data"


def test_a_base_is_built_upon(tmp_path: Path) -> None:
    write(tmp_path, PROTOCOL)
    above = tmp_path / "above.toml"
    above.write_text('base = "tiny.toml"\nname = "above"\n[loop]\nbatch_size = 5\n')
    found, below = load(above), load(tmp_path / "tiny.toml")
    assert found.name == "above"
    assert found.plan.loop.batch_size == 5
    assert found.plan.loop.rounds == below.plan.loop.rounds
    assert found.policies == below.policies


def test_paths_of_a_policys_data_are_found_with_the_others(tmp_path: Path) -> None:
    npz = '{reader = "npz", path = "a.npz"}'
    text = PROTOCOL.replace('dataset = "digits"', f"dataset = {npz}").replace(
        'dataset = {reader = "digits", part = [1, 3]}', "dataset = {part = [1, 2]}"
    )
    protocol: Any = located(load(write(tmp_path, text)), Path("folder"))
    assert protocol.plan.dataset.options["path"] == str(Path("folder/a.npz"))
    policy = protocol.policies["ours"].dataset
    assert policy.options["path"] == str(Path("folder/a.npz"))
    assert policy.part == (1, 2)


def test_a_bad_policy_is_named(tmp_path: Path) -> None:
    text = PROTOCOL.replace('view = {space = "data"}', 'view = {space = "x"}')
    with pytest.raises(ValueError, match=r"tiny\.toml: \[view\] space must be one of 'latent'"):
        load(write(tmp_path, text))
