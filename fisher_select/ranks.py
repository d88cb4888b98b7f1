# SPDX-License-Identifier: Apache-2.0
"""The ranks of a torch.distributed process group, and what they say to each other.

A rank that is gone or stuck must not hold up the others: each exchange has a deadline, and
whoever fails leaves word in the group's store, where those who wait look for it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fisher_select.errors import RankError
from fisher_select.options import as_real

__all__ = ["Ranks", "TorchRanks", "agree"]

_ROLL_CALL = 1.0
"""Seconds that the others have to answer when somebody is missing."""

_CALL = "roll call"  # left in the store where a rank is missed
_NAP = 1e-4  # seconds between two looks at an exchange under way
_LOOK = 0.2  # seconds of waiting between two looks for word of a failure


class Ranks(Protocol):
    """Several processes at the same work. All call the same methods in the same order."""

    rank: int
    ranks: int

    def sum(self, values: npt.NDArray[np.float64]) -> None:
        """Add up `values` over the ranks, in place."""

    def gather(self, own: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Fill `out` [ranks * len(own)] with everybody's `own`, in the order of the ranks."""

    def broadcast(self, values: npt.NDArray[np.float64], root: int) -> None:
        """Give all ranks the `values` of one."""


def agree(ranks: Ranks, value: Any) -> list[Any]:
    """Everybody's `value`, which JSON can hold; or an error that any of them brings.

    Raises
    ------
    TypeError, ValueError, OSError
        Where the `value` of a rank is one: on all ranks, of the first one's type and in its
        words, with the rank named.
    """
    failure = isinstance(value, Exception)
    said = {"type": _type_of(value), "words": str(value)} if failure else {"value": value}
    text = np.frombuffer(json.dumps(said).encode(), dtype=np.uint8)
    lengths = np.empty(ranks.ranks, dtype=np.int64)
    ranks.gather(np.array([len(text)]), lengths)
    own = np.zeros(lengths.max(), dtype=np.uint8)
    own[: len(text)] = text
    heard = np.empty(ranks.ranks * len(own), dtype=np.uint8)
    ranks.gather(own, heard)
    texts = zip(heard.reshape(ranks.ranks, -1), lengths, strict=True)
    answers = [json.loads(bytes(row[:length])) for row, length in texts]
    for rank, answer in enumerate(answers):
        if "type" in answer:
            kind = {"TypeError": TypeError, "OSError": OSError}.get(answer["type"], ValueError)
            raise kind(f"rank {rank}: {answer['words']}")
    return [answer["value"] for answer in answers]


def _type_of(error: Exception) -> str:
    return next(t.__name__ for t in (TypeError, OSError, Exception) if isinstance(error, t))


