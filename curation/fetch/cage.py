"""Fetch in processes that may die: killed at a deadline, capped in memory and time, without a network of their own.

yt-dlp reads what strangers wrote: pages that make a regular expression run for minutes, manifests of 400 bytes that
stand for fifty million segments. In a thread no deadline holds that. So each fetch has a process, one after another
in the same one; this side keeps what is shared or secret: the ledger, the governor, the network.
"""

import atexit
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.fetch.dial import Dialler
from curation.fetch.egress import LONGEST_NAME, EgressRefused
from curation.fetch.failures import FetchFailure
from curation.fetch.settings import FetchSettings
from curation.media.process import GIB, START_WITHIN_S, Confined
from curation.media.wire import Gone, WireError, receive, send
from curation.outcomes import Outcome

GRACE_S = 0.5
"""How long after its deadline a fetch may still end by itself, its part closed, before it is killed [ours]."""

STARTING_S = 1.0
"""How long starting a process may take before that counts against the deadline [ours]."""

LEAST_START_S = 5.0
"""What it is given at least, however short the deadline [ours]."""

LEAST_S = 0.001
"""A limit of no time at all would be none."""

JOBS_PER_CAGE = 200
"""A cage is replaced after so many videos: what a library loses or a page changed does not add up for ever [ours]."""

IDLE_CAGES = 16
"""Most cages that are kept waiting; each holds some 70 MB [ours]."""

Head = dict[str, Any]
Hearing = Callable[[Head], Head | None]
"""Answers what a cage asks; None for what needs no answer."""


@dataclass
class Errand:
    """One job for a cage: what it is told, and who here answers what it asks.

    `hearing` answers by name, besides connections; a `FetchFailure` that it raises is the cage's answer and the end.
    """

    job: Head
    settings: FetchSettings
    cookies: bytes = b""
    hearing: Mapping[str, Hearing] = field(default_factory=dict)
    refused: FetchFailure | None = None
    asked_at: float = field(default_factory=time.monotonic)
    ends_at: float = 0.0

    def begin(self) -> None:
        """A cage is ready: from now on the deadline counts."""
        self.ends_at = min(time.monotonic(), self.asked_at + STARTING_S) + self.settings.deadline_s
        self.job["settings"]["deadline_s"] = max(self.left_s, LEAST_S)

    @property
    def left_s(self) -> float:
        """How long it is to the deadline; 0.0 when that has passed."""
        return max(0.0, self.ends_at - time.monotonic())


class Cages:
    """Cages that wait for work. Safe between threads: there are as many as fetches go on at once."""

    def __init__(self) -> None:
        self._idle: list[_Cage] = []
        self._lock = threading.Lock()

    def run(self, errand: Errand) -> Head:
        """Have a job done; returns what its process says came of it.

        Raises:
            FetchFailure: something was refused here, or the process did not live to answer.
        """
        with self._borrowed(errand.settings) as cage:
            return cage.run(errand)

    def close(self) -> None:
        """End all cages that are not at work; the next job starts a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for cage in idle:
            cage.end()

    def pids(self) -> list[int]:
        """Process ids of the cages that wait for a job."""
        with self._lock:
            return [cage.pid for cage in self._idle]

    def _taken(self, limits: "_Limits") -> "_Cage | None":
        """A cage that waits, if there is one; those that died meanwhile go."""
        with self._lock:
            dead = [cage for cage in self._idle if cage.worn]
            self._idle = [cage for cage in self._idle if not cage.worn]
            found = next((cage for cage in self._idle if cage.limits == limits), None)
            if found:
                self._idle.remove(found)
        for cage in dead:
            cage.end()
        return found

    @contextlib.contextmanager
    def _borrowed(self, settings: FetchSettings) -> "Iterator[_Cage]":
        cage = self._taken(_Limits.of(settings)) or _Cage(_Limits.of(settings), within_s=_starting_s(settings))
        try:
            yield cage
        finally:
            with self._lock:
                keep = not cage.worn and len(self._idle) < IDLE_CAGES
                if keep:
                    self._idle.append(cage)
            if not keep:
                cage.end()


CAGES = Cages()
"""Of this process."""

atexit.register(CAGES.close)


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a cage is started with, and keeps."""

    memory_bytes: int
    programs: bool

    @classmethod
    def of(cls, settings: FetchSettings) -> "_Limits":
        return cls(int(settings.memory_gib * GIB), bool(settings.js_runtimes))


