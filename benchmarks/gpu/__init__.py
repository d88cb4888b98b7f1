# SPDX-License-Identifier: Apache-2.0
"""Speed of the CUDA backend against two floors of the card, and against torch on it.

``python -m benchmarks.gpu`` measures; ``bash benchmarks/gpu.sh`` also builds and tests first.
"""
