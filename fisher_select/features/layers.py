# SPDX-License-Identifier: Apache-2.0
"""Gradients of single samples, layer by layer, from the layer's input and output gradient.

A linear or convolutional layer's weight gradient is a sum of outer products over its positions
p (the pixels of a map): ``dW[o, d] = sum_p g[o, p] a[d, p]`` with the output gradient g and the
inputs a under the kernel. A bias or a normalisation has one number a channel. No loop is over
samples; none of these forms a gradient of all samples and all weights at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

_Norm = nn.modules.batchnorm._BatchNorm

MATRIX = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers whose weight gradient is a sum of outer products."""

KNOWN = (*MATRIX, _Norm, nn.LayerNorm, nn.GroupNorm)
"""Layers with a formula; subclasses with a forward of their own have none."""

# Bytes of a temporary: beyond the caches, so larger pieces gain nothing.
_PIECE_BYTES = 1 << 24
# Writing, squaring and summing one entry of a sample's gradient costs as much as so many
# multiplications of a matrix product: 10 to 40 differ little on two cores with AVX-512.
_ENTRY_COST = 20
# Picking single entries out of both factors is that much slower than a matrix product.
_GATHER_COST = 16


def is_known(module: nn.Module) -> bool:
    """Whether the module's forward is that of a layer with a formula."""
    return any(
        isinstance(module, kind) and type(module).forward is kind.forward for kind in KNOWN
    )


# ------------------------------------------------------------------ the two sides of a product
def input_windows(module: nn.Module, a: torch.Tensor) -> torch.Tensor:
    """What each weight multiplies, a view: [b, groups, inputs, *kernel, *positions].

    A linear layer has one group, no kernel and its leading axes as positions.
    """
    if isinstance(module, nn.Linear):
        return a.reshape(len(a), 1, -1, a.shape[-1]).transpose(2, 3)
    sizes, dilation, stride = module.kernel_size, module.dilation, module.stride
    # torch keeps the padding of each side, last axis first, for 'same' and all modes alike.
    pad = list(module._reversed_padding_repeated_twice)
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    if any(pad):
        a = functional.pad(a, pad, mode=mode)
    a = a.contiguous()
    channels, axes = a.shape[1] // module.groups, a.stride()[2:]
    positions = [
        (length - step * (size - 1) - 1) // hop + 1
        for length, size, step, hop in zip(a.shape[2:], sizes, dilation, stride, strict=True)
    ]
    return a.as_strided(
        (len(a), module.groups, channels, *sizes, *positions),
        (
            a.stride(0),
            channels * a.stride(1),
            a.stride(1),
            *(x * step for x, step in zip(axes, dilation, strict=True)),
            *(x * hop for x, hop in zip(axes, stride, strict=True)),
        ),
    )


