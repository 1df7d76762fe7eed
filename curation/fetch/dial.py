"""Connections for a caged fetch, made outside of the cage: looked up once, checked, and only then opened.

The cage has no network of its own where the kernel allows that, so there is no other way out. The address that was
checked is the one connected to: a name server that changes its answer gains nothing. With a proxy of the settings,
names are resolved there, and nothing but the proxy is connected to.
"""

import socket
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from curation.fetch.egress import EgressRefused, is_allowed

PROXY_PORTS = {"http": 80, "socks5h": 1080}
"""Kinds of proxies, and the ports that they have where none is given; all resolve names by themselves."""

Found = tuple[Any, ...]
"""One answer of `socket.getaddrinfo`."""


@dataclass(frozen=True, slots=True)
class Dialler:
    """Opens the connections of one fetch.

    Attributes:
        proxy: the one place besides public ones that may be connected to; "" if there is none.
        ends_at: instant of the monotonic clock, in seconds, by which a connection has to stand.
    """

    allow_loopback: bool
    proxy: str
    ends_at: float

    def dial(self, host: str, port: int, *, timeout_s: float) -> socket.socket:
        """A connection to the first of a host's addresses that may be reached, and can be.

        Raises:
            EgressRefused: none of them may be.
            OSError: none can be; as the system says it.
        """
        error: OSError | None = None
        for found in self._looked_up(host, port):
            try:
                self._check(host, port, str(found[4][0]))
                return _connected(found, min(timeout_s, self._left_s()))
            except OSError as failed:
                error = failed
        raise error or OSError(f"{host} has no address")

    def _check(self, host: str, port: int, address: str) -> None:
        if self.proxy:
            parts = urlsplit(self.proxy)
            if (host.lower(), port) != (parts.hostname, parts.port or PROXY_PORTS[parts.scheme]):
                raise EgressRefused(f"{host}:{port} is not the proxy")
        elif not is_allowed(address, allow_loopback=self.allow_loopback):
            raise EgressRefused(f"{address} is not a public address")

    def _left_s(self) -> float:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    def _looked_up(self, host: str, port: int) -> list[Found]:
        """What a name means; a thread of its own asks, as no deadline holds the system's resolver."""
        answers: list[Any] = []

        def ask() -> None:
            try:
                answers.append(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answers.append(error)

        thread = threading.Thread(target=ask, name="resolver", daemon=True)
        thread.start()
        thread.join(self._left_s())
        if not answers:
            raise TimeoutError("the deadline has passed")
        if isinstance(answers[0], UnicodeError):
            raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is no name")
        if isinstance(answers[0], OSError):
            raise answers[0]
        found: list[Found] = answers[0]
        return found


def _connected(found: Found, timeout_s: float) -> socket.socket:
    family, kind, protocol, _, address = found
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(timeout_s)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
