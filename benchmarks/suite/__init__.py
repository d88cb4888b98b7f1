# SPDX-License-Identifier: Apache-2.0
"""Label efficiency: the source papers' protocols, run by ``python -m benchmarks.suite``.

A protocol is a TOML file of benchmarks/protocols/, see `benchmarks.suite.protocol`; what runs
is the loop of fisher_select with a run directory each, so that a killed suite goes on.
"""
