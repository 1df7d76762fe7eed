"""The only way out of a fetch: every connection is checked as it is made, and all end at the deadline.

yt-dlp gets one network handler, this one: http and https over plain sockets, without proxies, FTP or files. A name is
resolved once for a connection and the address that was checked is the one connected to, so a name server that
changes its answer gains nothing. Redirects, manifests and fragments all come by here. With a proxy of the settings,
names are resolved there; addresses in links are still checked here.
"""

import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
import weakref
import zlib
from contextlib import ExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from curation.fetch.egress import EgressRefused, is_allowed, numeric_address

PAGE_BYTES = 32 << 20
"""Most bytes of a page or manifest, which are read as a whole; videos are read in blocks and not bound by it [ours]."""


PROXY_PORTS = {"http": 80, "socks5h": 1080}
"""Kinds of proxies, and the ports that they have where none is given; all resolve names by themselves."""


class PageTooLarge(OSError):
    """A page that is no page any more."""


class Gate:
    """Guards the connections of one fetch; a context manager, within which the deadline runs."""

    def __init__(self, *, allow_loopback: bool, deadline_s: float, proxy: str = "") -> None:
        """`proxy` is the one address besides public ones that may be connected to."""
        self._closed = threading.Event()
        self._allow_loopback = allow_loopback
        self._proxy = urlsplit(proxy) if proxy else None
        self._timer = threading.Timer(deadline_s, self.close)
        self._timer.daemon = True
        self._ends_at = 0.0
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def __enter__(self) -> Self:
        self._ends_at = time.monotonic() + self._timer.interval
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    @property
    def left_s(self) -> float:
        """How long it is to the deadline; 0.0 when that has passed."""
        return max(0.0, self._ends_at - time.monotonic())

    @property
    def closed(self) -> bool:
        """Whether the deadline has passed."""
        return self._closed.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        self._closed.wait(seconds)

    def close(self) -> None:
        """End all connections and let no new one begin; whoever waits on one wakes up with an error."""
        with self._lock:
            self._closed.set()
            for one in self._sockets:
                with suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)

    def watch(self, connection: socket.socket) -> None:
        """Have a connection end at the deadline.

        Raises:
            TimeoutError: the deadline has passed.
        """
        with self._lock:
            if self.closed:
                raise TimeoutError("the deadline has passed")
            self._sockets.add(connection)

    def check_address(self, address: str, port: int) -> None:
        """Whether a connection may be made; to be asked about the very address that is then connected to.

        Raises:
            EgressRefused: the address is neither public nor the proxy's.
            TimeoutError: the deadline has passed.
        """
        if self.closed:
            raise TimeoutError("the deadline has passed")
        if not (is_allowed(address, allow_loopback=self._allow_loopback) or self._is_proxy(address, port)):
            raise EgressRefused(f"{address} is not a public address")

    def check_named(self, link: str) -> None:
        """Whether a link itself names an inner address: with a proxy, no connection of ours would show that.

        Raises:
            EgressRefused: it does.
        """
        host = (urlsplit(link).hostname or "").rstrip(".")
        address = "127.0.0.1" if host.split(".")[-1] == "localhost" else numeric_address(host)
        if address and not is_allowed(address, allow_loopback=self._allow_loopback):
            raise EgressRefused(f"{address} is not a public address")

    def _is_proxy(self, address: str, port: int) -> bool:
        """Whether an address is the proxy's, by what its name means now."""
        if self._proxy is None or port != (self._proxy.port or PROXY_PORTS[self._proxy.scheme]):
            return False
        answers = socket.getaddrinfo(self._proxy.hostname, port, proto=socket.IPPROTO_TCP)
        return any(answer[4][0] == address for answer in answers)


def handler_class(gate: Gate) -> type:
    """A yt-dlp request handler class whose every connection passes the gate."""
    from yt_dlp.networking._urllib import HTTPHandler, UrllibRH

    class GateRH(UrllibRH):  # type: ignore[misc]
        """urllib behind a gate; yt-dlp names handlers by their class."""

        _SUPPORTED_URL_SCHEMES = ("http", "https")

        def _create_instance(self, *args: Any, **kwargs: Any) -> Any:
            opener = super()._create_instance(*args, **kwargs)
            # urllib follows a redirect to ftp:// by itself; the first handler of a scheme wins, so none may be left.
            for scheme in ("ftp", "file", "data"):
                opener.handle_open.pop(scheme, None)
            for handler in opener.handlers:
                if isinstance(handler, HTTPHandler):
                    handler._make_conn_class = partial(_gated, gate)
                    handler.gz = partial(_inflate, wbits=zlib.MAX_WBITS | 16)
                    handler.deflate = partial(_inflate, wbits=zlib.MAX_WBITS)
            return opener

    return GateRH


def _gated(gate: Gate, base: Any, request: urllib.request.Request) -> type:
    from yt_dlp.networking._urllib import make_socks_conn_class

    try:
        gate.check_named(request.full_url)
    except EgressRefused as refused:
        raise urllib.error.URLError(refused) from refused
    if socks := request.headers.pop("Ytdl-socks-proxy", None):
        base = make_socks_conn_class(base, socks)

    class Gated(base):  # type: ignore[misc]
        """A connection that looks before it leaps."""

        response_class = _Page

        def connect(self) -> None:
            with ExitStack() as until_connected:
                self._create_connection = partial(_checked, gate, until_connected)
                super().connect()
                gate.watch(self.sock)

    return Gated


def _checked(gate: Gate, until_connected: ExitStack, *where: Any, **options: Any) -> socket.socket:
    """yt-dlp's `create_connection`, which looks a name up once and tries its addresses; each is checked first."""
    from yt_dlp.networking._helper import _socket_connect, create_connection

    through = options.pop("_create_socket_func", _socket_connect)

    def open_checked(found: Any, *more: Any) -> socket.socket:
        gate.check_address(*found[4][:2])
        connection: socket.socket = through(found, *more)
        # TLS takes the socket over before its handshake; this second handle stays ours to end it by.
        gate.watch(until_connected.enter_context(connection.dup()))
        return connection

    connected: socket.socket = create_connection(*where, _create_socket_func=open_checked, **options)
    return connected


class _Page(http.client.HTTPResponse):
    """A response that is read in blocks without a bound, but as a whole only up to `PAGE_BYTES`."""

    def read(self, amt: int | None = None) -> bytes:
        if amt is not None or (self.length or PAGE_BYTES + 1) <= PAGE_BYTES:
            return super().read(amt)
        data = super().read(PAGE_BYTES + 1)
        if len(data) > PAGE_BYTES:
            raise PageTooLarge(f"the page is larger than {PAGE_BYTES} bytes")
        self.close()
        return data


def _inflate(data: bytes, *, wbits: int) -> bytes:
    if not data:
        return data
    try:
        unpacked = zlib.decompressobj(wbits).decompress(data, PAGE_BYTES + 1)
    except zlib.error:
        # "deflate" of some servers has no zlib header.
        unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, PAGE_BYTES + 1)
    if len(unpacked) > PAGE_BYTES:
        raise PageTooLarge(f"the page unpacks to more than {PAGE_BYTES} bytes")
    return unpacked
