"""Under which names the review page may be asked for.

A page of another site whose name was made to lead here (DNS rebinding) is, for its browser, of the same origin as we:
it can read all answers and set all headers. What gives it away is the name that the browser asks for.
"""

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
ANY = "*"


def host_of(header: str) -> str | None:
    """The name in a Host header: lower case, without port, brackets and a last dot; None if it is no name."""
    try:
        parts = urlsplit(f"//{header}")
        name = parts.hostname if parts.netloc == header and "@" not in header else None
        _ = parts.port
    except ValueError:
        return None
    return (name or "").rstrip(".") or None


def is_address(name: str) -> bool:
    """Whether a host is an address: what is asked for by address was not led here by a name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def names_of_this_machine(page: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """The names that need not be given: loopback's, the machine's own, and the one that the page's address has."""
    found = (*LOOPBACK_NAMES, socket.gethostname(), urlsplit(page).hostname or "", *more)
    return tuple(dict.fromkeys(name for one in found if (name := host_of(one))))


class KnownHosts:
    """Passes on what asks for a known name, and refuses the rest before anybody looks at it.

    With `addresses` any address will do as well; the one-time link of this machine has no need of that.
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str], addresses: bool, refusal: ASGIApp) -> None:
        self.app, self._addresses, self._refusal = app, addresses, refusal
        self._any = ANY in {*names}
        self._names = {host_of(name) for name in names} - {None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on."""
        known = scope["type"] == "lifespan" or self._any or self._knows(Headers(scope=scope))
        await (self.app if known else self._refusal)(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        asked = headers.getlist("host")
        name = host_of(asked[0]) if len(asked) == 1 else None
        return name is not None and (name in self._names or (self._addresses and is_address(name)))
