"""Keep a server of our own running: one that dies in the middle is started again on its port.

Prefect's client goes on asking a server that does not answer, so the run does not notice; what the server knew lies in
its database.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shards.leash import Leash

MOST_STARTS = 3
"""How often it is started again: what kills it that often would go on to do so [ours]."""


@contextmanager
def kept(server: Leash, start: Callable[[], Leash], stop: Callable[[Leash], None]) -> Iterator[None]:
    """Start a server again whenever it ends within the block, and stop it at the end of the block.

    Args:
        server: the one that runs.
        start: starts another in its place, without waiting until it answers.
        stop: ends one.
    """
    keeper = _Keeper(server, start, stop)
    keeper.start()
    try:
        yield
    finally:
        keeper.end()


class _Keeper(threading.Thread):
    def __init__(self, server: Leash, start: Callable[[], Leash], stop: Callable[[Leash], None]) -> None:
        super().__init__(name="server-keeper", daemon=True)
        self._server, self._launch, self._shut = server, start, stop
        self._turn = threading.Lock()
        self._done = False

    def run(self) -> None:
        for _ in range(MOST_STARTS):
            self._server.process.wait()
            with self._turn:
                if self._done:
                    return
                self._shut(self._server)
                try:
                    self._server = self._launch()
                except OSError:
                    return  # whoever asks the server next says that it is gone

    def end(self) -> None:
        """Stop the server that runs now."""
        with self._turn:
            self._done = True
        self._shut(self._server)
        self.join()
