"""Run the review page: on this machine by a one-time link, or for a team by accounts or a trusted proxy."""

import secrets
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI

from curation.home.folder import Home
from curation.ledger.open import Ledger
from curation.media.sandbox import MediaWorkers
from curation.review.access import Access, Accounts, OneTimeLink, TrustedProxy, account_names
from curation.review.app import NEXT_COMMANDS, create_app
from curation.review.hosts import LOOPBACK_NAMES, host_of, names_of_this_machine
from curation.review.media import CutMedia
from curation.review.progress import Progress
from curation.review.queue import enrol
from curation.review.security import ENTER_PATH
from curation.review.unix_socket import listening_at
from curation.settings.recipe import Recipe
from shards.errors import BadInput

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
GRACE_S = 2
MEDIA_WORKERS = 2
IN_THE_OPEN = (
    "warning: passwords, sessions and clips cross the network unencrypted; give --tls-certificate and --tls-key, "
    "or put a proxy that speaks https in front"
)


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


def serve(
    home: Home,
    *,
    reviewer: str,
    recipe: Recipe,
    announce: Callable[[str], None],
    warn: Callable[[str], None] = lambda _: None,
    place: Place | None = None,
    next_commands: Sequence[str] = NEXT_COMMANDS,
    on_enough: Callable[[Progress], object] = lambda _: None,
) -> None:
    """Serve the review page until the process is told to stop.

    Args:
        home: where the ledger and the videos are.
        reviewer: in whose name answers are written, where people come in by the one-time link.
        recipe: how clips are cut (previews are what is published) and how the queue is mixed.
        announce: called with the link as soon as it can be opened.
        warn: called with what whoever runs it should know before.
        place: where to serve.
        next_commands: what the page says to run when the queue is done.
        on_enough: called when enough is known to stop; in the background, and again when it is known anew.

    Raises:
        BadInput: the port or the socket is taken, the certificate or its key cannot be used, a proxy has no secret, or
            others could reach the page and nobody would be asked who they are.
    """
    where = place or Place()
    _check_socket(where)
    with home.ledger() as ledger:
        access, link_path = _way_in(where, ledger, reviewer)
        with (
            _listen(where) as listener,
            MediaWorkers(count=MEDIA_WORKERS, settings=recipe.sandbox, analysis=recipe.analysis) as workers,
            ThreadPoolExecutor(1, thread_name_prefix="enough") as behind,
        ):
            enrol(ledger, recipe.review)
            app = create_app(
                ledger,
                media=CutMedia(ledger, home=home, settings=recipe.cut, workers=workers),
                access=access,
                settings=recipe.review,
                hosts=_names(where, recipe, access),
                addresses=not isinstance(access, OneTimeLink),
                next_commands=next_commands,
                on_enough=lambda queue: behind.submit(on_enough, queue).add_done_callback(Future.result),
            )
            config = _loaded(app, where)
            if where.in_the_open and isinstance(access, Accounts):
                warn(IN_THE_OPEN)
            announce(_announced(where, listener, link_path))
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=[listener])


def link(where: Place, port: int, path: str) -> str:
    """The address to open."""
    name = f"[{where.host}]" if ":" in where.host else where.host
    return f"{'https' if where.certificate else 'http'}://{name}:{port}{path}"


def _announced(where: Place, listener: socket.socket, path: str) -> str:
    """What to open, or in nginx's words what to pass on to."""
    return f"unix:{where.socket}" if where.socket else link(where, listener.getsockname()[1], path)


def entry_path(token: str) -> str:
    """The path that lets the first browser in."""
    return f"{ENTER_PATH}?{urlencode({'token': token})}"


def _names(where: Place, recipe: Recipe, access: Access) -> tuple[str, ...]:
    """Who comes by the one-time link sits at this machine."""
    for name in where.names:
        if host_of(name) is None:
            raise BadInput(f"{name!r} is no host name", remedy="--name reviews.example.org, without http:// and port")
    if isinstance(access, OneTimeLink):
        return (*LOOPBACK_NAMES, *where.names)
    return names_of_this_machine(recipe.review.page, (where.host, *where.names))


def _way_in(where: Place, ledger: Ledger, reviewer: str) -> tuple[Access, str]:
    if where.proxy_header:
        by_socket = where.socket is not None
        return TrustedProxy(where.proxy_header, where.proxies, secret=where.proxy_secret, by_socket=by_socket), "/"
    if account_names(ledger):
        return Accounts(ledger), "/"
    if where.public:
        raise BadInput(
            f"the review page is not served on {where.socket or where.host} as it is: "
            "nobody would be asked who they are",
            remedy="add accounts (clapboard review account add NAME), name a proxy that signs people in "
            "(--proxy-header with --socket, or with --proxy and --proxy-secret), "
            "or keep to this machine and use an SSH tunnel (ssh -L 8420:127.0.0.1:8420)",
        )
    token = secrets.token_urlsafe(32)
    return OneTimeLink(token, reviewer), entry_path(token)


def _loaded(app: FastAPI, where: Place) -> uvicorn.Config:
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


def _check_socket(where: Place) -> None:
    """A proxy that passes on to a socket speaks https itself, and has no address."""
    if where.socket and (where.certificate or where.key or where.proxies or where.host not in LOOPBACK_HOSTS):
        raise BadInput(
            "--socket is not for --host, --proxy or --tls-certificate: who may write to its file may connect, "
            "and the proxy in front speaks https",
            remedy="leave them out, or leave out --socket",
        )
    if where.socket_group and not where.socket:
        raise BadInput("--socket-group says who may write to a socket, and there is none", remedy="add --socket PATH")


def _listen(where: Place) -> AbstractContextManager[socket.socket]:
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