class _Cage:
    """One process and the talk with it."""

    def __init__(self, limits: _Limits, *, within_s: float = START_WITHIN_S) -> None:
        self.limits, self._jobs, self._spent = limits, 0, False
        self._sockets, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            arguments = (str(limits.memory_bytes), str(int(limits.programs)))
            self._process = Confined("curation.fetch.worker", arguments, handed=(theirs.fileno(),))
        try:
            with self._process.killed_after(within_s) as late:
                receive(self._process.answers, max_bytes=0)
        except BaseException as error:
            self.end()
            if isinstance(error, WireError):
                outcome = Outcome.TIMED_OUT if late.is_set() else Outcome.FETCH_FAILED
                raise FetchFailure(outcome, f"no process could be started to fetch in: {error}") from error
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def worn(self) -> bool:
        """Whether it is not to be used again."""
        return not self._process.alive or self._spent or self._jobs >= JOBS_PER_CAGE

    def end(self) -> None:
        """See `Confined.end`."""
        self._process.end()
        self._sockets.close()

    def run(self, errand: Errand) -> Head:
        """See `Cages.run`."""
        self._jobs += 1
        errand.begin()
        with self._process.killed_after(errand.left_s + GRACE_S) as late:
            try:
                send(self._process.questions, errand.job, [errand.cookies])
                head = self._talk(errand)
            except (WireError, OSError) as error:
                self.end()
                nonsense = isinstance(error, WireError) and not isinstance(error, Gone)
                raise _why(self._process, errand, late=late.is_set(), nonsense=nonsense, told=str(error)) from error
            except BaseException:
                # What it asked is not answered: it cannot be asked anything else.
                self.end()
                raise
        # The time may have been up just as it answered.
        self._spent = bool(head.get("spent")) or late.is_set()
        if errand.refused:
            raise errand.refused
        return head

    def _talk(self, errand: Errand) -> Head:
        while True:
            head, _ = receive(self._process.answers, max_bytes=0)
            say = head.get("say")
            if say == "end":
                return head
            if say == "dial":
                answer: Head | None = self._dial(errand, head)
            elif say in errand.hearing:
                answer = _heard(errand, errand.hearing[str(say)], head)
            else:
                raise WireError(f"it says {say!r}"[:80])
            if answer is not None:
                send(self._process.questions, answer)

    def _dial(self, errand: Errand, head: Head) -> Head:
        host, port, timeout_s = head.get("host"), head.get("port"), head.get("timeout_s")
        if not (isinstance(host, str) and isinstance(port, int) and isinstance(timeout_s, int | float)):
            raise WireError("it dials nonsense")
        if not 0 < len(host) <= LONGEST_NAME or not 0 < port < 1 << 16:
            raise WireError("it dials what is no host")
        settings = errand.settings
        dialler = Dialler(settings.allow_loopback, settings.proxy_link(), errand.ends_at)
        try:
            made = dialler.dial(host, port, timeout_s=max(0.001, min(timeout_s, settings.timeout_s)))
        except OSError as error:
            kinds = ((EgressRefused, "refusal"), (socket.gaierror, "no name"), (TimeoutError, "late"))
            kind = next((name for one, name in kinds if isinstance(error, one)), "failure")
            return {"made": kind, "number": error.errno or 0, "words": (error.strerror or str(error))[:500]}
        with made:
            socket.send_fds(self._sockets, [b"s"], [made.fileno()])
        return {"made": "connection"}


def _starting_s(settings: FetchSettings) -> float:
    """How long starting a process may take: also on a machine that is overrun no fetch ends long after its deadline."""
    return min(START_WITHIN_S, max(settings.deadline_s, LEAST_START_S) + STARTING_S)


def _heard(errand: Errand, hearing: Hearing, head: Head) -> Head | None:
    try:
        return hearing(head)
    except FetchFailure as failure:
        errand.refused = failure
        return {"refused": failure.outcome, "detail": failure.detail}


def _why(process: Confined, errand: Errand, *, late: bool, nonsense: bool, told: str) -> FetchFailure:
    if errand.refused:
        return errand.refused
    if nonsense:
        return FetchFailure(Outcome.FETCH_FAILED, f"its process answered nonsense: {told}")
    if late:
        words = f"it was not done after {errand.settings.deadline_s:g} s, and was ended"
        return FetchFailure(Outcome.TIMED_OUT, words)
    if process.code == -signal.SIGXCPU:
        return FetchFailure(Outcome.TIMED_OUT, f"it used {errand.settings.cpu_s:g} s of processor time")
    if process.code == -signal.SIGKILL:
        return FetchFailure(Outcome.TOO_MUCH_MEMORY, "the system killed its process")
    return FetchFailure(Outcome.FETCH_FAILED, f"its process ended ({process.ending}; {told})")
