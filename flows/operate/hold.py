"""Who runs which part of a home on this machine: a file for each part that is lock and note in one.

The system drops the lock when its holder ends, however it ends, so a note without a lock is stale, and whoever holds
the lock wrote the note: its process id can be trusted, and no other process is ever taken for it.
"""

import fcntl
import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from curation.home.folder import Home
from flows.operate.parts import Part
from shards.errors import ClapboardError

LOOKING_S = 0.5
"""Longer than anybody looks at a note [ours]."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the holder of a part says of itself; `since` is seconds since 1970, `workers` all names of its workers."""

    pid: int
    since: float
    url: str = ""
    workers: list[str] = field(default_factory=list)


class Hold:
    """A part that this process runs."""

    def __init__(self, file: IO[str], before: Note | None) -> None:
        self._file, self._note = file, Note(os.getpid(), time.time())
        self.before = before
        """What the last holder left, which ended without saying so."""
        self._write()

    def say(self, *, url: str = "", worker: str = "") -> None:
        """Add to the note where the part is found, or what its worker is named now."""
        known = self._note
        workers = [*known.workers, worker] if worker else known.workers
        self._note = Note(known.pid, known.since, url or known.url, workers)
        self._write()

    def clear(self) -> None:
        """Nothing is left behind."""
        self._file.seek(0)
        self._file.truncate()

    def _write(self) -> None:
        self.clear()
        self._file.write(json.dumps(asdict(self._note)))
        self._file.flush()


@contextmanager
def held(home: Home, parts: Sequence[Part]) -> Iterator[dict[Part, Hold]]:
    """Hold parts of a home on this machine for the length of the block.

    Raises:
        ClapboardError: another process holds one of them.
    """
    home.make()
    _folder(home).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        holds: dict[Part, Hold] = {}
        for part in parts:
            file = stack.enter_context(_file(home, part).open("a+", encoding="utf-8"))
            if not _locked_soon(file):
                pid = getattr(_read(file), "pid", "?")
                raise ClapboardError(
                    f"`clapboard up` already runs the {part} of {home.root} (process {pid})",
                    remedy=f"clapboard down --home {home.root}; or name another --home",
                )
            holds[part] = Hold(file, _read(file))
            stack.callback(holds[part].clear)
        yield holds


def holders(home: Home) -> dict[Part, Note]:
    """The parts that run on this machine, each with its holder's note."""
    found = {}
    for part in Part:
        with suppress(FileNotFoundError), _file(home, part).open(encoding="utf-8") as file:
            if not _locked(file, fcntl.LOCK_SH) and (note := _read(file)):
                found[part] = note
    return found


def stop(home: Home, part: Part, note: Note, *, within_s: float) -> bool:
    """End the process that holds a part, by SIGTERM and after a time by SIGKILL; returns whether it ended by itself.

    Nothing happens where it ended meanwhile: the descriptor is opened first and the lock looked at after, so its number
    cannot have gone to another process in between.
    """
    try:
        process = os.pidfd_open(note.pid)
    except ProcessLookupError:
        return True
    try:
        if holders(home).get(part) != note:
            return True
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if select.select([process], [], [], within_s)[0]:
            return True
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], within_s)
        return False
    finally:
        os.close(process)


def _folder(home: Home) -> Path:
    """Machines may share a home's folder, and each has processes of its own."""
    return home.root / "up" / socket.gethostname()


def _file(home: Home, part: Part) -> Path:
    return _folder(home) / part


def _locked_soon(file: IO[str]) -> bool:
    """Whether we have the lock; whoever only looks has it for a moment."""
    last = time.monotonic() + LOOKING_S
    while not (ours := _locked(file, fcntl.LOCK_EX)) and time.monotonic() < last:
        time.sleep(0.02)
    return ours


def _locked(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> Note | None:
    file.seek(0)
    try:
        return Note(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
