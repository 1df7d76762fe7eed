"""Waiting for what another process does: on a condition, never for a time; a helper of the tests."""

import time
from collections.abc import Callable
from pathlib import Path


def until(condition: Callable[[], object], *, within_s: float = 60.0) -> None:
    """Return when a condition holds; an error if it does not hold in far more time than that takes."""
    asked = time.monotonic()
    last = asked + within_s
    while not condition():
        now = time.monotonic()
        assert now < last, "it did not come to pass"
        # What is dear to ask, such as a server, is asked less often: what is waited for should have the time.
        time.sleep(min(max(0.05, 10 * (now - asked)), 0.5))
        asked = time.monotonic()


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_line(pid: int) -> bytes:
    """The words a process was started with, or nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def children(pid: int) -> set[int]:
    """The running processes whose parent a process is."""
    return {child for child, parent in _parents().items() if parent == pid}


def family(pid: int) -> set[int]:
    """The running processes that descend from one, in whatever group or session they are."""
    parents = _parents()
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        new = {child for child, parent in parents.items() if parent == one} - found
        found |= new
        waiting += new
    return found


def _parents() -> dict[int, int]:
    """The parent of every running process."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and alive(int(entry.name)):
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return parents
