"""A process that is killed with SIGKILL just before each thing it does to files, one after the other.

Python tells of every open, rename, link and removal by its audit events; the n-th that changes something below a folder
ends the process. The first n that it outlives ends the walk.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

EVENTS = ("open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.truncate")


def killed_at_each_step(work: Callable[[], object], prepare: Callable[[], Path]) -> Iterator[int]:
    """Yield the number of the step before which `work` was killed, in a state that `prepare` made anew in a folder."""
    step = 0
    while True:
        step += 1
        folder = prepare()
        if not _dies(work, folder, step):
            return
        yield step


def _dies(work: Callable[[], object], folder: Path, step: int) -> bool:
    child = os.fork()
    if not child:
        _kill_before(step, folder)
        try:
            work()
        except BaseException as error:
            sys.stderr.write(f"step {step}: {error!r}\n")
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"before step {step} it ended with {status}"
    return status != 0


def _kill_before(step: int, folder: Path) -> None:
    seen = 0

    def look(event: str, given: tuple[object, ...]) -> None:
        nonlocal seen
        # Dying before something is read is dying before what is written next.
        flags = given[2] if event == "open" and len(given) == 3 else None
        reads = isinstance(flags, int) and not flags & (os.O_WRONLY | os.O_RDWR)
        if event not in EVENTS or reads:
            return
        if any(str(folder) in os.fsdecode(one) for one in given if isinstance(one, str | bytes)):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
