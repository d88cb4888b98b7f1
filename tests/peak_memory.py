# SPDX-License-Identifier: Apache-2.0
"""The most memory that this process holds meanwhile, by Linux's own account."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType


class PeakMemory:
    """Watches a block; `mb` is then what it held at the most beyond what was held before.

    `kinds` are those of /proc/self/status: "Anon" for memory of its own, "File" for pages of
    files.
    """

    def __init__(self, *kinds: str) -> None:
        self.mb = 0.0
        self._kinds = kinds
        self._before = 0.0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._before = self._held()
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._watcher.join()

    def _held(self) -> float:
        words = Path("/proc/self/status").read_text().split()
        return sum(int(words[words.index(f"Rss{kind}:") + 1]) / 1024 for kind in self._kinds)

    def _watch(self) -> None:
        while not self._done.is_set():
            self.mb = max(self.mb, self._held() - self._before)
            time.sleep(0.002)
