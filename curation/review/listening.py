"""Where a page is served, and the sockets and the server that do it; what page it is they do not know."""

import secrets
import socket
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI

from curation.review.security import ENTER_PATH
from curation.review.unix_socket import listening_at
from shards.errors import BadInput

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
GRACE_S = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is served, and how people come in.

    Attributes:
        host, port: the address; port 0 takes a free one.
        proxy_header, proxies: the header in which a reverse proxy names who it signed in, and its addresses.
        certificate, key: PEM files for https.
        proxy_secret: what the proxy shows with each request.
        names: under which names browsers ask for the page, beside this machine's own and its addresses.
        socket: a file to listen at instead of an address: only who may write to it, a proxy, can connect.
        socket_group: the group that may, beside the file's owner.
    """

    host: str = "127.0.0.1"
    port: int = 8420
    proxy_header: str = ""
    proxies: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    proxy_secret: str = field(default="", repr=False)
    names: tuple[str, ...] = ()
    socket: Path | None = None
    socket_group: str = ""

    @property
    def public(self) -> bool:
        """Whether others than who sits at this machine are to reach it."""
        return self.socket is not None or self.host not in LOOPBACK_HOSTS

    @property
    def in_the_open(self) -> bool:
        """Whether what is said to other machines can be read on the way."""
        return self.socket is None and self.public and self.certificate is None


def link(where: Place, port: int, path: str) -> str:
    """The address to open."""
    name = f"[{where.host}]" if ":" in where.host else where.host
    return f"{'https' if where.certificate else 'http'}://{name}:{port}{path}"


def announced(where: Place, listener: socket.socket, path: str) -> str:
    """What to open, or in nginx's words what to pass on to."""
    return f"unix:{where.socket}" if where.socket else link(where, listener.getsockname()[1], path)


def new_token() -> str:
    """What a one-time link proves itself by."""
    return secrets.token_urlsafe(32)


def entry_path(token: str) -> str:
    """The path that lets the first browser in."""
    return f"{ENTER_PATH}?{urlencode({'token': token})}"


def check_socket(where: Place) -> None:
    """A proxy that passes on to a socket speaks https itself, and has no address."""
    if where.socket and (where.certificate or where.key or where.proxies or where.host not in LOOPBACK_HOSTS):
        raise BadInput(
            "--socket is not for --host, --proxy or --tls-certificate: who may write to its file may connect, "
            "and the proxy in front speaks https",
            remedy="leave them out, or leave out --socket",
        )
    if where.socket_group and not where.socket:
        raise BadInput("--socket-group says who may write to a socket, and there is none", remedy="add --socket PATH")


def listen(where: Place) -> AbstractContextManager[socket.socket]:
    """A socket that listens there until the block ends.

    Raises:
        BadInput: the port or the socket is taken, or cannot be had.
    """
    if where.socket:
        return listening_at(where.socket, group=where.socket_group)
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    try:
        return socket.create_server((where.host, where.port), family=family)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(
            f"port {where.port} of {where.host} cannot be used: {why}", remedy="--port 0 takes a free one"
        ) from error


def loaded(app: FastAPI, where: Place) -> uvicorn.Config:
    """The server's settings with its certificate loaded: nobody is sent to an address that will not answer."""
    if where.key and not where.certificate:
        raise BadInput("a key without its certificate is of no use", remedy="add --tls-certificate")
    config = _quiet(app, where)
    try:
        config.load()
    except OSError as error:
        named = " and ".join(str(one) for one in (where.certificate, where.key) if one)
        raise BadInput(
            f"{named} cannot be used for https: {error.strerror or error}",
            remedy="give two PEM files that belong together: --tls-certificate and --tls-key",
        ) from error
    return config


def run(config: uvicorn.Config, listener: socket.socket) -> None:
    """Serve until the process is told to stop; Ctrl-C is a good end."""
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _quiet(app: FastAPI, where: Place) -> uvicorn.Config:
    # The access log would write the token down; who is at the other end is read from the socket, not from headers.
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=where.certificate,
        ssl_keyfile=where.key,
    )
