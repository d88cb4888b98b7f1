# SPDX-License-Identifier: Apache-2.0
"""The command line: what it writes; whatever goes wrong is an exit code and one line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Call

import fisher_select as fs
from fisher_select import cli, experiment, strategies
from fisher_select.training import TorchTrainer

N, BATCH = 60, 5
TINY = """
name = "tiny"
dataset = "digits"
seeds = [0, 1]
loop = { initial = 10, batch_size = 3, rounds = 1 }
model = { hidden = [8] }
training = { epochs = 3, threads = 1 }
[[strategies]]
name = "bait"
fisher = "binary"
backend = "reference"
[[strategies]]
name = "random"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with features, probabilities and labelled rows in it."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    X = generator.standard_normal((N, 4))
    P = generator.dirichlet(np.ones(3), size=N)
    np.save("X.npy", X)
    np.save("P.npy", P)
    np.savez("both.npz", X=X, P=P, labeled=[3, 8])
    Path("tiny.toml").write_text(TINY)
    return tmp_path


def expected(**options: Any) -> fs.Selection:
    arrays = np.load("both.npz")
    return fs.bait(
        arrays["X"],
        arrays["P"],
        labeled=arrays["labeled"],
        batch_size=BATCH,
        backend="reference",
        **options,
    )


def failure(code: int, result: tuple[int, str, str]) -> str:
    """Check for an exit code, nothing on stdout and one line on stderr; return its message."""
    assert (result[0], result[1]) == (code, "")
    assert result[2].startswith("fisher-select: error: ")
    assert result[2].endswith("\n")
    assert result[2].count("\n") == 1
    return result[2].removeprefix("fisher-select: error: ").strip()


REFERENCE = ("--backend", "reference", "--batch", BATCH)
BOTH = ("select", "both.npz", "--probs", "both.npz", "--labeled", "both.npz", *REFERENCE)


# -------------------------------------------------------------------------------- select
@pytest.mark.usefixtures("here")
def test_select_writes_what_the_function_returns(call: Call) -> None:
    assert call(*BOTH, "--out", "picks.csv") == (0, "", "")
    with Path("picks.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    picks = expected()
    assert header == ["rank", "index", "score"]
    assert [int(row[0]) for row in rows] == [1, 2, 3, 4, 5]
    assert [int(row[1]) for row in rows] == picks.indices.tolist()
    assert [float(row[2]) for row in rows] == picks.scores.tolist()


@pytest.mark.usefixtures("here")
def test_select_writes_to_stdout_unless_told_otherwise(call: Call) -> None:
    code, out, err = call(*BOTH)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].startswith(f"1,{expected().indices[0]},")


@pytest.mark.usefixtures("here")
def test_select_passes_every_option_on(call: Call) -> None:
    options = ("--lam", 0.5, "--set", "normalization=paper", "--set", "oversample=1.5")
    _, out, _ = call(*BOTH, *options, "--set", "use_pool_fisher=false", "--threads", 1)
    picks = expected(lam=0.5, normalization="paper", oversample=1.5, use_pool_fisher=False)
    assert [int(line.split(",")[1]) for line in out.splitlines()[1:]] == picks.indices.tolist()


@pytest.mark.usefixtures("here")
def test_select_random_takes_a_seed(call: Call) -> None:
    _, out, _ = call("select", "X.npy", "--method", "random", "--batch", 3, "--seed", 7)
    picks = fs.random(N, batch_size=3, seed=7)
    assert [int(line.split(",")[1]) for line in out.splitlines()[1:]] == picks.indices.tolist()


@pytest.mark.usefixtures("here")
def test_picks_can_be_the_labelled_rows_of_the_next_call(call: Call) -> None:
    command = ("select", "X.npy", "--probs", "P.npy", *REFERENCE)
    assert call(*command, "--out", "a.csv")[0] == 0
    assert call(*command, "--labeled", "a.csv", "--out", "b.csv")[0] == 0
    first, second = (
        {row["index"] for row in csv.DictReader(Path(name).read_text().splitlines())}
        for name in ("a.csv", "b.csv")
    )
    assert len(first) == len(second) == BATCH
    assert not first & second


