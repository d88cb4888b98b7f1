# SPDX-License-Identifier: Apache-2.0
"""Golden selections: the same picks from every backend, from float32 and from float64 input.

Two sets: our own beside their maker in golden/, and those shared between projects, which lie
next to the checkout where present (a visible skip elsewhere).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fisher_select as fs

OWN = Path(__file__).resolve().parent / "golden"
SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "golden"


def golden_files() -> list[Any]:
    own = [pytest.param(p, id=f"own-{p.stem}") for p in sorted(OWN.glob("bait_*.npz"))]
    shared = [pytest.param(p, id=f"shared-{p.stem}") for p in sorted(SHARED.glob("bait_*.npz"))]
    absent = pytest.param(
        SHARED, id="shared", marks=pytest.mark.skip("no shared/golden next to the checkout")
    )
    return [*own, *(shared or [absent])]


def loaded(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        case = dict(file)
    if "likelihood" not in case:  # the shared files tell it by their name
        gaussian, sigmoid = path.stem == "bait_regression", path.stem == "bait_multilabel"
        case["likelihood"] = "gaussian" if gaussian else "sigmoid" if sigmoid else "softmax"
    return case


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_golden", OWN / "make_golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("path", golden_files())
def test_golden(path: Path, dtype: type, backend: str) -> None:
    case = loaded(path)
    arrays = {k: case[k].astype(dtype) for k in ("X", "P", "V") if k in case}
    picks = fs.bait(
        arrays.get("X"),
        arrays.get("P"),
        factors=arrays.get("V"),
        labeled=case["labeled"],
        batch_size=int(case["batch"]),
        lam=float(case["lam"]),
        oversample=float(case["oversample"]),
        normalization=str(case["normalization"]),
        likelihood=str(case["likelihood"]),
        fisher=str(case.get("fisher", "full")),
        use_pool_fisher=bool(case.get("use_pool_fisher", True)),
        backend=backend,
    )
    np.testing.assert_array_equal(picks.forward_indices, case["forward"])
    np.testing.assert_array_equal(picks.indices, case["kept"])
    rtol = 1e-6 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(picks.objective, case["objective"], rtol=rtol)
    assert picks.backend == backend
    assert picks.stop_reason == "complete"


@pytest.mark.parametrize("path", sorted(OWN.glob("bait_*.npz")), ids=lambda p: p.stem)
def test_own_files_are_what_their_maker_computes(path: Path, maker: ModuleType) -> None:
    case = loaded(path)
    for name, value in maker.solve(case).items():
        np.testing.assert_allclose(value, case[name], rtol=1e-9)
