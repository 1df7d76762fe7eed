"""A PostgreSQL server of one's own in a temporary folder, from this machine's binaries."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, the newest version's where there are several; None where there is none."""
    named = shutil.which("initdb")
    found = [Path(named).parent] if named else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return next((path for path in reversed(found) if (path / "pg_ctl").is_file()), None)


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server without durability and yield the SQLAlchemy URL of an empty database.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    place = binaries()
    if place is None:
        raise FileNotFoundError("PostgreSQL is not installed: no initdb on PATH or in /usr/lib/postgresql")
    with tempfile.TemporaryDirectory(prefix="clapboard-pg-") as folder:
        data, user = Path(folder) / "data", _owner()
        if user:
            shutil.chown(folder, user)
        port = _free_port()
        _run(place / "initdb", "-D", data, "-U", "clapboard", "-A", "trust", "-N", "-E", "UTF8", user=user)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        _run(place / "pg_ctl", "-D", data, "-l", Path(folder) / "log", "-w", "-o", options, "start", user=user)
        try:
            yield f"postgresql+psycopg://clapboard@127.0.0.1:{port}/postgres"
        finally:
            _run(place / "pg_ctl", "-D", data, "-m", "immediate", "stop", user=user)


def _owner() -> str | None:
    """The server refuses to run as root, so then it runs as somebody else."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _run(*command: object, user: str | None) -> None:
    subprocess.run(list(map(str, command)), user=user, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
