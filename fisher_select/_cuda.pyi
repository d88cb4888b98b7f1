# SPDX-License-Identifier: Apache-2.0
"""Types of the compiled CUDA module."""

emulated: bool  # the CPU runs the kernels: a build for tests

def device_state() -> str: ...
def device_name(device: int) -> str: ...
