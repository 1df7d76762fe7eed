"""Confine this very process: what a worker does to itself before it opens the first untrusted file.

Limits come from the kernel, so they hold whatever a decoder does. What a kernel may not offer (an empty network) is
tried, and reported.
"""

import ctypes
import errno
import os
import resource
import shutil
import sys
import threading

PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000


def limit(*, memory_bytes: int, file_bytes: int, files: int = 64, reserving: bool = False) -> None:
    """Cap memory, size of written files and open files; no core dumps, no new privileges.

    Memory is address space, or what may be written, for programs that are `reserving` far more space than they use.
    """
    for what, most in (
        (resource.RLIMIT_DATA if reserving else resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def allow_cpu(seconds: float) -> None:
    """Let this process use so much more processor time; the kernel ends it (SIGXCPU) when that is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def allow_file(size: int) -> None:
    """Let files that are written from now on grow to so many bytes; more is an `OSError` (EFBIG)."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def forbid(events: frozenset[str]) -> None:
    """Have Python itself refuse what raises one of these audit events, from now on.

    This holds libraries, not whoever runs machine code of his own; against that stand the kernel's limits.
    """

    def refuse(event: str, _: object) -> None:
        if event in events:
            raise PermissionError(errno.EPERM, f"{event} is not allowed here")

    sys.addaudithook(refuse)


def give_back_memory() -> None:
    """Return free pages of the heap to the system, where the C library can: codecs leave the heap in pieces."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def leave_network() -> bool:
    """Move into a network that holds nothing, not even loopback; False where the kernel does not allow that.

    To be called while there is one thread only.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        return False
    return any(libc.unshare(flags) == 0 for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET))


def end_with(lifeline: int, *, folder: str) -> None:
    """End this process at once when the other end of a pipe closes, which happens however its holder ends.

    `folder` goes with it: its holder cannot remove it any more.
    """

    def wait() -> None:
        os.read(lifeline, 1)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(option, value, 0, 0, 0)
