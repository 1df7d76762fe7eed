"""What a database says when it cannot go on, as one sentence with what mends it; no secret of its URL is repeated."""

import re
import sqlite3
from enum import StrEnum

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from shards.errors import BadInput


class LedgerFault(StrEnum):
    """Why a ledger cannot be used."""

    DAMAGED = "damaged"
    NO_DATABASE = "no_database"
    NEWER = "newer"
    READ_ONLY = "read_only"
    DISK_FULL = "disk_full"
    DISK_FAILED = "disk_failed"
    LOCKED = "locked"
    NOT_OPENED = "not_opened"


class LedgerError(BadInput):
    """A ledger that cannot be used, and why."""

    def __init__(self, fault: LedgerFault, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.fault = fault


BY_SQLITE_CODE = {
    sqlite3.SQLITE_CORRUPT: LedgerFault.DAMAGED,
    sqlite3.SQLITE_NOTADB: LedgerFault.NO_DATABASE,
    sqlite3.SQLITE_FORMAT: LedgerFault.DAMAGED,
    sqlite3.SQLITE_READONLY: LedgerFault.READ_ONLY,
    sqlite3.SQLITE_PERM: LedgerFault.READ_ONLY,
    sqlite3.SQLITE_FULL: LedgerFault.DISK_FULL,
    sqlite3.SQLITE_IOERR: LedgerFault.DISK_FAILED,
    sqlite3.SQLITE_BUSY: LedgerFault.LOCKED,
    sqlite3.SQLITE_LOCKED: LedgerFault.LOCKED,
    sqlite3.SQLITE_CANTOPEN: LedgerFault.NOT_OPENED,
}
"""https://www.sqlite.org/rescode.html"""

BY_SQLSTATE = {
    "25006": LedgerFault.READ_ONLY,
    "42501": LedgerFault.READ_ONLY,
    "53100": LedgerFault.DISK_FULL,
    "55P03": LedgerFault.LOCKED,
    "XX001": LedgerFault.DAMAGED,
    "XX002": LedgerFault.DAMAGED,
    "58030": LedgerFault.DISK_FAILED,
}
"""https://www.postgresql.org/docs/current/errcodes-appendix.html; the classes are in `BY_SQLSTATE_CLASS`."""

BY_SQLSTATE_CLASS = {"08": LedgerFault.NOT_OPENED, "28": LedgerFault.NOT_OPENED, "57": LedgerFault.NOT_OPENED}
"""Connections that fail, who may connect, and a server that is shutting down."""

SAID = {
    LedgerFault.DAMAGED: "is damaged",
    LedgerFault.NO_DATABASE: "cannot be opened: it is no database, or its first page is damaged",
    LedgerFault.NEWER: "was written by a newer version of Clapboard",
    LedgerFault.READ_ONLY: "cannot be written to",
    LedgerFault.DISK_FULL: "has no room left to be written to",
    LedgerFault.DISK_FAILED: "cannot be read or written: the disk fails, or is full",
    LedgerFault.LOCKED: "has been kept busy by another process for too long",
    LedgerFault.NOT_OPENED: "cannot be opened",
}

REMEDIES = {
    LedgerFault.NEWER: "pip install --upgrade clapboard; or name another --home",
    LedgerFault.READ_ONLY: "check the rights of its folder and whether its disk is mounted read-only; "
    "to look at it, copy the home to where it can be written",
    LedgerFault.DISK_FULL: "free some space, then run the same command again: what was done before is kept",
    LedgerFault.DISK_FAILED: "check the disk and its free space, then run the same command again",
    LedgerFault.LOCKED: "wait until the other command is done, then run the same command again",
    LedgerFault.NOT_OPENED: "check the path or the server, its rights and the disk; or name another --home",
}


def fault_of(error: BaseException | None) -> LedgerFault | None:
    """Which fault a driver reports; None for what is no fault of the database."""
    if isinstance(error, DBAPIError):
        error = error.orig
    if isinstance(error, sqlite3.Error):
        # An extended code holds the plain one in its last byte.
        return BY_SQLITE_CODE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
    state = getattr(error, "sqlstate", None)
    if state is None:
        # psycopg has no code where no connection came about.
        return LedgerFault.NOT_OPENED if type(error).__name__ == "OperationalError" else None
    return BY_SQLSTATE.get(state) or BY_SQLSTATE_CLASS.get(state[:2])


def ledger_error(fault: LedgerFault, url: URL, words: object = "") -> LedgerError:
    """A fault of the ledger at a URL as a sentence; `words` are the driver's own."""
    told = f": {without_secrets(str(words), url)}" if words else ""
    remedy = REMEDIES.get(fault) or _way_back(url)
    return LedgerError(fault, f"the ledger at {shown(url)} {SAID[fault]}{told}", remedy=remedy)


def shown(url: URL) -> str:
    """A ledger's URL without its password and without its query, which may hold one."""
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(words: str, url: URL) -> str:
    """A driver's words, in one line, without what the URL's query holds and without its password."""
    values = (one for each in url.query.values() for one in ([each] if isinstance(each, str) else each))
    for secret in sorted({*url.query, *values, str(url.password or "")} - {""}, key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", words)
    return " ".join(words.split())


def _way_back(url: URL) -> str:
    """From a damaged ledger to one that works."""
    if not (file := url.database) or url.get_backend_name() != "sqlite":
        return "restore the database from its last backup (pg_restore, or clapboard restore FROM --home NEW_FOLDER)"
    return (
        f"rm -f {file}-wal {file}-shm && cp BACKUP {file}, with the last copy that \"sqlite3 {file} '.backup BACKUP'\" "
        f"made; without one, what can still be read: sqlite3 {file} .recover | sqlite3 mended.sqlite; "
        "what `clapboard backup` made becomes a home by: clapboard restore FROM --home NEW_FOLDER"
    )
