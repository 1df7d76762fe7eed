"""Progress that crosses Prefect's tasks: a command listens, a deployment writes to its run's log.

The listener travels in a context variable, which Prefect hands on to its worker threads; a parameter could not carry
it, since parameters are stored as JSON.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int, str], None]
"""Called with the step's name, how many are done, of how many, and a note."""

_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of all steps within the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Step:
    """A named piece of work; `tick` counts towards a known total and may be called from many threads."""

    def __init__(self, name: str, total: int = 0) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """The run ends: whoever works on the step gives up what takes long."""
        self._stopped.set()

    def stopped(self) -> bool:
        """Whether it does."""
        return self._stopped.is_set()

    def tick(self, note: str = "") -> None:
        """One more item is done."""
        with self._lock:
            self.done += 1
            self.show(self.done, self.total, note)

    def show(self, done: int, total: int, note: str = "") -> None:
        """Say how far the step is."""
        if listener := _listener.get():
            listener(self.name, done, total, note)
        elif total and (done == total or 10 * done // total != 10 * (done - 1) // total):
            run_logger().info("%s: %d/%d %s", self.name, done, total, note)


def run_logger() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    """The log of the run that this is part of; outside of a run one that nobody reads."""
    from prefect.exceptions import MissingContextError
    from prefect.logging import get_run_logger

    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger(__name__)
