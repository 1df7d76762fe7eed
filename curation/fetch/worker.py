"""The inner side of `cage.py`: a process that confines itself, then fetches and lists until its pipe ends.

Run as `python -m curation.fetch.worker`; its standard input and output carry messages of `media/wire.py`.
"""

import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from curation.media.confine import allow_cpu, allow_file, end_with, forbid, leave_network, limit

CONNECTING = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"})
"""What opens a way out past the line, by Python's table of audit events."""

STARTING = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})
"""What starts a program."""

DEVICES = (Path("/dev/null"), Path("/dev/full"))
"""What may be written besides a job's folders: a full disk is tried with the second one."""

MODULES = frozenset({".py", ".so", ".pth", ".dist-info"})
"""Endings of what Python reads in a folder on its path, besides packages."""

NO_LIMIT = 1 << 62
"""Of a file's size, until a job says its own."""


def main() -> None:
    """Entry point: the confinement is told on the command line, since nothing may be imported before it."""
    memory_bytes, programs, lifeline, sockets = map(int, sys.argv[1:5])
    replies = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not get between the messages.
    os.dup2(2, 1)
    leave_network()
    end_with(lifeline, folder=os.environ["TMPDIR"])
    limit(memory_bytes=memory_bytes, file_bytes=NO_LIMIT, reserving=bool(programs))
    _prepare()
    forbid(CONNECTING if programs else CONNECTING | STARTING)
    _serve(replies, socket.socket(fileno=sockets))
    # The pipe of jobs may be seen to end before the lifeline is.
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


def _prepare() -> None:
    """What is the same for every job, before the first one's time runs."""
    import curation.fetch.extract
    import curation.fetch.pages  # noqa: F401
    from curation.fetch.ytdlp import prepare

    prepare()


def _readable() -> list[Path]:
    """What Python, yt-dlp and the programs that a setting allows are made of, and what TLS trusts."""
    import ssl

    own = ssl.get_default_verify_paths()
    trusted = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/dev/urandom", own.openssl_cafile, own.openssl_capath)
    system = ("/usr", "/lib", "/lib64", "/bin", "/opt", "/nix/store")
    python = (sys.prefix, sys.base_prefix)
    return [*map(Path, (one for one in (*trusted, *system, *python) if one)), *_modules()]


def _modules() -> Iterator[Path]:
    """What lies on Python's path and can be imported: beside a source tree there may be a home, with its ledger."""
    for place in map(Path, filter(None, sys.path)):
        if place.name in ("site-packages", "dist-packages") or not place.is_dir():
            yield place
        elif not any(place.is_relative_to(one) for one in (sys.prefix, sys.base_prefix)):
            yield from (one for one in place.iterdir() if one.suffix in MODULES or (one / "__init__.py").is_file())


def _serve(replies: Any, sockets: socket.socket) -> None:
    from curation.fetch.line import Line

    line = Line(sys.stdin.buffer, replies, sockets)
    line.tell("ready")
    while asked := line.job():
        job, cookies = asked
        line.tell("end", **_alone(job, cookies, line))


def _alone(job: dict[str, Any], cookies: bytes, line: Any) -> dict[str, Any]:
    """What comes of a job in a thread that can open nothing but the job's own folder."""
    from curation.media.landlock import only_files

    made: list[dict[str, Any]] = []
    folders = [Path(os.environ["TMPDIR"]), *([Path(job["into"])] if "into" in job else [])]

    def work() -> None:
        only_files(read=_readable(), write=[*folders, *DEVICES], listed=map(Path, filter(None, sys.path)))
        made.append(_done(job, cookies, line))

    thread = threading.Thread(target=work, name="job")
    thread.start()
    thread.join()
    if not made:
        # The line broke; there is nobody to tell.
        sys.exit(1)
    return made[0]


def _done(job: dict[str, Any], cookies: bytes, line: Any) -> dict[str, Any]:
    from curation.fetch.failures import FetchFailure
    from curation.fetch.settings import FetchSettings
    from curation.media.wire import WireError
    from curation.outcomes import Outcome

    settings = FetchSettings.model_validate(job["settings"])
    allow_cpu(settings.cpu_s)
    allow_file(min(NO_LIMIT, settings.most_written()))
    try:
        return {"made": JOBS[job["job"]](job, settings, cookies.decode(), line)}
    except FetchFailure as failure:
        told = {"outcome": failure.outcome, "detail": failure.detail, "retry_after_s": failure.retry_after_s}
        return told | {"spent": failure.outcome is Outcome.TOO_MUCH_MEMORY}
    except MemoryError:
        # What an exception holds on to is given back with the process.
        return {"outcome": Outcome.TOO_MUCH_MEMORY, "detail": "it took more than a fetch may", "spent": True}
    except WireError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}"[:500]
        return {"outcome": Outcome.FETCH_FAILED, "detail": words, "spent": True}


def _fetch(job: dict[str, Any], settings: Any, cookies: str, line: Any) -> dict[str, Any]:
    from curation.fetch.extract import download

    return download(
        job["link"],
        Path(job["into"]),
        job["name"],
        settings,
        line=line,
        cookies=cookies,
        hosts=job["hosts"],
        asks_licence=job["asks_licence"],
    )


def _entries(job: dict[str, Any], settings: Any, cookies: str, line: Any) -> dict[str, Any]:
    from curation.fetch.pages import list_entries

    return list_entries(job["link"], settings, line=line, cookies=cookies, most=job["most"])


def _files(job: dict[str, Any], settings: Any, cookies: str, line: Any) -> dict[str, Any]:
    from curation.fetch.pages import list_files

    return list_files(job["link"], settings, line=line, cookies=cookies, most=job["most"])


def _ways_out(job: dict[str, Any], *_: Any) -> dict[str, Any]:
    from curation.fetch.holding import ways_out

    return dict(ways_out(job["file"], job["port"], job["memory_bytes"]))


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "fetch": _fetch,
    "entries": _entries,
    "files": _files,
    "ways out": _ways_out,
}

if __name__ == "__main__":
    main()
