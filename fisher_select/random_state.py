# SPDX-License-Identifier: Apache-2.0
"""The state of the process's own random generators, as arrays that a file can hold.

The loop draws from none of them, but a trainer, an oracle or a model of the user's may: a
resumed run goes on with the draws that the killed one would have made.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["capture", "restore"]


def capture() -> dict[str, NDArray[Any]]:
    """Of Python, of NumPy's global generator, and of torch where it is loaded."""
    version, words, gauss = random.getstate()
    kind, key, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    state: dict[str, NDArray[Any]] = {
        "python": np.array([version, *words], dtype=np.int64),
        "python_gauss": np.array([] if gauss is None else [gauss]),
        "numpy_kind": np.array(kind),
        "numpy_key": np.asarray(key),
        "numpy_position": np.array([position, has_gauss]),
        "numpy_gauss": np.array([cached]),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch"] = torch.get_rng_state().numpy()
        if torch.cuda.is_initialized():
            for device, words in enumerate(torch.cuda.get_rng_state_all()):
                state[f"cuda{device}"] = words.numpy()
    return state


def restore(state: Mapping[str, NDArray[Any]]) -> None:
    """Put back what `capture` returned; torch is loaded where it was."""
    version, *words = state["python"].tolist()
    gauss = state["python_gauss"].tolist()
    random.setstate((version, tuple(words), gauss[0] if gauss else None))
    position, has_gauss = state["numpy_position"].tolist()
    cached = state["numpy_gauss"].tolist()[0]
    np.random.set_state(  # noqa: NPY002
        (str(state["numpy_kind"]), state["numpy_key"], position, has_gauss, cached)
    )
    if "torch" not in state:
        return
    import torch

    torch.set_rng_state(torch.from_numpy(state["torch"]))
    for name, words in state.items():
        if name.startswith("cuda"):
            torch.cuda.set_rng_state(torch.from_numpy(words), int(name.removeprefix("cuda")))
