"""A process that confines itself, seen from outside: how it is started, what it is handed, how it ends.

It gets nothing of ours but what Python needs, and a session of its own, so that it is killed with all it started.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

GIB = 1 << 30
START_WITHIN_S = 60.0
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")


class Confined:
    """One process, the pipes to it, and a folder that goes with it."""

    def __init__(self, module: str, arguments: Sequence[str] = (), *, handed: Sequence[int] = ()) -> None:
        """Run `module` with `arguments`, then the numbers of its lifeline and of the files that it is `handed`."""
        # It may write there; the folder goes with the process, also when that is killed.
        self._folder = tempfile.mkdtemp(prefix="clapboard-worker-")
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments, *map(str, (lifeline, *handed))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(self._folder),
                pass_fds=(lifeline, *handed),
                start_new_session=True,
            )
        finally:
            os.close(lifeline)
        self.ended = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked something."""
        return not self.ended and self._process.poll() is None

    @property
    def questions(self) -> IO[bytes]:
        """What it reads."""
        assert self._process.stdin
        return self._process.stdin

    @property
    def answers(self) -> IO[bytes]:
        """What it writes."""
        assert self._process.stdout
        return self._process.stdout

    @property
    def code(self) -> int:
        """How it ended: its exit code, or minus the signal; to be asked once it has."""
        return self._process.returncode

    @property
    def ending(self) -> str:
        """The same in words."""
        return signal.Signals(-self.code).name if self.code < 0 else f"exit code {self.code}"

    def wait(self) -> int:
        """Until it ends by itself; returns its `code`."""
        return self._process.wait()

    @contextmanager
    def killed_after(self, seconds: float) -> Iterator[threading.Event]:
        """Within it the process is killed when the time is up; the event tells whether that happened."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def kill(self) -> None:
        """Have the process gone with all it started; somebody else is about to `end` it."""
        if not self.ended:
            self._kill()

    def end(self) -> None:
        """Kill the process with all it started, reap it, remove its folder."""
        self.ended = True
        self._kill()
        self._process.wait()
        for pipe in (self.questions, self.answers):
            with suppress(BrokenPipeError):
                pipe.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _environment(folder: str) -> dict[str, str]:
    """Nothing of ours but what Python needs; one thread, since there is a worker for each core."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    paths = os.pathsep.join(path for path in sys.path if path)
    return kept | {"PYTHONPATH": paths, "TMPDIR": folder, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
