# SPDX-License-Identifier: Apache-2.0
"""pytest-benchmark notes the machine's name in its JSON; it is not for publication."""

from __future__ import annotations

from typing import Any

from benchmarks.machine import machine, versions


def pytest_benchmark_update_machine_info(config: object, machine_info: dict[str, Any]) -> None:
    """Replace the host name by what our own records say of the machine."""
    del config  # the hook passes it
    machine_info.pop("node", None)
    machine_info["fisher_select"] = {"machine": machine(), "versions": versions()}
