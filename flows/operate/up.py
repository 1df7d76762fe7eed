"""Run the parts of a home until told to stop: server, deployments, workers, review page; what dies is started again."""

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import IO

from curation.home.folder import Home
from curation.review.listening import Place
from flows.operate.hold import Hold, held
from flows.operate.lost import HEARTBEAT_S, OUR_WORKERS, Lost
from flows.operate.mend import put_all
from flows.operate.parting import let_save
from flows.operate.parts import WORKERS, Part, log_of, review_command, worker_command
from flows.operate.supervise import Program, end_all, keep_running
from flows.ports import check_port, free_port
from flows.presets import RECIPE, default_recipe, is_file
from flows.server import (
    client_settings,
    is_healthy,
    known_server,
    launch,
    running_server,
    start_server,
    stop_server,
)
from shards.errors import BadInput, ClapboardError, Unavailable
from shards.leash import Leash

Say = Callable[[str], None]

RUN_GRACE_S = 4.0
"""Time for runs to stop and save; with the next two it makes less than ten seconds [ours]."""

GRACE_S = 2.0
"""For workers and the review page, which have nothing to save."""

SERVER_GRACE_S = 3.0
LAST_S = 10.0
LARGEST_LOG = 16 << 20
"""Bytes; a longer log is put aside when its part starts [ours]."""

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run and where; a port of 0 takes a free one. `nightly` switches that schedule, None leaves it."""

    parts: Sequence[Part] = tuple(Part)
    host: str = LOOPBACK
    port: int = 4200
    review_host: str = LOOPBACK
    review_port: int = 8420
    nightly: bool | None = None
    grace_s: float = RUN_GRACE_S


def run_up(home: Home, wanted: Wanted, *, say: Say) -> None:
    """Run parts of a home until an exception, such as a signal's, ends it; nothing that was started outlives it.

    Args:
        home: whose parts.
        wanted: which, and where.
        say: told the links, and what was started again.

    Raises:
        BadInput: a port is taken, others could reach the server and nobody would be asked who they are, or the recipe
            that `CLAPBOARD_RECIPE` names is wrong.
        ClapboardError: a part of the home runs already.
        Unavailable: a worker has no server to work for, or a part died too often.
    """
    default_recipe()  # one that is wrong says so here, and not tonight
    with ExitStack() as stack:
        holds = stack.enter_context(held(home, wanted.parts))
        lost = Lost({name for hold in holds.values() if hold.before for name in hold.before.workers})
        if any(hold.before for hold in holds.values()):
            _wait_for_the_last(home)
        # Before anything is started: a taken port is a slip of the hand.
        review_port = _review_port(wanted) if Part.REVIEW in wanted.parts else 0
        known = stack.enter_context(known_server(home))
        url, server = _server(home, wanted, known, holds, say)
        if server:
            stack.callback(_stop, server, home)
        if url:
            stack.enter_context(client_settings(url))
            lost.server = url
            lost.settle()
        if Part.SERVER in wanted.parts:
            count = put_all(nightly=wanted.nightly, say=say)
            say(f"{count} deployments: {url.removesuffix('/api')}/deployments")
        ours = [_worker(home, part, holds[part], url, lost) for part in WORKERS if part in wanted.parts]
        if Part.REVIEW in wanted.parts:
            ours.append(_review(home, wanted.review_host, review_port, holds[Part.REVIEW], url, say))
        stack.callback(_end, ours, lost, wanted.grace_s)
        if not (server or ours):
            return  # another's server has our deployments now, and nothing of ours is to be minded
        logs = sorted({str(log_of(home, part).parent) for part in wanted.parts})
        say(f"logs: {', '.join(logs)}   (Ctrl-C stops everything)")
        keep_running([*([server] if server else []), *ours], say=say, meanwhile=lost.settle)


def _wait_for_the_last(home: Home) -> None:
    """What was killed a moment ago may still be ending what it had started."""
    last = time.monotonic() + LAST_S
    while running_server(home) and time.monotonic() < last:
        time.sleep(0.2)


def _server(
    home: Home, wanted: Wanted, known: str | None, holds: Mapping[Part, Hold], say: Say
) -> tuple[str, Program | None]:
    """The server to work for, "" for none, and the program that keeps it running where it is our own."""
    if Part.SERVER not in wanted.parts:
        if not known and set(WORKERS) & set(wanted.parts):
            raise Unavailable(
                f"there is no Prefect server for the workers of {home.root}",
                remedy="set PREFECT_API_URL to one that runs; or start it here: clapboard up --only server",
            )
        return known or "", None
    if os.environ.get("PREFECT_API_URL"):
        say(f"uses the Prefect server that PREFECT_API_URL names: {known}")
        return str(known), None
    if known:
        raise ClapboardError(
            f"a Prefect server runs for {home.root} already: {known}",
            remedy="stop it, `clapboard serve` or a command that is at work; or use it: "
            "clapboard up --only workers --only review",
        )
    _check_reach(wanted.host)
    port = wanted.port or free_port()
    _put_aside(log_of(home, Part.SERVER))
    leash, url = start_server(home, port=port, host=wanted.host, grace_s=SERVER_GRACE_S)
    holds[Part.SERVER].say(url=url)
    say(f"Prefect UI: {url.removesuffix('/api')}")
    start = partial(launch, home, port=port, host=wanted.host, grace_s=SERVER_GRACE_S)
    log, works = log_of(home, Part.SERVER), partial(is_healthy, url)
    return url, Program("Prefect server", log, start, works=works, leash=leash, started=time.monotonic())


def _check_reach(host: str) -> None:
    """Who reaches the server can have our workers run anything."""
    if not Place(host).public:
        return
    words = os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    if not words:
        raise BadInput(
            f"the server is not served on {host} as it is: whoever reaches it could have the workers run anything",
            remedy="set PREFECT_SERVER_API_AUTH_STRING=NAME:PASSWORD, and PREFECT_API_AUTH_STRING where workers run",
        )
    os.environ.setdefault("PREFECT_API_AUTH_STRING", words)


def _worker(home: Home, part: Part, hold: Hold, url: str, lost: Lost) -> Program:
    log, now = log_of(home, part), [""]
    _put_aside(log)

    def start() -> Leash:
        # A name of its own each time: whatever bears it is lost once this worker has ended.
        now[0] = f"{OUR_WORKERS}{part}-{os.uname().nodename}-{uuid.uuid4().hex[:8]}"
        hold.say(url=url, worker=now[0])
        command = worker_command(part, now[0])
        return _started(command, log, _environment(home, url))

    return Program(f"{part} worker", log, start, after=lambda: lost.names.add(now[0]))


def _review(home: Home, host: str, port: int, hold: Hold, url: str, say: Say) -> Program:
    log = log_of(home, Part.REVIEW)
    _put_aside(log)

    def start() -> Leash:
        hold.say(url=f"http://{host}:{port}")
        leash = _started(review_command(home, host=host, port=port), log, _environment(home, url), links=True)
        if leash.process.stdout:
            Thread(target=_pass_on, args=(leash.process.stdout, say), daemon=True).start()
        return leash

    wrong = frozenset({BadInput.exit_code, Unavailable.exit_code})
    return Program("review page", log, start, final=wrong)


def _environment(home: Home, url: str) -> dict[str, str]:
    """What our programs are told: which home and which server, and to say when a run is there."""
    named = {"CLAPBOARD_HOME": str(home.root), "PREFECT_HOME": str(home.prefect)}
    if (recipe := os.environ.get(RECIPE)) and is_file(recipe):
        named[RECIPE] = str(Path(recipe).absolute())  # a worker's runs work in folders of their own
    if url:
        named |= {"PREFECT_API_URL": url, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S)}
    paced = {"PREFECT_WORKER_QUERY_SECONDS": "5"} | os.environ
    # The log file is read by nobody until something is wrong, and then it shall say what.
    return paced | named | {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO", "PYTHONUNBUFFERED": "1"}


def _started(command: list[str], log: Path, environment: dict[str, str], *, links: bool = False) -> Leash:
    """A program whose words go to its log; with `links`, what it says on its output is ours to show."""
    with log.open("ab") as words:
        return Leash(
            command,
            grace_s=GRACE_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if links else words,
            stderr=words,
            env=environment,
        )


def _pass_on(lines: IO[bytes], say: Say) -> None:
    """What the review page says: the link that lets one in, which is in no file."""
    with suppress(ValueError, OSError):  # closed when it ended
        for line in lines:
            say(f"review page: {line.decode(errors='replace').partition('   (')[0].strip()}")


def _review_port(wanted: Wanted) -> int:
    if wanted.review_port:
        check_port(wanted.review_host, wanted.review_port, option="--review-port")
    return wanted.review_port or free_port()


def _put_aside(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.is_file() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_name(f"{log.name}.1"))


def _end(programs: Sequence[Program], lost: Lost, grace_s: float) -> None:
    """End workers and page, and tell the server, which still runs, what that did to their runs."""
    running = [one for one in programs if one.leash]
    let_save([one.leash for one in running if one.leash], within_s=grace_s)
    end_all(running)
    for one in running:
        one.after()
    lost.settle_now()


def _stop(server: Program, home: Home) -> None:
    if server.leash:
        stop_server(server.leash, home)