def output_gradient(module: nn.Module, g: torch.Tensor) -> torch.Tensor:
    """The output gradient as [b, groups, outputs, positions]."""
    if isinstance(module, nn.Linear):
        return g.reshape(len(g), 1, -1, g.shape[-1]).transpose(2, 3)
    groups = module.groups
    return g.reshape(len(g), groups, g.shape[1] // groups, -1)


def channel_gradient(
    module: nn.Module, name: str, a: torch.Tensor, g: torch.Tensor
) -> torch.Tensor:
    """Per-sample gradient [b, *shape] of a bias, or of a normalisation's weight."""
    if name == "weight":
        g = g * _normalized(module, a)
    if isinstance(module, nn.LayerNorm):
        kept = len(module.normalized_shape)
        return g.reshape(len(g), -1, *g.shape[g.ndim - kept :]).sum(dim=1)
    if isinstance(module, nn.Linear):
        return g.reshape(len(g), -1, g.shape[-1]).sum(dim=1)
    return g.reshape(len(g), g.shape[1], -1).sum(dim=2)


def _normalized(module: nn.Module, a: torch.Tensor) -> torch.Tensor:
    """The input as the normalisation scales it, before weight and bias."""
    if isinstance(module, nn.LayerNorm):
        return functional.layer_norm(a, module.normalized_shape, eps=module.eps)
    if isinstance(module, nn.GroupNorm):
        return functional.group_norm(a, module.num_groups, eps=module.eps)
    return functional.batch_norm(a, module.running_mean, module.running_var, eps=module.eps)


# ----------------------------------------------------------------------------- whole weights
def weight_gradient(windows: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Per-sample gradient of a weight [b, groups, outputs, inputs]: b o d p multiplications."""
    return g @ _flat(windows).transpose(2, 3)


class SquareSum:
    """Sum over samples and over the columns k of the factor, of the squared weight gradient.

    Two exact ways; the cheaper one is taken. Either each sample's gradient is formed, squared
    and summed: ``K b o d (p + c)``, with c the cost of handling one entry. Or the square is
    multiplied out: ``(sum_p g_p a_p)^2 = sum_{p,q} (sum_k g_kp g_kq) a_p a_q``, where the sum
    over k, and over samples within one matrix product, comes first: ``b o d p (p + 1) / 2``.
    The second wins where maps are small (the late, wide layers), and with one position it does
    the work of all K columns at the price of one. Its terms cancel: an entry is exact to
    float32 rounding of the terms, which may be larger than their sum.
    """

    def __init__(self, windows: torch.Tensor, columns: int) -> None:
        self._inputs = _flat(windows)  # [b, groups, inputs, positions]
        P = self._inputs.shape[3]
        pairs = P * (P + 1) // 2
        self._multiplied_out = pairs <= columns * (P + _ENTRY_COST)
        if self._multiplied_out:
            self._inputs = self._inputs.permute(3, 0, 1, 2).contiguous()
        self._products: torch.Tensor | None = None
        self._total: torch.Tensor | None = None

    def add(self, g: torch.Tensor) -> None:
        """Add one column: its output gradient [b, groups, outputs, positions]."""
        if self._multiplied_out:
            self._add_products(g.permute(3, 0, 1, 2).contiguous())
        else:
            self._add_squares(g)

    def total(self) -> torch.Tensor:
        """[groups, outputs, inputs], not negative."""
        if self._products is not None:
            self._total = self._expanded(self._products)
        if self._total is None:
            raise ValueError("add a column before taking the total")
        return self._total.clamp_(min=0)

    def _add_squares(self, g: torch.Tensor) -> None:
        b, groups, inputs, _ = self._inputs.shape
        for rows in _pieces(b, groups * inputs * g.shape[2] * g.element_size()):
            gradient = g[rows] @ self._inputs[rows].transpose(2, 3)
            squares = gradient.square_().sum(dim=0)
            self._total = squares if self._total is None else self._total.add_(squares)

    # Positions come first, so that a pair's products run over contiguous samples and channels;
    # pairs (p, q) with p <= q, those of p = 0 before those of p = 1.
    def _add_products(self, g: torch.Tensor) -> None:
        P = len(g)
        if self._products is None:
            self._products = g.new_zeros((P * (P + 1) // 2, *g.shape[1:]))
        for p, pairs in enumerate(self._products.split(list(range(P, 0, -1)))):
            pairs.addcmul_(g[p:], g[p])

    def _expanded(self, products: torch.Tensor) -> torch.Tensor:
        """Sum over samples and pairs of the products times those of the inputs."""
        a, P = self._inputs, len(self._inputs)
        total = products.new_zeros((a.shape[2], products.shape[3], a.shape[3]))
        for p, pairs in enumerate(products.split(list(range(P, 0, -1)))):
            pairs[1:] *= 2  # (p, q) and (q, p)
            left = pairs.flatten(0, 1).permute(1, 2, 0)  # [groups, outputs, pairs b]
            right = (a[p:] * a[p]).flatten(0, 1).transpose(0, 1)  # [groups, pairs b, inputs]
            total.baddbmm_(left, right)
        return total


# ---------------------------------------------------------------------------- some entries
class Entries:
    """Per-sample gradients of chosen entries of one weight.

    Few of them are picked out of both sides of the product and multiplied; where many are
    wanted, the whole weight's gradient comes cheaper.

    Parameters
    ----------
    module : nn.Module
        A layer of MATRIX.
    flat : int64 tensor [m]
        Entries of its weight, in the tensor's order.
    """

    def __init__(self, module: nn.Module, flat: torch.Tensor) -> None:
        weight = module.weight
        shape = tuple(weight.shape[1:])  # a linear layer's inputs; or channels and kernel
        inputs = math.prod(shape)
        outputs = weight.shape[0] // getattr(module, "groups", 1)
        row, self._input = flat // inputs, flat % inputs
        self._group, self._output = row // outputs, row % outputs
        self._tap = torch.unravel_index(self._input, shape)
        self._weights = weight.numel()
        self._many = len(flat) * _GATHER_COST >= self._weights

    def inputs(self, windows: torch.Tensor) -> torch.Tensor:
        """The side of the products that all columns share; see `gradient`."""
        if self._by_whole(math.prod(windows.shape[3 + (windows.ndim - 3) // 2 :])):
            return _flat(windows)
        return windows[(slice(None), self._group, *self._tap)].flatten(2)  # [b, m, positions]

    def gradient(self, inputs: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """[b, m] for one column's output gradient [b, groups, outputs, positions]."""
        positions = g.shape[3]
        whole = self._by_whole(positions)
        numbers = self._weights if whole else len(self._input) * positions
        pieces = []
        for rows in _pieces(len(g), numbers * g.element_size()):
            if whole:
                gradient = g[rows] @ inputs[rows].transpose(2, 3)
                pieces.append(gradient[:, self._group, self._output, self._input])
            else:
                picked = g[rows][:, self._group, self._output]
                pieces.append((picked * inputs[rows]).sum(dim=2))
        return torch.cat(pieces)

    def _by_whole(self, positions: int) -> bool:
        # With one position a product of all is no cheaper than the products wanted.
        return self._many and positions > 1


def _flat(windows: torch.Tensor) -> torch.Tensor:
    """The windows as [b, groups, inputs, positions], a copy where kernels overlap."""
    if windows.ndim == 4:  # linear: no kernel, one axis of positions
        return windows
    kernel_axes = (windows.ndim - 3) // 2
    inputs = math.prod(windows.shape[2 : 3 + kernel_axes])
    return windows.reshape(*windows.shape[:2], inputs, -1)


def _pieces(rows: int, row_bytes: int) -> Sequence[slice]:
    step = max(1, _PIECE_BYTES // max(1, row_bytes))
    return [slice(start, start + step) for start in range(0, rows, step)]
