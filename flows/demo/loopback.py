"""A web server for the demo's folder on 127.0.0.1: ranges, missing pages and all, so that fetching is real fetching."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from shards.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
STOP_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Loopback:
    """A running server.

    Attributes:
        base_url: where it is, without a slash at the end.
        answers: how many requests it answered, by (path, status).
    """

    base_url: str
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        """Number of requests answered so far."""
        return self.answers.total()


@contextmanager
def serve_folder(folder: Path, *, port: int | None = None) -> Iterator[Loopback]:
    """Offer the files of `folder` over HTTP for as long as the block runs.

    Args:
        folder: what to offer; requests for a part of a file (`Range`) are answered with 206.
        port: a fixed port, so that links stay the same from run to run; None takes a free one.

    Raises:
        BadInput: the folder does not exist.
        Unavailable: the port is taken.
    """
    import uvicorn
    from fastapi import FastAPI
    from fastapi.staticfiles import StaticFiles

    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder} to serve", remedy="plant the demo's videos first")
    with _listening_socket(port) as listener:
        loopback = Loopback(base_url=f"http://{HOST}:{listener.getsockname()[1]}")
        site = FastAPI(openapi_url=None)
        site.mount("/", StaticFiles(directory=folder))
        config = uvicorn.Config(
            _Counting(site, loopback.answers), lifespan="off", log_config=None, access_log=False, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="demo-server", daemon=True)
        thread.start()
        try:
            yield loopback
        finally:
            server.should_exit = True
            thread.join(STOP_WITHIN_S)


def is_free(port: int) -> bool:
    """Whether nothing listens at a port of this machine's loopback."""
    try:
        _listening_socket(port).close()
    except Unavailable:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Counting:
    """Passes requests on to `app` and counts the answers."""

    app: "ASGIApp"
    answers: Counter[tuple[str, int]]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def counted(message: "Message") -> None:
            if message["type"] == "http.response.start":
                self.answers[scope["path"], message["status"]] += 1
            await send(message)

        await self.app(scope, receive, counted)


def _listening_socket(port: int | None) -> socket.socket:
    """A socket that already queues connections, so that nobody has to wait for the server's thread."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port or 0))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"port {port} of {HOST} cannot be opened: {error.strerror}", remedy="name another port or stop its user"
        ) from error
    return listener
