# SPDX-License-Identifier: Apache-2.0
"""The floors of the card: how fast it copies memory, and how fast it multiplies matrices."""

from __future__ import annotations

import statistics
from dataclasses import asdict

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.row import Measured, Row
from benchmarks.gpu.work import Floors

REPEATS = 10


def floors(bench: Bench) -> Measured:
    """A copy of 8 GiB; products of two [8192, 8192] of normal numbers (zeros run faster)."""
    values, side = (1 << 16, 64) if bench.quick else (1 << 31, 8192)
    copy = _copy_times(bench, values)
    single = _product_times(bench, side, torch.float32)
    double = _product_times(bench, side, torch.float64)
    flops = 2.0 * side**3
    medians = [statistics.median(times) for times in (copy, single, double)]
    found = Floors(2 * 4 * values / medians[0], flops / medians[1], flops / medians[2])
    copied = f"copy of {4e-9 * values:.3g} GB, device to device: "
    product = f"product of two [{side:,}, {side:,}], "
    rows = [
        Row(copied + f"{found.copy_bytes_per_s / 1e9:,.0f} GB/s", medians[0]),
        Row(
            product + f"float32 without TF32: {found.gemm_flops_per_s / 1e12:.3g} TFLOP/s",
            medians[1],
        ),
        Row(product + f"float64: {found.gemm64_flops_per_s / 1e12:.3g} TFLOP/s", medians[2]),
    ]
    raw = {"copy_s": copy, "float32_s": single, "float64_s": double, "floors": asdict(found)}
    return Measured(rows, {"values": values, "side": side}, raw)


def _copy_times(bench: Bench, values: int) -> list[float]:
    source = torch.randn(values, device=bench.device)
    target = torch.empty_like(source)
    return bench.times(lambda: target.copy_(source), most=REPEATS)


def _product_times(bench: Bench, side: int, dtype: torch.dtype) -> list[float]:
    torch.set_float32_matmul_precision("highest")
    left, right = (torch.randn(side, side, dtype=dtype, device=bench.device) for _ in range(2))
    out = torch.empty_like(left)
    return bench.times(lambda: torch.matmul(left, right, out=out), most=REPEATS)
