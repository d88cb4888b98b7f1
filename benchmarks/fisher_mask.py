# SPDX-License-Identifier: Apache-2.0
"""FisherMask on a ResNet-18: the diagonal and the gradients against autograd one at a time.

The rival is what published code does: one backward pass of the whole network a sample and
class, squares added up. Both sides are measured by turns, on the same network and images.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import fisher_select as fs
from benchmarks.child import run_child
from benchmarks.digit_images import digit_images
from benchmarks.engine import Settings
from benchmarks.pairing import AnswerError, Pairs, alternate
from benchmarks.record import Figure, Record, at_least, informative, seconds
from fisher_select import features
from fisher_select.resnet import STEMS, seeded

CLASSES = 10
LIMIT = 10.0
MEMORY_GB = 24.0
TOLERANCE = 1e-3  # of the largest entry, in float32


@dataclass(frozen=True)
class Size:
    """Images of ours and of the rival, which is slower, a pair; and pairs."""

    stem: str
    width: int
    images: int
    rival_images: int
    batch_rows: int
    rounds: int


SIZES = (
    Size("imagenet", 64, images=192, rival_images=2, batch_rows=64, rounds=5),
    Size("small", 64, images=64, rival_images=2, batch_rows=32, rounds=3),
)
SIZES_QUICK = tuple(
    Size(stem, 4, images=8, rival_images=1, batch_rows=8, rounds=1) for stem in STEMS
)

SELECTION = {
    "n": 2000,
    "width": 64,
    "stem": "imagenet",
    "labeled": 200,
    "epochs": 20,
    "batch_size": 50,
    "num_samples": 1024,
}
SELECTION_QUICK = SELECTION | {"n": 60, "width": 4, "labeled": 20, "batch_size": 5}


def diagonal(settings: Settings) -> Record:
    """Seconds a sample and class of the diagonal and of the masked gradients."""
    sizes = SIZES_QUICK if settings.quick else SIZES
    figures, raw = [], {}
    for size in sizes:
        stem = size.stem
        images, _ = digit_images(size.images)
        model = seeded(CLASSES, width=size.width, stem=stem).eval()
        _check(model, images[:2])
        ours = _measure(
            model,
            images,
            size,
            lambda rows, m=model, size=size: features.diagonal_fisher(
                m, rows, batch_rows=size.batch_rows
            ),
        )
        mask = _mask(model, images[:32])
        gradients = _measure(
            model,
            images,
            size,
            lambda rows, m=model, k=mask, size=size: features.masked_factors(
                m, rows, k, reduced=True, batch_rows=size.batch_rows
            ),
        )
        sampled = _measure(
            model,
            images,
            size,
            lambda rows, m=model, size=size: features.diagonal_fisher(
                m, rows, expectation="sampled", batch_rows=size.batch_rows
            ),
        )
        what = f"ResNet-18, 32 x 32, {stem} stem: a sample and class against autograd"
        figure = at_least if stem == "imagenet" else _informative
        figures += [
            figure(f"diagonal Fisher, {what}", ours.speedup, LIMIT, detail=_detail(ours)),
            informative(
                f"gradients of 0.2 %, {what}", gradients.speedup, detail=_detail(gradients)
            ),
            informative(
                f"diagonal with one drawn label, {what}",
                sampled.speedup,
                detail=_detail(sampled),
            ),
        ]
        raw |= {
            f"{stem}, diagonal": ours.raw(),
            f"{stem}, gradients": gradients.raw(),
            f"{stem}, sampled": sampled.raw(),
        }
    notes = [
        "times are those of all classes of a sample over their number; a drawn label does the "
        "work of one class for all of them",
        "imagenet stem: that of He et al. (7 x 7, stride 2, pooling), maps of 8 to 1 pixels a "
        "side; small stem: 3 x 3, maps of 32 to 4, where both sides are bound by the same "
        "products",
    ]
    cases = {"cases": [asdict(size) for size in sizes]}
    return Record("fisher_mask_diagonal", cases, figures, raw, notes)


def selection(settings: Settings) -> Record:
    """50 of 2,000 images by a whole ResNet-18, in a process of its own."""
    size: dict[str, Any] = SELECTION_QUICK if settings.quick else SELECTION
    found = run_child("fisher_mask_child", size, "the selection")
    if len(set(found["picks"])) != size["batch_size"]:
        raise AnswerError(f"wanted {size['batch_size']} picks, got {found['picks']}")
    peak = found["peak_bytes"] / 1e9
    stages = ", ".join(f"{stage} {seconds(s)}" for stage, s in found["stages_s"].items())
    figures = [
        Figure(
            f"FisherMask, {size['batch_size']} of {size['n']:,} images, ResNet-18 of "
            f"{found['parameters']:,} parameters, mask of {found['mask']:,}: peak memory",
            f"<= {MEMORY_GB:g} GB",
            f"{peak:.1f} GB in {seconds(found['wall_s'])} ({stages})",
            peak,
            peak <= MEMORY_GB,
        )
    ]
    return Record("fisher_mask_selection", size, figures, found)


def _measure(model: nn.Module, images: Tensor, size: Size, ours: Any) -> Pairs:
    """Seconds a sample and class: autograd on a few images, ours on all."""

    def rival() -> float:
        start = time.perf_counter()
        _one_at_a_time(model, images[: size.rival_images])
        return (time.perf_counter() - start) / (size.rival_images * CLASSES)

    def mine() -> float:
        start = time.perf_counter()
        ours(images)
        return (time.perf_counter() - start) / (len(images) * CLASSES)

    rival()
    ours(images[: size.batch_rows])
    return alternate(rival, mine, rounds=size.rounds)


def _one_at_a_time(model: nn.Module, images: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The diagonal by definition: a forward pass a sample, a backward pass a class."""
    parameters = list(model.parameters())
    total = [torch.zeros_like(p) for p in parameters]
    for row in range(len(images)):
        log_p = model(images[row : row + 1]).log_softmax(dim=1)[0]
        p = log_p.detach().exp()
        for c in range(CLASSES):
            gradient = torch.autograd.grad(log_p[c], parameters, retain_graph=True)
            for sum_, g in zip(total, gradient, strict=True):
                sum_.addcmul_(g, g, value=float(p[c]))
    return (torch.cat([t.reshape(-1) for t in total]) / len(images)).numpy()


def _check(model: nn.Module, images: Tensor) -> None:
    expected = _one_at_a_time(model, images)
    found = features.diagonal_fisher(model, images)
    worst = float(np.abs(found - expected).max() / expected.max())
    if not worst < TOLERANCE:
        raise AnswerError(f"the diagonal is off by {worst:.2g} of its largest entry")


def _mask(model: nn.Module, images: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    found = features.diagonal_fisher(model, images)
    last = 512 * CLASSES if len(found) > 10**6 else 1
    k = max(round(0.002 * len(found)), last + CLASSES)
    return fs.top_k_mask(found, k, slice(len(found) - last - CLASSES, None))


def _informative(figure: str, value: float, _limit: float, *, detail: str) -> Figure:
    return informative(figure, value, detail=detail)


def _detail(pairs: Pairs) -> str:
    return f"{seconds(pairs.median_ours)} against {seconds(pairs.median_rival)}"
