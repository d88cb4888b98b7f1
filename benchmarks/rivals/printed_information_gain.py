# SPDX-License-Identifier: Apache-2.0
"""Information gain as printed (Mehta et al., UNSURE 2022), in plain torch: the rival.

For every pool sample and every label it might get: one SGD step of the last layer, one forward
pass of the evaluation set, one mean entropy. Two kinder forms stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Step = Literal["printed", "closed_form", "together"]


class PrintedInformationGain:
    """Scores of pool samples; a sample costs C steps and C passes of the evaluation set.

    Parameters
    ----------
    eval_features : array [m, d]
    class_weights : sequence of C floats
        Times the probability: 1 for EIG, the class frequencies for AEIG.
    weight, bias : array [d, C], array [C]
        The last layer. All arithmetic is in the dtype of `weight`.
    learning_rate : float
    step : {"printed", "closed_form", "together"}
        How a label's step is taken: by automatic differentiation and torch's optimizer, as
        printed; by the gradient's closed form; or by that for all labels side by side, so that
        their forward passes are one product [m, d] x [d, C^2].
    """

    def __init__(
        self,
        eval_features: npt.ArrayLike,
        class_weights: Sequence[float] | npt.NDArray[np.floating],
        weight: npt.ArrayLike,
        bias: npt.ArrayLike,
        *,
        learning_rate: float,
        step: Step = "printed",
    ) -> None:
        self.weight = torch.as_tensor(np.asarray(weight))
        like = self.weight.dtype
        self.bias = torch.as_tensor(np.asarray(bias)).to(like)
        self.evaluation = torch.as_tensor(np.asarray(eval_features)).to(like)
        self.class_weights = torch.as_tensor(np.asarray(class_weights)).to(like)
        self.learning_rate = learning_rate
        self.step = step
        self.layer = torch.nn.Linear(*self.weight.shape, dtype=like)
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=learning_rate)
        self.before = _mean_entropy(torch.addmm(self.bias, self.evaluation, self.weight))

    def scores(self, rows: Iterable[npt.NDArray[np.floating]]) -> list[float]:
        """``H1 - sum_c w_c H2_c`` of each feature vector [d] of ``rows``."""
        entropies = {
            "printed": self._printed,
            "closed_form": self._closed_form,
            "together": self._together,
        }[self.step]
        found = []
        for row in rows:
            x = torch.as_tensor(row).to(self.weight.dtype)
            p = torch.softmax(x @ self.weight + self.bias, 0)
            found.append(float(self.before - (p * self.class_weights * entropies(x, p)).sum()))
        return found

    def _printed(self, x: Tensor, p: Tensor) -> Tensor:
        entropies = []
        for label in range(len(p)):
            with torch.no_grad():
                self.layer.weight.copy_(self.weight.T)
                self.layer.bias.copy_(self.bias)
            self.optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.layer(x[None]), torch.tensor([label]))
            loss.backward()
            self.optimizer.step()
            with torch.inference_mode():
                entropies.append(_mean_entropy(self.layer(self.evaluation)))
        return torch.stack(entropies)

    @torch.inference_mode()
    def _closed_form(self, x: Tensor, p: Tensor) -> Tensor:
        entropies = []
        for label in range(len(p)):
            gradient = p.clone()
            gradient[label] -= 1.0
            step = self.learning_rate * gradient
            weight = self.weight - torch.outer(x, step)
            logits = torch.addmm(self.bias - step, self.evaluation, weight)
            entropies.append(_mean_entropy(logits))
        return torch.stack(entropies)

    @torch.inference_mode()
    def _together(self, x: Tensor, p: Tensor) -> Tensor:
        classes = len(p)
        steps = self.learning_rate * (p - torch.eye(classes, dtype=p.dtype))  # row: a label
        weights = self.weight[:, None, :] - x[:, None, None] * steps  # [d, label, class]
        biases = self.bias - steps
        logits = torch.addmm(biases.reshape(-1), self.evaluation, weights.reshape(len(x), -1))
        of_pairs = _entropies(logits.view(-1, classes, classes))  # [m, label]
        return of_pairs.mean(0)


def _entropies(logits: Tensor) -> Tensor:
    log_p = torch.log_softmax(logits, -1)
    return -(log_p.exp() * log_p).sum(-1)


def _mean_entropy(logits: Tensor) -> Tensor:
    return _entropies(logits).mean()
