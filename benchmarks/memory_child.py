# SPDX-License-Identifier: Apache-2.0
"""The process of one memory measurement: task as JSON in, resident bytes as JSON out.

``peak_bytes - inputs_bytes`` is what the selection held at most beyond its inputs, the loaded
libraries and the threads, which a small selection made first has already brought in.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.engine import run_bait
from benchmarks.problems import make_problem

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
MODE = ("fisher", "rank", "top_classes", "prefilter")
RESET_PEAK = "5"  # proc(5): sets VmHWM back to the present resident size


def main(task: str) -> None:
    """Run one selection and print ``{"method", "inputs_bytes", "peak_bytes"}``."""
    size = json.loads(task)
    # The idle threads of a BLAS wait for more work in a loop, for some tenths of a second: a
    # short selection would take twice its time beside them.
    with threadpool_limits(limits=1, user_api="blas"):
        warm_up = make_problem(64, 4, size["classes"])
        run_bait(warm_up, batch_size=4, oversample=1.0, backend=size["backend"])
        problem = make_problem(size["n"], size["d"], size["classes"], seed=size["seed"])
    release_free_pages()
    reset = reset_peak()
    inputs = status("VmRSS") if reset else highest()
    mode = {name: size[name] for name in MODE if name in size}
    run = run_bait(
        problem, batch_size=size["picks"], oversample=1.0, backend=size["backend"], **mode
    )
    measured = {
        "method": "VmHWM after a reset" if reset else "difference of ru_maxrss",
        "inputs_bytes": inputs,
        "peak_bytes": status("VmHWM") if reset else highest(),
        "run": run.raw(),
    }
    print(json.dumps(measured))


def release_free_pages() -> None:
    """Give the system back what was freed: a selection that reuses it would seem to hold none.

    Of glibc; where there is no such call, small needs (some megabytes) are measured too low.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def reset_peak() -> bool:
    """Whether the kernel let this process set its own high-water mark back."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
    except OSError:  # not Linux, or /proc is read-only in a container
        return False
    return status("VmHWM") <= status("VmRSS") + (1 << 20)


def status(field: str) -> int:
    """A field of /proc/self/status in bytes (the kernel writes kB)."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise OSError(f"{STATUS} has no field {field}")


def highest() -> int:
    """Highest resident size so far in bytes (kB on Linux, bytes on macOS)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(sys.argv[1])
