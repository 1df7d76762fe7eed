"""Keep programs running: start again what ended or hangs, wait longer each time, give up on what dies at once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from flows.server import START_TIMEOUT_S, last_line
from shards.errors import BadInput, Unavailable
from shards.leash import Leash


@dataclass(frozen=True, slots=True)
class Pace:
    """How restarts are paced [ours]."""

    quick_s: float = 60.0
    """A program that lived shorter died at once."""
    most_quick: int = 5
    """So many quick deaths in a row, and it would go on so."""
    first_wait_s: float = 1.0
    """Doubled with each quick death in a row."""
    look_s: float = 0.25
    ask_s: float = 10.0
    """Between two times that a program is asked whether it works."""
    silent_s: float = 120.0
    """What has not answered for so long hangs; a machine that is merely busy answers now and then."""
    starting_s: float = START_TIMEOUT_S
    """What has not answered at all yet has so long for it."""

    def wait_s(self, quick_deaths: int) -> float:
        """How long to wait after so many quick deaths in a row."""
        return self.first_wait_s * 2.0 ** max(quick_deaths - 1, 0)


@dataclass(slots=True)
class Program:
    """A program that is to run all the time.

    `start` starts it, `after` is called once it ended, before it is started again; exit codes in `final` say that it
    would end like this again, as after a wrong setting. `works` asks it whether it still works, within a moment.
    """

    name: str
    log: Path
    start: Callable[[], Leash]
    after: Callable[[], None] = lambda: None
    final: frozenset[int] = frozenset()
    works: Callable[[], bool] = lambda: True
    leash: Leash | None = None
    started: float = 0.0
    ask_at: float = 0.0
    answered: bool = False
    unanswered: int = 0
    quick_deaths: int = 0
    again_at: float = 0.0
    log_from: int = 0


def keep_running(
    programs: Sequence[Program],
    *,
    say: Callable[[str], None],
    meanwhile: Callable[[], None] = lambda: None,
    pace: Pace | None = None,
) -> NoReturn:
    """Start the programs that do not run, and go on doing so until an exception ends it; `end_all` ends them.

    `say` is told what ended, `meanwhile` is called again and again.

    Raises:
        Unavailable: one died too often.
        BadInput: one said that it is asked for something that cannot be.
    """
    pace = pace or Pace()
    for program in programs:
        if program.leash is None:
            _start(program)
    while True:
        for program in programs:
            _look_at(program, say, pace)
        meanwhile()
        time.sleep(pace.look_s)


def end_all(programs: Sequence[Program]) -> None:
    """End the programs, all at once; returns when none of them is left."""
    running = [program.leash for program in programs if program.leash]
    for leash in running:
        leash.ask_to_end()
    for leash in running:
        leash.end()


def _start(program: Program) -> None:
    program.log_from = program.log.stat().st_size if program.log.is_file() else 0
    program.answered, program.unanswered = False, 0
    program.started, program.leash = time.monotonic(), program.start()


def _look_at(program: Program, say: Callable[[str], None], pace: Pace) -> None:
    now = time.monotonic()
    if program.leash is None:
        if now >= program.again_at:
            _start(program)
        return
    code = program.leash.poll()
    if code is None and not _hangs(program, now, pace):
        return
    program.leash.end()
    program.leash = None
    program.quick_deaths = program.quick_deaths + 1 if now - program.started < pace.quick_s else 1
    said = last_line(program.log, since=program.log_from)
    if code is not None and code in program.final:
        raise BadInput(f"the {program.name} cannot run: {said}", remedy=f"read {program.log}")
    if program.quick_deaths >= pace.most_quick:
        raise Unavailable(
            f"the {program.name} ended {program.quick_deaths} times within {pace.quick_s:.0f} s of its start: {said}",
            remedy=f"read {program.log}",
        )
    wait_s = pace.wait_s(program.quick_deaths)
    program.again_at = now + wait_s
    say(f"the {program.name} {_how(code)}; it is started again in {wait_s:.0f} s")
    program.after()


def _hangs(program: Program, now: float, pace: Pace) -> bool:
    """Whether it runs and has left too many questions unanswered: clocks run on while a machine sleeps."""
    if now < program.ask_at:
        return False
    program.ask_at = now + pace.ask_s
    if program.works():
        program.answered, program.unanswered = True, 0
        return False
    program.unanswered += 1
    return program.unanswered * pace.ask_s > (pace.silent_s if program.answered else pace.starting_s)


def _how(code: int | None) -> str:
    if code is None:
        return "did not answer any more and was ended"
    return f"ended by signal {-code}" if code < 0 else f"ended with {code}"
