"""A claim on one thing of a home: whoever holds it works on that thing, others wait until it is given back.

Commands lock the whole home; flows on a worker do not, so that two of them may come to one video at once.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold the claim that `path` stands for, among all threads and processes; the file is there only meanwhile.

    The system gives a claim back when its holder ends, however it ends.

    Raises:
        OSError: the file cannot be made.
    """
    handle = _claim(path)
    try:
        yield
    finally:
        # While it is still ours: who waits for this file's lock sees that it is another's, and claims anew.
        path.unlink(missing_ok=True)
        os.close(handle)


def _claim(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
