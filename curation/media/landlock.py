"""Confine a thread to some folders, by the kernel's Landlock: what it starts is confined with it.

For work that must not even read what else this user owns: a ledger, keys, other people's videos. See landlock(7).
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on all architectures."""

VERSION = 1
"""Flag that asks for the version of the interface."""

PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, TRUNCATE = (
    1 << bit for bit in (0, 1, 2, 3, 4, 5, 7, 8, 14)
)
ALL_OF_FIRST = (1 << 13) - 1
"""What the first version can forbid; truncating came with the third."""

READING = EXECUTE | READ_FILE | READ_DIR
WRITING = READ_FILE | READ_DIR | WRITE_FILE | REMOVE_FILE | REMOVE_DIR | MAKE_DIR | MAKE_REG | TRUNCATE
OF_FILES = EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE


def only_files(*, read: Iterable[Path], write: Iterable[Path], listed: Iterable[Path] = ()) -> bool:
    """Let this thread open what lies in these folders, or is one of these files, and nothing else, from now on.

    Of folders that may be `listed` it sees what lies in them by name alone.

    Returns False where the kernel cannot. `PR_SET_NO_NEW_PRIVS` must have been set.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION)
    if version < 1:
        return False
    handled = ALL_OF_FIRST | (TRUNCATE if version >= 3 else 0)
    attributes = struct.pack("=Q", handled)
    ruleset = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for paths, access in ((read, READING), (write, WRITING), (listed, READ_DIR)):
            for path in paths:
                with suppress(FileNotFoundError):
                    _allow(libc, ruleset, path, access & handled)
        return bool(libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", access if path.is_dir() else access & OF_FILES, beneath)
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(beneath)
