"""What holds a cage on this machine: tried from inside, past what Python itself refuses there."""

import ctypes
import mmap
import os
import socket
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.fetch.cage import CAGES, Errand
from curation.fetch.settings import FetchSettings
from curation.media.process import GIB

MAP_NORESERVE = 0x4000
"""Of mmap(2): whether the machine has that much is not asked, so that only a limit says no."""


@dataclass(frozen=True, slots=True)
class Holds:
    """What somebody cannot do who runs machine code of his own in a cage.

    Attributes:
        network: connect to anything but what this side connects for him.
        reading: read what else this user may read.
        emptying: empty files that he may not read.
        memory: take more memory than a fetch may.
    """

    network: bool
    reading: bool
    emptying: bool
    memory: bool


def what_holds(beside: Path | None = None, settings: FetchSettings | None = None) -> Holds:
    """Try it; `beside` is the folder whose files are to be out of reach, the system's for temporary files by default.

    Raises:
        FetchFailure: no cage can be started.
    """
    chosen = settings or FetchSettings()
    with (
        tempfile.NamedTemporaryFile(prefix=".clapboard-doctor-", dir=beside) as file,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        file.write(b"secret")
        file.flush()
        job: dict[str, Any] = {"job": "ways out", "settings": chosen.handed(), "file": file.name}
        job |= {"port": listener.getsockname()[1], "memory_bytes": int(chosen.memory_gib * GIB)}
        return Holds(**{name: bool(held) for name, held in CAGES.run(Errand(job, chosen))["made"].items()})


def ways_out(file: str, port: int, memory_bytes: int) -> dict[str, bool]:
    """The inner side: what `Holds` says, by trying it."""
    return {
        "network": not _connects(port),
        "reading": not _reads(file),
        "emptying": not _empties(file),
        "memory": not _takes(memory_bytes),
    }


def _connects(port: int) -> bool:
    """Whether a connection can be made; Python would refuse it, so the C library is asked."""
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton("127.0.0.1") + bytes(8)
    with socket.socket() as tried:
        return bool(ctypes.CDLL(None).connect(tried.fileno(), address, len(address)) == 0)


def _reads(file: str) -> bool:
    try:
        os.close(os.open(file, os.O_RDONLY))
    except OSError:
        return False
    return True


def _empties(file: str) -> bool:
    try:
        os.truncate(file, 0)
    except OSError:
        return False
    return True


def _takes(memory_bytes: int) -> bool:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    try:
        mmap.mmap(-1, memory_bytes, flags=flags).close()
    except (OSError, MemoryError):
        return False
    return True
