"""Let runs save what they have before their worker is ended.

A worker that is told to end kills its runs at once. Training that is told so saves a checkpoint and reports itself, and
curation reports that it was stopped; so the runs are told first, and the worker afterwards.
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shards.leash import Leash, descendants

FLOW = b"prefect.engine"
"""What the process of a run is called with."""

LOOK_S = 0.05


def let_save(workers: Iterable[Leash], *, within_s: float) -> None:
    """Send the workers' runs SIGTERM and wait until they have ended, but not longer than that."""
    last = time.monotonic() + within_s
    leashes, told = list(workers), set[int]()
    while runs := {pid for one in leashes for pid in descendants(one.pid) if _is_flow(pid)}:
        for pid in runs - told:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        told |= runs
        if time.monotonic() > last:
            return
        time.sleep(LOOK_S)


def _is_flow(pid: int) -> bool:
    """Whether it is the process of a run; one that has ended has no command any more."""
    with suppress(OSError):
        return FLOW in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
