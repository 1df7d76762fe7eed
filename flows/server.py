"""The Prefect server a command runs against: the one that is named, the one that already runs, or its own.

A home keeps the server's database in `HOME/prefect`; it only remembers runs, so it may be deleted at any time.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

from curation.home.folder import Home
from flows.keeper import kept
from flows.ports import check_port, free_port
from shards.errors import ClapboardError, Unavailable
from shards.files import write_atomic
from shards.leash import GRACE_S, Leash

START_TIMEOUT_S = 300
"""A first start takes some 10 s on two idle cores, most of it computing; this is for thirty times the load [ours]."""

PATIENT_RETRIES = 6
"""Prefect's client waits 2, 4, 8 ... s, two minutes in all: longer than a server takes to be back [ours]."""

DRAIN_TIMEOUT_S = 10
NOTE = "server.json"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Hosts that mean every address of this machine, and where it is asked from here."""

LONGEST_QUOTE = 300

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # The newer UI asks an outside host for its settings even with analytics off; the older one asks nobody.
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # Flows tell their story to the server; the terminal shows the command's own lines.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}


@contextmanager
def prefect_server(home: Home) -> Iterator[str]:
    """Have a Prefect API for the length of the block; yields its URL.

    `PREFECT_API_URL` wins; then a server that `clapboard serve` runs for this home; else one is started on a free
    port of the loopback and stopped at the end.

    Raises:
        Unavailable: the server that is named does not answer, one was started and did not answer in time, or the server
            ended in the middle.
    """
    with known_server(home) as known:
        if known:
            with _nothing_waits(), _told_if_lost(known, log_of(home)):
                yield known
            return
    port = free_port()
    server, url = start_server(home, port=port)
    start, stop = partial(launch, home, port=port), partial(stop_server, home=home)
    patient = client_settings(url, PREFECT_CLIENT_MAX_RETRIES=PATIENT_RETRIES)
    with kept(server, start, stop), patient, _nothing_waits(), _told_if_lost(url, log_of(home)):
        yield url


@contextmanager
def known_server(home: Home) -> Iterator[str | None]:
    """Have the Prefect API that is named or already runs for the length of the block; yields None where none does.

    Raises:
        Unavailable: `PREFECT_API_URL` names a server that does not answer.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    os.environ["PREFECT_HOME"] = str(home.prefect)
    url = named_server() or running_server(home)
    if url is None:
        yield None
        return
    with client_settings(url):
        yield url


def named_server() -> str | None:
    """The API URL in `PREFECT_API_URL`, whose server was asked what Prefect asks it before a run; None without one.

    Raises:
        Unavailable: it is no URL, no Prefect server answers there, or one that this Prefect cannot talk to.
    """
    import httpx

    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return None
    try:
        with client_settings(url):
            _ask_for_version()
    except (RuntimeError, ValueError, httpx.HTTPError) as error:
        # Pydantic's words about a URL that is none are a page long, and hold all settings.
        why = "it is no URL" if isinstance(error, ValueError) else str(error).partition("\n")[0]
        raise Unavailable(
            f"the Prefect server that PREFECT_API_URL names cannot be used: {why}",
            remedy="unset PREFECT_API_URL, or start that server",
        ) from error
    return url


def running_server(home: Home) -> str | None:
    """The API URL of the server that runs for this home, if one answers; a damaged note is no note."""
    url = _note(home).get("url")
    return url if isinstance(url, str) and is_healthy(url) else None


def _note(home: Home) -> dict[str, object]:
    """What a home's server noted of itself; nothing where it cannot be read."""
    try:
        note = json.loads((home.prefect / NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def start_server(home: Home, *, port: int, host: str = "127.0.0.1", grace_s: float = GRACE_S) -> tuple[Leash, str]:
    """Start a server that ends with this process, and wait until it answers; its words go to `HOME/prefect/server.log`.

    `grace_s` is how long it may take to end before it is killed.

    Raises:
        BadInput: the port is taken, or not ours to take.
        Unavailable: the server ended, or did not answer in time.
    """
    check_port(host, port)
    log, url = log_of(home), _url(host, port)
    before = log.stat().st_size if log.is_file() else 0
    server = launch(home, port=port, host=host, grace_s=grace_s)
    try:
        _wait_for(server, url, home, log, before)
    except BaseException:
        stop_server(server, home)
        raise
    return server, url


def launch(home: Home, *, port: int, host: str = "127.0.0.1", grace_s: float = GRACE_S) -> Leash:
    """Start a server without waiting for it, and note where it will be."""
    home.prefect.mkdir(parents=True, exist_ok=True)
    url = _url(host, port)
    # The UI runs in the browser and must be told where the API is; it would look for it on port 4200.
    seen = os.environ.get("PREFECT_UI_API_URL") or _url(socket.getfqdn() if host in EVERYWHERE else host, port)
    environment = os.environ | QUIET | {"PREFECT_HOME": str(home.prefect), "PREFECT_UI_API_URL": seen}
    # Messages of its automations link to runs.
    environment.setdefault("PREFECT_UI_URL", seen.removesuffix("/api"))
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)]
    with log_of(home).open("ab") as words:
        server = Leash(command, grace_s=grace_s, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environment)
    write_atomic(home.prefect / NOTE, json.dumps({"url": url, "pid": server.pid}).encode())
    return server


