# SPDX-License-Identifier: Apache-2.0
"""The state of the process's own random generators, as arrays that a file can hold.

The loop draws from none of them, but a trainer, an oracle or a model of the user's may: a
resumed run goes on with the draws that the killed one would have made.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["capture", "restore"]


def capture() -> dict[str, NDArray[Any]]:
    """Of Python, of NumPy's global generator, and of torch where it is loaded.

    Both Mersenne twisters are 32-bit words, a position and the second of a pair of normal
    draws; all of these are exact in float64, so that one array holds them.
    """
    version, words, normal = random.getstate()
    _, key, position, has_normal, second = np.random.get_state()  # noqa: NPY002
    state: dict[str, NDArray[Any]] = {
        "python": np.array([*words, version, np.nan if normal is None else normal]),
        "numpy": np.array([*key, position, has_normal, second], dtype=np.float64),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch"] = torch.get_rng_state().numpy()
        if torch.cuda.is_initialized():
            for device, bits in enumerate(torch.cuda.get_rng_state_all()):
                state[f"cuda{device}"] = bits.numpy()
    return state


def restore(state: Mapping[str, NDArray[Any]]) -> None:
    """Put back what `capture` returned; torch is loaded where it was."""
    *words, version, normal = state["python"].tolist()
    random.setstate(
        (int(version), tuple(map(int, words)), None if math.isnan(normal) else normal)
    )
    *key, position, has_normal, second = state["numpy"].tolist()
    twister = np.array(key, dtype=np.uint32)
    np.random.set_state(  # noqa: NPY002
        ("MT19937", twister, int(position), int(has_normal), second)
    )
    if "torch" not in state:
        return
    import torch

    torch.set_rng_state(torch.from_numpy(state["torch"]))
    for name, bits in state.items():
        if name.startswith("cuda"):
            torch.cuda.set_rng_state(torch.from_numpy(bits), int(name.removeprefix("cuda")))
