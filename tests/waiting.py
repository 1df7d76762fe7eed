"""Waiting for what another process does: on a condition, never for a time; a helper of the tests."""

import time
from collections.abc import Callable
from pathlib import Path


def until(condition: Callable[[], object], *, within_s: float = 60.0) -> None:
    """Return when a condition holds; an error if it does not hold in far more time than that takes."""
    last = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < last, "it did not come to pass"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(pid: int) -> set[int]:
    """The running processes that descend from one, in whatever group or session they are."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and alive(int(entry.name)):
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        new = {child for child, parent in parents.items() if parent == one} - found
        found |= new
        waiting += new
    return found
