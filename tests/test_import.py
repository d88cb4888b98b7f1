# SPDX-License-Identifier: Apache-2.0
"""What an import costs, and that the layers hold: data flows one way, nothing points back."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fisher_select as fs
from fisher_select import backends

PACKAGE = Path(fs.__file__).parent

# From the bottom up; a module imports from its own line or above, never from below it. A
# module that stands nowhere here fails the test: give it a place.
LAYERS = (
    {
        "errors",
        "options",
        "quantities",
        "progress",
        "selection",
        "extras",
        "tables",
        "cuda_module",
        "mapped",
        "execution",
    },
    {"checks", "conversion", "device_arrays", "arrays", "pool_arrays", "ranking"},
    {"top_classes"},
    {"factors", "observation", "parquet", "search", "shapes"},
    {"files"},
    {"policy", "ranks"},
    {"shards"},
    {"reference", "_core", "_cuda"},
    {"backends"},
    {"placement", "machine", "free_memory"},
    {"sizes", "tiles"},
    {"cost"},
    {"timing"},
    {"plan", "first_center"},
    {
        "select",
        "determinant",
        "diagonal_fisher",
        "distance",
        "information_gain",
        "mask",
        "mean_distance",
        "reinforcement",
        "uncertainty",
    },
    {"together"},
    {"distributed_distance"},
    {"distributed"},
    {"dual", "features", "mask_profile"},
    {"memory"},
    {"fisher_mask"},
    {"strategies"},
    {"datasets", "fitting", "metrics", "pool", "random_state", "records", "trainer"},
    {"training", "labels", "resnet", "initial", "schedule", "tensorboard", "comparison"},
    {"models", "oracles", "run_directory", "strategy_inputs"},
    {"description", "expert_file"},
    {"config", "loop", "adapters"},
    {"experiment", "reinforcement_learning"},
    {"report"},
    {"cli_progress", "cli_settings"},
    {"cli_plan", "cli_policy", "cli_ranks", "cli_report"},
    {"cli"},
)
LAYER_OF = {module: level for level, modules in enumerate(LAYERS) for module in modules}
HEAVY = (
    *("torch", "cupy", "matplotlib", "sklearn", "rich", "typer", "PIL", "zarr"),
    *("pandas", "polars", "pyarrow"),
    *("skactiveml", "modAL", "small_text", "baal", "monailabel", "anomalib"),
)


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def room(path: Path) -> str:
    """The module or subpackage right under fisher_select that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of fisher_select that a file imports, at its top or anywhere inside."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "fisher_select" and len(p) > 1}


def test_import_loads_nothing_heavy() -> None:
    loads = "fisher_select, fisher_select.adapters.label_studio, fisher_select.adapters.modal"
    code = f"import sys, {loads}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_imports_from_a_higher_layer(path: Path) -> None:
    assert room(path) in LAYER_OF, f"{room(path)} has no place in LAYERS"
    here = LAYER_OF[room(path)]
    upward = {name for name in imported_rooms(path) if LAYER_OF[name] > here}
    assert not upward, f"{path.name} imports from above: {upward}"


def test_public_names_exist_and_are_documented() -> None:
    for name in fs.__all__:
        assert hasattr(fs, name)
        assert getattr(fs, name).__doc__


# -------------------------------------------------------------- a missing compiled module
@pytest.fixture
def no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled module cannot be imported."""
    backends._cpu.cache_clear()
    # None makes the import system raise ModuleNotFoundError for that name.
    monkeypatch.setitem(sys.modules, "fisher_select._core", None)
    yield
    backends._cpu.cache_clear()


@pytest.mark.usefixtures("no_core")
@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_a_missing_core_is_an_error_never_the_reference(name: str) -> None:
    with pytest.raises(
        ImportError, match=r"fisher_select\._core could not be imported \(.*\); install"
    ):
        fs.bait([[1.0], [2.0]], likelihood="gaussian", batch_size=1, backend=name)


@pytest.mark.usefixtures("no_core")
def test_explain_tells_why_it_is_missing() -> None:
    explained = backends.explain()
    assert set(explained) == set(backends.NAMES) - {"auto"}
    assert explained["cpu"].startswith("not available: import of fisher_select._core")
    assert explained["reference"] == "available"
    assert explained["cuda"].startswith(("available (", "not available: "))


def test_auto_is_cpu(cpu: str) -> None:
    picks = fs.bait([[1.0], [2.0]], likelihood="gaussian", batch_size=1)
    assert picks.backend == cpu
    assert backends.get("auto").name == cpu
