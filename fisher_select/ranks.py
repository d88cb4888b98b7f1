# SPDX-License-Identifier: Apache-2.0
"""The ranks of a torch.distributed process group, and what they say to each other.

A rank that is gone must not hold up the others: each gives signs of life in the group's store
while it works, whoever fails leaves word there, and those who wait look for both.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fisher_select.errors import RankError
from fisher_select.options import as_real

__all__ = ["Ranks", "TorchRanks", "agree"]

_BEAT = 0.5  # seconds between two signs of life
_SILENCE = 6.0  # seconds without one until a rank that is waited for is taken for dead
_ROLL_CALL = 2.0  # seconds of silence that tell who it was, where a connection broke
_MEETING = 1800.0  # seconds until all ranks have checked what they were given
_NAP = 1e-4  # between two looks at an exchange under way
_LOOK = 0.2  # between two looks at the store while waiting

# Groups with an exchange that a stopped rank left hanging: to let go of one is to wait for its
# timeout, which must not hold up whoever handles the error.
_broken: list[Any] = []


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
    for kind in (TypeError, OSError):
        if isinstance(error, kind):
            return kind.__name__
    return "ValueError"


class TorchRanks:
    """The ranks of a process group of torch.distributed, of any backend.

    What they exchange lies in the memory of the host, so they talk over gloo, in a group of
    their own that breaks alone when a rank is lost. The store of the caller's group holds a
    sign of life of each rank, and the word of who failed.

    Parameters
    ----------
    group : ProcessGroup or None
        None: the default group, which must be initialised.
    timeout : float
        Seconds that a rank which lives may be behind the others.
    """

    def __init__(self, group: Any, timeout: float) -> None:
        import torch
        from torch import distributed

        self._timeout = as_real("timeout", timeout, above=0.0)
        if distributed.is_available() and not hasattr(
            distributed.ProcessGroup, "get_group_store"
        ):
            raise ImportError(
                "a selection on several ranks needs torch 2.9 or newer, got "
                f"{torch.__version__}"
            )
        if not (distributed.is_available() and distributed.is_initialized()):
            raise ValueError(
                "group must be a process group, or torch.distributed must be initialised: run "
                "under torchrun and call torch.distributed.init_process_group('gloo') first"
            )
        self._parent = distributed.group.WORLD if group is None else group
        self.rank = distributed.get_rank(self._parent)
        self.ranks = distributed.get_world_size(self._parent)
        if self.rank < 0:
            raise ValueError("group must be a process group that this process is part of")
        self._group: Any = None
        self._store = self._parent.get_group_store()
        # The store outlives a selection, so each has its own words there.
        count = self._store.add(f"fisher_select/count/{self.rank}", 1)
        self._words = f"fisher_select/{count}"

    def sum(self, values: npt.NDArray[np.float64]) -> None:
        tensor = _copy(values)
        self._exchange(lambda group: group.allreduce(tensor))
        values[:] = tensor.numpy()

    def gather(self, own: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        tensor = _copy(own)
        parts = [tensor.new_empty(tensor.shape) for _ in range(self.ranks)]
        self._exchange(lambda group: group.allgather(parts, tensor))
        for part, place in zip(parts, out.reshape(self.ranks, -1), strict=True):
            place[:] = part.numpy()

    def broadcast(self, values: npt.NDArray[np.float64], root: int) -> None:
        tensor = _copy(values)
        self._exchange(lambda group: group.broadcast(tensor, root))
        values[:] = tensor.numpy()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Give signs of life within the block, and tell the others what ends it early."""
        over = threading.Event()
        heart = threading.Thread(target=self._beat, args=(over,), daemon=True)
        heart.start()
        try:
            yield
        except BaseException as error:
            _broken.append(self._group)
            if isinstance(error, RankError):
                raise  # the others know
            with suppress(RuntimeError):  # the store has gone with its rank
                self._leave_word(f"rank {self.rank} stopped: {str(error) or repr(error)}", [])
            raise
        finally:
            over.set()
            heart.join()

    def _beat(self, over: threading.Event) -> None:
        with suppress(RuntimeError):
            while not over.is_set():
                self._store.add(f"{self._words}/beat/{self.rank}", 1)
                over.wait(_BEAT)

    def _exchange(self, start: Callable[[Any], Any]) -> None:
        """Start an exchange and see it through; RankError where a rank does not take part."""
        try:
            if self._group is None:
                self._group = self._meet()
            work = start(self._group)
            self._wait(work.is_completed, self._timeout)
            work.wait()
        except RankError:
            raise
        except RuntimeError as error:
            raise self._lost("an exchange broke off") from error

    def _meet(self) -> Any:
        """Wait until all ranks are here, each after work of its own, and form a group."""
        from torch import distributed

        arrivals = [f"{self._words}/here/{rank}" for rank in range(self.ranks)]
        self._store.set(arrivals[self.rank], "")
        self._wait(lambda: bool(self._store.check(arrivals)), _MEETING, nap=0.01)
        store = distributed.PrefixStore(self._words, self._store)
        # Not new_group(): that counts on all ranks of the default group to take part.
        timeout = timedelta(seconds=self._timeout)
        return distributed.ProcessGroupGloo(store, self.rank, self.ranks, timeout)

    def _wait(self, done: Callable[[], bool], limit: float, nap: float = _NAP) -> None:
        """Wait, awake to Ctrl-C, to the word of a failure and to ranks gone silent."""
        started = looked = time.monotonic()
        beats = Beats()
        while not done():
            now = time.monotonic()
            if now - started > limit:
                raise self._lost(f"more than {limit:g} s behind the others; raise timeout")
            if now - looked > _LOOK:
                looked = now
                self._look_for_word()
                if silent := beats.silent(self._read_beats(), now, _SILENCE):
                    raise self._lost(f"no sign of life for {_SILENCE:g} s", silent)
            time.sleep(nap)

    def _read_beats(self) -> list[int]:
        """Signs of life so far, of each rank; 0: it has not begun."""
        keys = (f"{self._words}/beat/{rank}" for rank in range(self.ranks))
        return [self._store.add(key, 0) for key in keys]

    def _look_for_word(self) -> None:
        if self._store.check([f"{self._words}/failure"]):
            raise self._told(self._store.get(f"{self._words}/failure"))

    def _leave_word(self, words: str, missing: list[int]) -> RankError:
        """Tell the others, unless somebody has before; what they are told."""
        said = json.dumps([words, missing])
        return self._told(self._store.compare_set(f"{self._words}/failure", "", said))

    def _told(self, said: bytes) -> RankError:
        words, missing = json.loads(said)
        return RankError(words, ranks=tuple(missing))

    def _lost(self, reason: str, silent: Sequence[int] = ()) -> RankError:
        """Tell the others who is silent, found out here where it is not known."""
        try:
            missing = list(silent) or self._roll_call()
            named = f"rank {', '.join(map(str, missing))}" if missing else "a rank"
            return self._leave_word(f"{named} is lost: {reason}", missing)
        except RankError as told:
            return told
        except RuntimeError:
            return RankError(f"the rank that holds the group's store is lost: {reason}")

    def _roll_call(self) -> list[int]:
        beats, end = Beats(), time.monotonic() + _ROLL_CALL
        while True:
            now = time.monotonic()
            silent = beats.silent(self._read_beats(), now, _ROLL_CALL / 2)
            if now > end:
                return silent
            self._look_for_word()
            time.sleep(_LOOK)


def _copy(values: npt.NDArray[Any]) -> Any:
    """A tensor that may outlive `values`: what breaks off can still be written to, late."""
    import torch

    return torch.from_numpy(values).clone()


class Beats:
    """Who has given no sign of life, by successive counts of them."""

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._since: list[float] = []

    def silent(self, counts: list[int], now: float, limit: float) -> list[int]:
        """Take note of the counts; ranks whose count has stood for more than `limit` seconds.

        A rank that has not begun is not silent.
        """
        if not self._counts:
            self._counts, self._since = counts, [now] * len(counts)
        for rank, count in enumerate(counts):
            if count != self._counts[rank] or count == 0:
                self._counts[rank], self._since[rank] = count, now
        return [rank for rank, since in enumerate(self._since) if now - since > limit]
