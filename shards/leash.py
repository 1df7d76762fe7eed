"""A program on a leash: it ends when the process that started it does, however that ends, and takes its children along.

Between the two runs this very file as a small process of its own. It holds one end of a pipe whose other end only the
starting process has; the system closes that when it ends, after SIGKILL too. What the program starts it cannot lose:
whoever is orphaned below it becomes its child (prctl(2), PR_SET_CHILD_SUBREAPER). And as it has only one thread, the
program ends with it as well (PR_SET_PDEATHSIG, which is bound to the thread that forked).
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

GRACE_S = 10.0
"""How long a program may take to end by itself before it is killed [ours]."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
NO_SUCH_PROGRAM = 127


class Leash:
    """A running program in a session of its own."""

    def __init__(self, command: list[str], *, grace_s: float = GRACE_S, **options: Any) -> None:
        """Start it; `options` are those of `subprocess.Popen`, `grace_s` is its time between SIGTERM and SIGKILL."""
        self._grace_s = grace_s
        held, self._lifeline = os.pipe()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(held), str(grace_s), *command],
                pass_fds=(held,),
                start_new_session=True,
                **options,
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(held)

    def __enter__(self) -> "Leash":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Of the process that holds the program; also the id of the group of both."""
        return self.process.pid

    def poll(self) -> int | None:
        """The program's exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def ask_to_end(self) -> None:
        """Have the program end, without waiting for that: whoever ends several asks all of them first."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def end(self) -> None:
        """End the program and all it started, if it still runs; returns when none of them is left."""
        self.ask_to_end()
        try:
            self.process.wait(2 * self._grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def end_with_parent() -> None:
    """Have the system kill this process when the thread that started it ends: only for whom a main thread started."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """The process in between: run the program until it ends or the lifeline does, then leave nobody behind."""
    lifeline, grace_s, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    program = _start(command, lifeline)
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(program, number))
    status = _wait(program, wake, lifeline)
    if status is None:
        os.kill(program, signal.SIGTERM)
        status = _wait(program, wake, within_s=grace_s)
    _leave_nobody()
    _end_as(status)


def _start(command: list[str], lifeline: int) -> int:
    holder = os.getpid()
    if program := os.fork():
        return program
    os.close(lifeline)
    signal.set_wakeup_fd(-1)
    for number in (*PASSED_ON, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    end_with_parent()
    try:
        if os.getppid() == holder:
            os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    os._exit(NO_SUCH_PROGRAM)


def _wait(program: int, wake: int, lifeline: int | None = None, *, within_s: float | None = None) -> int | None:
    """The program's wait status once it ended; None where the lifeline or the time ended before."""
    last = None if within_s is None else time.monotonic() + within_s
    while True:
        while (found := _reaped())[0]:
            if found[0] == program:
                return found[1]
        left_s = None if last is None else last - time.monotonic()
        if left_s is not None and left_s <= 0:
            return None
        ready, _, _ = select.select([wake] if lifeline is None else [wake, lifeline], [], [], left_s)
        if wake in ready:
            os.read(wake, 1 << 10)
        elif ready:
            return None


def _reaped() -> tuple[int, int]:
    """A child that ended and its status; 0 for none."""
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0, 0


def _leave_nobody() -> None:
    """Kill whatever descends from this process; what they start meanwhile is found in the next round."""
    while below := descendants(os.getpid()):
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def descendants(pid: int) -> set[int]:
    """Processes below one, as far as the system says (Linux's /proc)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    found, waiting = set[int](), [pid]
    while waiting:
        new = children.get(waiting.pop(), [])
        found.update(new)
        waiting += new
    return found


def _end_as(status: int | None) -> None:
    """End as the program did."""
    code = -signal.SIGKILL if status is None else os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(abs(code))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
