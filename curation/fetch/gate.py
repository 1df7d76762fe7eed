"""The only way out of a fetch: every connection is checked as it is made, and all end at the deadline.

yt-dlp gets one network handler, this one: http and https over plain sockets, without proxies, FTP or files. A name is
resolved once for a connection and the address that was checked is the one connected to, so a name server that
changes its answer gains nothing. Redirects, manifests and fragments all come by here.
"""

import http.client
import socket
import threading
import weakref
import zlib
from contextlib import ExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from curation.fetch.egress import EgressRefused, is_allowed

PAGE_BYTES = 32 << 20
"""Most bytes of a page or manifest, which are read as a whole; videos are read in blocks and not bound by it [ours]."""


class PageTooLarge(OSError):
    """A page that is no page any more."""


class Gate:
    """Guards the connections of one fetch; a context manager, within which the deadline runs."""

    def __init__(self, *, allow_loopback: bool, deadline_s: float, proxy: str = "") -> None:
        """`proxy` is the one address besides public ones that may be connected to."""
        self.closed = False
        """Whether the deadline has passed."""
        self._allow_loopback = allow_loopback
        self._proxy = urlsplit(proxy) if proxy else None
        self._timer = threading.Timer(deadline_s, self.close)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def close(self) -> None:
        """End all connections and let no new one begin; whoever waits on one wakes up with an error."""
        with self._lock:
            self.closed = True
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

    def connect(self, found: Any, timeout: Any, source_address: Any) -> socket.socket:
        """Connect to one answer of `getaddrinfo`, if that is allowed.

        Raises:
            EgressRefused: the address is not public.
            TimeoutError: the deadline has passed.
        """
        from yt_dlp.networking._helper import _socket_connect

        if self.closed:
            raise TimeoutError("the deadline has passed")
        address, port = found[4][:2]
        if not (is_allowed(address, allow_loopback=self._allow_loopback) or self._is_proxy(address, port)):
            raise EgressRefused(f"{address} is not a public address")
        connection: socket.socket = _socket_connect(found, timeout, source_address)
        return connection

    def _is_proxy(self, address: str, port: int) -> bool:
        """Whether an address is the proxy's, by what its name means now."""
        if self._proxy is None or port != (self._proxy.port or (443 if self._proxy.scheme == "https" else 80)):
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


def _gated(gate: Gate, base: Any, _request: object) -> type:
    from yt_dlp.networking._helper import create_connection

    class Gated(base):  # type: ignore[misc]
        """A connection that looks before it leaps."""

        response_class = _Page

        def connect(self) -> None:
            with ExitStack() as until_connected:

                def open_checked(*where: Any) -> socket.socket:
                    connection = gate.connect(*where)
                    # TLS takes the socket over before its handshake; this second handle stays ours to end it by.
                    gate.watch(until_connected.enter_context(connection.dup()))
                    return connection

                self._create_connection = partial(create_connection, _create_socket_func=open_checked)
                super().connect()
                gate.watch(self.sock)

    return Gated


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
