# SPDX-License-Identifier: Apache-2.0
"""The trainable parameters as one vector: which entry belongs to which tensor and layer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, eq=False)
class Slot:
    """One parameter tensor: entries `start` to `stop` of the vector, in the tensor's order."""

    name: str
    parameter: nn.Parameter
    start: int

    @property
    def stop(self) -> int:
        """One past its last entry."""
        return self.start + int(self.parameter.numel())


class Layout:
    """The order of ``model.named_parameters()``: shared tensors once, frozen ones left out.

    Attributes
    ----------
    slots : list of Slot
    layers : dict of str to range
        Entries of each module that owns parameters, its weight and bias together.
    total : int
        Length of the vector.

    Raises
    ------
    ValueError
        Every parameter is frozen.
    """

    def __init__(self, model: nn.Module) -> None:
        self.slots: list[Slot] = []
        self.layers: dict[str, range] = {}
        self.total = 0
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            slot = Slot(name, parameter, self.total)
            self.slots.append(slot)
            owner = name.rpartition(".")[0] or "(model)"
            first = self.layers[owner].start if owner in self.layers else slot.start
            self.layers[owner] = range(first, slot.stop)
            self.total = slot.stop
        if not self.slots:
            raise ValueError("model must have parameters with requires_grad, all are frozen")
        self._slot_of = {id(slot.parameter): slot for slot in self.slots}
        self._by_name = {slot.name: slot for slot in self.slots}

    def slot(self, parameter: nn.Parameter | None) -> Slot | None:
        """Where a parameter lies; None for a frozen or missing one."""
        return None if parameter is None else self._slot_of.get(id(parameter))

    def by_name(self, name: str) -> Slot:
        """The slot of the parameter that ``named_parameters()`` calls so."""
        return self._by_name[name]

    def entries(self, module: nn.Module) -> list[range]:
        """Entries of the parameters that a module owns itself."""
        own = (self.slot(parameter) for parameter in module.parameters(recurse=False))
        return [range(slot.start, slot.stop) for slot in own if slot is not None]
