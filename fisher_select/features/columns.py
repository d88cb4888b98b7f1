# SPDX-License-Identifier: Apache-2.0
"""Columns of the Fisher information of the logits: what is sent backward through the model.

With J [C, D] the Jacobian of a sample's logits, its Fisher information is ``J^T L L^T J``, so a
factor V [D, r] of it takes one backward pass a column of L [C, r].
"""

from __future__ import annotations

import torch

EXPECTATIONS = ("exact", "sampled")


def factor_columns(
    logits: torch.Tensor, likelihood: str, *, reduced: bool = False
) -> torch.Tensor:
    """Columns of L for each row: [r, b, C].

    softmax: ``L L^T = diag(p) - p p^T``, columns ``sqrt(p_c) (e_c - p)``, so that column c of V
    is ``sqrt(p_c)`` times the gradient of ``log p_c``. They are linearly dependent, as
    ``L sqrt(p) = 0``. `reduced` turns them by the Householder reflection that takes sqrt(p) to
    the first axis and drops that column, which is zero: r = C - 1, the same L L^T, one backward
    pass less. sigmoid: ``diag(sqrt(q (1 - q)))``. gaussian: the identity (unit variance).
    """
    C = logits.shape[1]
    if likelihood == "gaussian":
        return torch.eye(C, dtype=logits.dtype, device=logits.device)[:, None, :].expand(
            C, len(logits), C
        )
    if likelihood == "sigmoid":
        q = logits.sigmoid()
        return torch.diag_embed((q * (1 - q)).sqrt()).transpose(0, 1)
    root = logits.softmax(dim=1).sqrt()  # [b, C], of length 1
    identity = torch.eye(C, dtype=logits.dtype, device=logits.device)
    if not reduced:
        columns = root[:, :, None] * (identity - root[:, :, None] * root[:, None, :])
        return columns.permute(2, 0, 1)
    # Column j >= 1 of I - v v^T / (1 + sqrt(p_0)), v = sqrt(p) + e_0; then times sqrt(p).
    v = root + identity[0]
    reflected = identity[:, 1:] - v[:, :, None] * (root[:, None, 1:] / v[:, None, :1])
    return (root[:, :, None] * reflected).permute(2, 0, 1)


def sampled_columns(
    logits: torch.Tensor, likelihood: str, draws: int, generator: torch.Generator
) -> torch.Tensor:
    """One column for each of `draws` labels y from the model: [draws, b, C].

    The gradient of ``log p(y)`` in the logits, over sqrt(draws): the mean over y of its outer
    product is L L^T.
    """
    shape = (draws, *logits.shape)
    if likelihood == "gaussian":
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        return noise.to(logits) / draws**0.5
    if likelihood == "sigmoid":
        q = logits.sigmoid()
        labels = torch.rand(shape, generator=generator, dtype=torch.float64).to(q) < q
        return (labels.to(q) - q) / draws**0.5
    p = logits.softmax(dim=1)
    drawn = torch.multinomial(p.cpu(), draws, replacement=True, generator=generator)
    one_hot = torch.nn.functional.one_hot(drawn.T, p.shape[1]).to(p)
    return (one_hot - p) / draws**0.5