class TorchRanks:
    """The ranks of a process group of torch.distributed, over gloo or NCCL.

    Parameters
    ----------
    group : ProcessGroup or None
        None: the default group, which must be initialised.
    timeout : float
        Seconds that a rank waits for the others in an exchange before it gives up.
    """

    def __init__(self, group: Any, timeout: float) -> None:
        import torch
        from torch import distributed

        self._timeout = as_real("timeout", timeout, above=0.0)
        if not (distributed.is_available() and distributed.is_initialized()):
            raise ValueError(
                "group must be a process group, or torch.distributed must be initialised: run "
                "under torchrun and call torch.distributed.init_process_group('gloo') first"
            )
        self._group = distributed.group.WORLD if group is None else group
        self.rank = distributed.get_rank(self._group)
        self.ranks = distributed.get_world_size(self._group)
        if self.rank < 0:
            raise ValueError("group must be a process group that this process is part of")
        # NCCL moves the memory of devices alone, the others that of the host.
        on_device = distributed.get_backend(self._group) == "nccl"
        self._device = torch.device("cuda") if on_device else None
        # Each selection has its own words in the store, which the group keeps.
        self._store = self._group.get_group_store()
        count = self._store.add(f"fisher_select/count/{self.rank}", 1)
        self._words = f"fisher_select/{count}"
        self._failure = f"{self._words}/failure"

    def sum(self, values: npt.NDArray[np.float64]) -> None:
        from torch import distributed

        tensor = self._tensor(values)
        self._wait(
            lambda: distributed.all_reduce(tensor, group=self._group, async_op=True)
        )
        self._copy_back(tensor, values)

    def gather(self, own: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        from torch import distributed

        tensor = self._tensor(own)
        parts = [tensor.new_empty(tensor.shape) for _ in range(self.ranks)]
        self._wait(
            lambda: distributed.all_gather(parts, tensor, group=self._group, async_op=True)
        )
        for part, place in zip(parts, out.reshape(self.ranks, -1), strict=True):
            place[:] = part.cpu().numpy()

    def broadcast(self, values: npt.NDArray[np.float64], root: int) -> None:
        from torch import distributed

        tensor = self._tensor(values)
        self._wait(
            lambda: distributed.broadcast(
                tensor, group_src=root, group=self._group, async_op=True
            )
        )
        self._copy_back(tensor, values)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Leave word for the others of whatever ends the block early."""
        try:
            yield
        except RankError:
            raise  # the others know, or will find out alike
        except BaseException as error:
            with suppress(RuntimeError):  # the store has gone with its rank
                self._leave_word(f"rank {self.rank} stopped: {str(error) or repr(error)}")
            raise

    def _tensor(self, values: npt.NDArray[Any]) -> Any:
        import torch

        tensor = torch.from_numpy(values)
        return tensor if self._device is None else tensor.to(self._device)

    def _copy_back(self, tensor: Any, values: npt.NDArray[np.float64]) -> None:
        if self._device is not None:
            values[:] = tensor.cpu().numpy()

    def _wait(self, start: Callable[[], Any]) -> None:
        """Wait for an exchange, awake to Ctrl-C, the deadline and word of a failure."""
        started = looked = time.monotonic()
        try:
            work = start()
            while not work.is_completed():
                now = time.monotonic()
                if now - started > self._timeout:
                    raise self._lost(f"no answer for {self._timeout:g} s")
                if now - looked > _LOOK:
                    looked = now
                    self._look_for_word()
                time.sleep(_NAP)
            work.wait()
        except RankError:
            raise
        except RuntimeError as error:
            raise self._lost(str(error).partition("\n")[0]) from error

    def _look_for_word(self) -> None:
        """Raise what the others have heard."""
        if not self._store.check([self._failure]):
            return
        words = self._store.get(self._failure).decode()
        raise self._lost("others miss it") if words == _CALL else RankError(words)

    def _leave_word(self, words: str) -> str:
        """Tell the others, unless somebody has before; what they are told."""
        return str(self._store.compare_set(self._failure, "", words).decode())

    def _lost(self, reason: str) -> RankError:
        """Call the roll, or pass on what a rank has said before it left."""
        try:
            words = self._leave_word(_CALL)
            if words != _CALL:
                return RankError(words)
            missing = self._roll_call()
        except RuntimeError:
            return RankError(f"the rank that holds the group's store is gone ({reason})")
        named = f"rank {', '.join(map(str, missing))}" if missing else "a rank"
        return RankError(
            f"{named} is gone, or more than {self._timeout:g} s behind the others ({reason}); "
            "raise timeout if it is only slow",
            ranks=tuple(missing),
        )

    def _roll_call(self) -> list[int]:
        """Those who do not answer in time."""
        self._store.set(f"{self._words}/here/{self.rank}", "")
        end = time.monotonic() + _ROLL_CALL
        missing = [rank for rank in range(self.ranks) if rank != self.rank]
        while missing and time.monotonic() < end:
            time.sleep(_NAP)
            here = f"{self._words}/here"
            missing = [rank for rank in missing if not self._store.check([f"{here}/{rank}"])]
        return missing