def _url(host: str, port: int) -> str:
    """Where a server that listens on a host is asked from this machine."""
    near = EVERYWHERE.get(host, host)
    return f"http://{f'[{near}]' if ':' in near else near}:{port}/api"


def _wait_for(server: Leash, url: str, home: Home, log: Path, before: int) -> None:
    """Until the server answers; `before` is how long its log was when it was started."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while server.poll() is not None or not is_healthy(url) or _is_another_s(url, home):
        ended = server.poll()
        if ended is None and time.monotonic() < deadline:
            time.sleep(0.2)
            continue
        how = f"it ended with {ended}" if ended is not None else f"it did not answer within {START_TIMEOUT_S} s"
        raise Unavailable(
            f"the Prefect server did not start: {how}: {last_line(log, since=before)}",
            remedy=f"read {log}; or set PREFECT_API_URL to a server that runs",
        )


def log_of(home: Home) -> Path:
    """Where a home's server writes its words."""
    return home.prefect / "server.log"


def stop_server(server: Leash, home: Home) -> None:
    """Stop the server and all its children, by SIGKILL after its grace; another server's note stays."""
    if _note(home).get("pid") == server.pid:
        (home.prefect / NOTE).unlink(missing_ok=True)
    server.end()


@contextmanager
def client_settings(url: str, **more: int) -> Iterator[None]:
    """Have Prefect's client ask this server for the length of the block; `more` are settings by name."""
    from prefect import settings

    # Heartbeats tell a server about flows that died on a worker; in-process each costs a second of waiting at the end.
    chosen: dict[Any, Any] = {settings.PREFECT_API_URL: url, settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with settings.temporary_settings(chosen | {getattr(settings, name): value for name, value in more.items()}):
        yield


@contextmanager
def _told_if_lost(url: str, log: Path) -> Iterator[None]:
    """What fails because the server went away in the middle is one sentence.

    Raises:
        Unavailable: it went away.
    """
    try:
        yield
    except ClapboardError:
        raise
    except Exception as error:
        if is_healthy(url):
            raise
        raise Unavailable(
            "the Prefect server went away in the middle of the run",
            remedy=f"what is done is kept, and this goes on where it stopped: {this_command()}; {log} may say why",
        ) from error


def this_command() -> str:
    """What was typed, as it can be typed again."""
    return shlex.join(["clapboard", *sys.argv[1:]])


@contextmanager
def _nothing_waits() -> Iterator[None]:
    """Nothing that the block had to say is left unsent, nor sent to the server of a later block."""
    try:
        yield
    finally:
        send_what_waits()


def send_what_waits() -> None:
    """Logs and events leave in the background; wait for them, or the last ones find the server gone.

    Whoever sends them is ended too: Prefect has one for a process, who keeps to the server that he began with.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=DRAIN_TIMEOUT_S, at_exit=False)


def _ask_for_version() -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.raise_for_api_version_mismatch()


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers there."""
    return _answer(f"{url}/health") is not None


def _is_another_s(url: str, home: Home) -> bool:
    """Whether another home's server answers: it may have taken the port while ours was starting."""
    settings = _answer(f"{url}/admin/settings")
    return isinstance(settings, dict) and Path(settings.get("home", home.prefect)).resolve() != home.prefect.resolve()


def _answer(url: str) -> object | None:
    """The JSON at a URL, None where nobody answers with any."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            found: object = json.load(answer)
            return found
    except (OSError, ValueError, HTTPException):
        return None


def last_line(log: Path, *, since: int = 0) -> str:
    """The last error that a log tells of after its first bytes, or else the last thing that was said there."""
    text = log.read_bytes()[since:].decode(errors="replace") if log.is_file() else ""
    lines = [line.strip() for line in text.split("\n") if any(map(str.isalnum, line))]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1][:LONGEST_QUOTE]
