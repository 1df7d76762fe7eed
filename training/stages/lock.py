"""One run at a time in a run's folder: a restart waits for the last processes of the run before it to be gone."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shards.errors import TrainingError

LOCK = ".lock"
PATIENCE_S = 60.0
"""Processes that were told to stop have half a minute for a last checkpoint [ours]."""

_EVERY_S = 0.2


@contextmanager
def alone_in(run_dir: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold a run's folder until the block ends; the system gives it back when the process ends, however it ends.

    Raises:
        TrainingError: another process still has it after `patience_s`.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(run_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait_for(handle, run_dir, patience_s)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int, run_dir: Path, patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                holder = os.pread(handle, 32, 0).decode(errors="replace") or "?"
                raise TrainingError(
                    f"process {holder} is at work on this very run: {run_dir}",
                    remedy="wait for it, or stop it: the same command then goes on",
                ) from error
            time.sleep(_EVERY_S)
        else:
            return
