"""Listen on a Unix socket: whoever may write to its file may connect, nobody else, whatever runs on this machine."""

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from shards.errors import BadInput

OWNER_ONLY, GROUP_TOO = 0o600, 0o660
"""Connecting takes the right to write; see unix(7)."""

BACKLOG = 100


@contextmanager
def listening_at(path: Path, *, group: str = "") -> Iterator[socket.socket]:
    """A socket that listens at `path` until the block ends, when its file goes.

    The file is its owner's alone, and with `group` that group's too. What a process left that ended without removing
    it is replaced.

    Raises:
        BadInput: a server listens there, something else lies there, or there can be no such file or group.
    """
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        try:
            # Of two that start at once neither may take the other's, bound but not listening yet, for a dead one's.
            with _held(path.parent):
                _make_room(path)
                listener.bind(str(path))
                # Nobody can connect before `listen`, so no one gets in under the rights that the umask left.
                _give(path, group)
                listener.listen(BACKLOG)
        except OSError as error:
            why = error.strerror or str(error)
            raise BadInput(
                f"the socket {path} cannot be made: {why}",
                remedy="--socket PATH takes at most 100 characters, in a folder that you may write to",
            ) from error
        made = path.stat()
        try:
            yield listener
        finally:
            with suppress(FileNotFoundError):
                now = path.stat()
                # Somebody may have removed it, and have made another in its place.
                if (now.st_dev, now.st_ino) == (made.st_dev, made.st_ino):
                    path.unlink()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Nobody else holds a folder meanwhile; the kernel lets go of it however we end."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make_room(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.is_socket()):
        raise BadInput(f"{path} is there and no socket", remedy="name a file that is not there yet: --socket PATH")
    if not path.exists():
        return
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as tried:
        # One that listens and has no time for us lives as well.
        tried.setblocking(False)
        if tried.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise BadInput(
                f"another server listens at {path}", remedy="stop it, or name another file with --socket PATH"
            )
    path.unlink()


def _give(path: Path, group: str) -> None:
    if not group:
        path.chmod(OWNER_ONLY)
        return
    try:
        shutil.chown(path, group=group)
    except (LookupError, PermissionError) as error:
        path.unlink()
        raise BadInput(
            f"the socket {path} cannot be given to the group {group!r}: {error}",
            remedy="name a group that you are in: --socket-group www-data",
        ) from error
    path.chmod(GROUP_TOO)
