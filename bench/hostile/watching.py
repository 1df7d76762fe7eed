"""What is seen of a run from beside: memory of this process, addresses that were connected to, processes left."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
EVERY_S = 0.05


class Memory:
    """The most that was resident in this process, in MiB, beyond what was at the start."""

    def __init__(self) -> None:
        self._before = self._most = _resident_mib()
        self._over = threading.Event()

    @property
    def grown_mib(self) -> float:
        """By how much it grew at its largest."""
        return self._most - self._before

    @contextmanager
    def watched(self) -> Iterator["Memory"]:
        """Within it memory is looked at."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    def _look(self) -> None:
        while not self._over.wait(EVERY_S):
            self._most = max(self._most, _resident_mib())


class Connections:
    """Addresses that this process connected to: cages have no network, so theirs are among them."""

    def __init__(self) -> None:
        self.to: set[tuple[str, int]] = set()
        # A hook stays until the process ends.
        sys.addaudithook(self._hear)

    def _hear(self, event: str, what: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(what[1], tuple):
            self.to.add((str(what[1][0]), int(what[1][1])))


def adopt_orphans() -> None:
    """Have what our children leave behind become children of ours, so that it is seen."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> set[int]:
    """Process ids of all that this process started or adopted, and that are not reaped."""
    return {int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()}


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