@pytest.mark.usefixtures("here")
def test_select_shows_progress_on_a_terminal_only(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for "take this for a terminal"
    code, out, err = call(*BOTH)
    assert (code, out.count("\n")) == (0, BATCH + 1)
    assert "forward" in err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("X.npy",), "Missing option '--batch'. (see fisher-select select --help)"),
        (("X.npy", "--batch", "x"), "Invalid value for '--batch': "),
        (("X.npy", "--batch", 3, "--depth", 3), "No such option: --depth"),
        (("no.npy", "--batch", 3), "cannot read no.npy: no such file or directory"),
        (
            ("tiny.toml", "--batch", 3),
            "tiny.toml: expected a .npy, .npz, .parquet or .zarr pool",
        ),
        (("cut.npy", "--batch", 3), "cut.npy: not a complete .npy file ("),
        (("text.npz", "--batch", 3), "text.npz: not a complete .npz file ("),
        (("X.npy", *REFERENCE), "probabilities [n, C] must be given"),
        (("X.npy", "--probs", "X.npy", *REFERENCE), "probabilities must lie in [0, 1]"),
        (("nan.npy", "--probs", "P.npy", *REFERENCE), "row 2"),
        (("X.npy", "--probs", "P.npy", *REFERENCE, "--labeled", "60.npy"), "60"),
        (("X.npy", "--batch", 61, "--method", "random"), "batch_size must be at most"),
        (("X.npy", "--batch", 3, "--method", "best"), "strategy must be one of "),
        (("X.npy", "--batch", 3, "--method", "random", "--lam", 1), "no field 'lam'"),
        (("X.npy", "--batch", 3, "--set", "lam"), "--set must be KEY=VALUE, got 'lam'"),
        (("X.npy", "--batch", 3, "--lam", 1, "--set", "lam=2"), "--set lam: this option is"),
        (("X.npy", "--probs", "P.npy", *REFERENCE, "--lam", -1), "lam must be greater than 0"),
        (("X.npy", "--probs", "P.npy", "--batch", 3, "--backend", "gpu"), "backend must be"),
    ],
)
def test_bad_input_is_exit_code_2_and_one_line(
    call: Call, words: tuple[object, ...], message: str
) -> None:
    Path("cut.npy").write_bytes(Path("X.npy").read_bytes()[:-1])
    Path("text.npz").write_text("no archive")
    np.save("60.npy", [60])
    X = np.load("X.npy")
    X[2, 1] = np.nan
    np.save("nan.npy", X)
    before = sorted(Path().iterdir())
    assert message in failure(2, call("select", *words))
    assert message in failure(2, call("select", *words, "--out", "picks.csv"))
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("out", ["nowhere/picks.csv", "X.npy/picks.csv", "."])
def test_an_unwritable_output_is_told_before_any_work(
    call: Call, here: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.setattr(cli.files, "read_array", lambda *_: pytest.fail("work was begun"))
    assert f"cannot write {out}: " in failure(2, call(*BOTH, "--out", out)), here


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (fs.NumericalError("M broke down\nat step 3", 3), 1, "M broke down at step 3"),
        (MemoryError(), 1, "out of memory"),
    ],
)
def test_what_stops_the_work_is_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, message: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise raised

    Path("picks.csv").write_text("an earlier one")
    monkeypatch.setattr(strategies.Bait, "select", stop)
    assert failure(code, call(*BOTH, "--out", "picks.csv")) == message
    assert Path("picks.csv").read_text() == "an earlier one"


def test_ctrl_c_ends_a_real_selection(here: Path) -> None:
    """A signal in the middle of the reference's work, which would take minutes."""
    np.save("X.npy", np.random.default_rng(0).standard_normal((4000, 40)))
    np.save("P.npy", np.full((4000, 10), 0.1))
    code = (
        "import os, signal, sys, threading\n"
        "from fisher_select import cli\n"
        "timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))\n"
        "timer.start()\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    words = ("select", "X.npy", "--probs", "P.npy", "--backend", "reference", "--batch", "500")
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--out", "picks.csv"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert failure(130, (done.returncode, done.stdout, done.stderr)) == "interrupted"
    assert not [path for path in here.iterdir() if "picks" in path.name]


# ----------------------------------------------------------------------------------- run
@pytest.fixture
def torch() -> None:
    for package in ("torch", "sklearn", "matplotlib"):
        pytest.importorskip(package)


@pytest.mark.usefixtures("torch")
def test_run_is_the_main_job(call: Call, here: Path) -> None:
    code, out, err = call("run", "tiny.toml")
    assert (code, err) == (0, "")
    assert "bait" in out
    assert "test accuracy in %, mean ± standard deviation of 2 seeds" in out
    assert "wrote runs/tiny/learning_curve.png" in out
    folder = here / "runs" / "tiny"
    assert sorted(path.name for path in folder.iterdir()) == [
        "bait-seed0", "bait-seed1", "learning_curve.png", "random-seed0", "random-seed1",
        "results.json",
    ]  # fmt: skip
    results = json.loads((folder / "results.json").read_text())
    assert results["command"] == "fisher-select run tiny.toml"
    for run in results["runs"]:
        assert [record["labeled"] for record in run["records"]] == [10, 13]
        picks = (folder / run["folder"] / "picks.csv").read_text().splitlines()
        assert picks[0] == "round,rank,index,score"
        assert len(picks) == 1 + 3


@pytest.mark.usefixtures("here", "torch")
def test_run_takes_folder_and_seeds(call: Call) -> None:
    assert call("run", "tiny.toml", "--out", "a b", "--seeds", "5", "--quiet") == (0, "", "")
    results = json.loads(Path("a b/results.json").read_text())
    assert results["command"] == "fisher-select run tiny.toml --out 'a b' --seeds 5 --quiet"
    assert results["config"]["seeds"] == [5]
    assert {path.name for path in Path("a b").glob("*-seed*")} == {"bait-seed5", "random-seed5"}


@pytest.mark.usefixtures("here", "torch")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("no.toml",), "cannot read no.toml: no such file or directory"),
        (("X.npy",), "X.npy: not a TOML file: "),
        (("bad.toml",), "bad.toml: [loop] rounds must be an integer, got 'many'"),
        (("tiny.toml", "--seeds", "a"), "--seeds must be integers like 0,1,2, got 'a'"),
        (("tiny.toml", "--seeds", "1,1"), "seeds must be a list of different integers"),
        (("tiny.toml", "--out", "X.npy"), "cannot make folder X.npy: file exists"),
        (("tiny.toml", "--out", "taken"), "cannot write taken/results.json: it exists and is"),
    ],
)
def test_run_refuses_bad_input_before_any_work(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr(experiment, "run", lambda *_: pytest.fail("work was begun"))
    Path("bad.toml").write_text(TINY.replace("rounds = 1", 'rounds = "many"'))
    Path("taken/results.json").mkdir(parents=True)
    assert message in failure(2, call("run", *words))
    assert not Path("runs").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("package", ["torch", "sklearn", "matplotlib"])
def test_run_names_the_extra_that_is_missing(
    call: Call, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    message = failure(2, call("run", "tiny.toml"))
    assert package in message
    assert "not installed; try: pip install 'fisher-select[experiments]'" in message
    assert not Path("runs").exists()


@pytest.mark.usefixtures("here", "torch")
def test_an_interrupted_run_leaves_whole_files_only(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def interrupt_after_three(*_: object, **__: object) -> Iterator[Callable[..., None]]:
        seen: list[object] = []

        def advance(*record: object) -> None:
            seen.append(record)
            if len(seen) == 3:
                raise KeyboardInterrupt

        yield advance

    monkeypatch.setattr(cli, "run_progress", interrupt_after_three)
    assert failure(130, call("run", "tiny.toml")) == "interrupted"
    kept = {str(path) for path in Path("runs/tiny").glob("*/records.jsonl")}
    assert kept == {f"runs/tiny/bait-seed{seed}/records.jsonl" for seed in (0, 1)}
    assert not list(Path("runs/tiny").rglob(".*"))


@pytest.mark.usefixtures("here", "torch")
def test_an_interrupted_run_goes_on(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start trains only what is left, and a third nothing; results stay the same."""
    trained: list[int] = []
    train = TorchTrainer.train

    def counted(self: TorchTrainer, *arguments: Any, **keywords: Any) -> Any:
        trained.append(keywords["seed"])
        if len(trained) == 4:  # the first trains a step to load torch
            raise KeyboardInterrupt
        return train(self, *arguments, **keywords)

    call("run", "tiny.toml", "--out", "whole", "--quiet")
    monkeypatch.setattr(TorchTrainer, "train", counted)
    assert failure(130, call("run", "tiny.toml", "--quiet")) == "interrupted"
    for left in (1 + 8 - 2, 1):
        trained[:] = [0] * 10
        assert call("run", "tiny.toml", "--quiet") == (0, "", "")
        assert len(trained) == 10 + left
        for path in Path("whole").glob("*-seed*/records.jsonl"):
            assert (Path("runs/tiny") / path.relative_to("whole")).read_bytes() == (
                path.read_bytes()
            )
    Path("tiny.toml").write_text(TINY.replace("epochs = 3", "epochs = 4"))
    message = failure(2, call("run", "tiny.toml"))
    assert "holds a run of another configuration: trainer.epochs is 3 there and 4" in message


@pytest.mark.slow
@pytest.mark.usefixtures("torch")
def test_a_killed_run_goes_on(call: Call, here: Path) -> None:
    """SIGKILL in the middle of a training, of a process that the system started."""
    call("run", "tiny.toml", "--out", "whole", "--quiet")
    begun = here / "runs" / "tiny" / "bait-seed1" / "records.jsonl"
    code = "from fisher_select.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, "run", "tiny.toml", "--quiet"]) as child:
        while not begun.exists():
            assert child.poll() is None
            time.sleep(0.002)
        child.kill()
    assert call("run", "tiny.toml", "--quiet") == (0, "", "")
    for path in (here / "whole").glob("*-seed*/records.jsonl"):
        assert (here / "runs" / "tiny" / path.relative_to(here / "whole")).read_bytes() == (
            path.read_bytes()
        )


@pytest.mark.usefixtures("here", "torch")
def test_run_shows_progress_on_a_terminal_unless_quiet(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    assert "random, seed 0: 13 labels" in call("run", "tiny.toml", "--seeds", "0")[2]
    assert call("run", "tiny.toml", "--seeds", "0", "--quiet") == (0, "", "")


# -------------------------------------------------------------------------- info and help
def test_info_tells_what_is_installed(call: Call) -> None:
    code, out, err = call("info")
    assert (code, err) == (0, "")
    facts = {line[:18].strip(): line[19:] for line in out.splitlines()}
    assert facts["fisher_select"] == fs.__version__
    assert facts["strategies"] == ", ".join(strategies.names())
    assert facts["backend reference"] == "available"
    assert facts["backend cuda"] == fs.backends.explain()["cuda"]
    assert facts["instruction set"]
    assert int(facts["threads"]) >= 1


def test_version_and_help(call: Call) -> None:
    assert call("--version") == (0, f"{fs.__version__}\n", "")
    for words in ((), ("--help",)):
        code, out, err = call(*words)
        assert (code, err) == (0, "")
        assert all(command in out for command in ("plan", "select", "run", "info"))
    for command in ("plan", "select", "run", "info"):
        assert call(command, "-h")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [(("choose",), "No such command 'choose'"), (("--fast",), "No such option: --fast")],
)
def test_unknown_words_are_bad_input(call: Call, words: tuple[str, ...], message: str) -> None:
    assert message in failure(2, call(*words))


def test_the_installed_program_exits_with_the_code() -> None:
    code = "import sys; from fisher_select.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "select", "no.npy", "--batch", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    message = failure(2, (done.returncode, done.stdout, done.stderr))
    assert message == "cannot read no.npy: no such file or directory"
