"""The only way out of a caged fetch: every request's host is checked as it is written, and all end at the deadline.

yt-dlp gets one network handler, this one: http and https over plain sockets, which come over the line from `dial.py`.
Redirects, manifests and fragments all pass by here. With a proxy of the settings, names are resolved there, and so
this is where an inner name is seen.
"""

import http.client
import socket
import threading
import urllib.error
import urllib.request
import weakref
import zlib
from contextlib import ExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

from curation.fetch.egress import check_link
from curation.fetch.failures import FetchFailure
from curation.fetch.manifest import PageTooLarge, check_page
from curation.outcomes import Outcome

PAGE_BYTES = 16 << 20
"""Most bytes of a page or manifest, which are read as a whole; videos are read in blocks and not bound by it. Pages of
large video sites have two million [ours]."""

HEAD_BYTES = 2048
"""So many bytes of an answer that may be large are kept, to see whether it is a manifest."""

WEB = ("http", "https")


class Dialling(Protocol):
    """Whoever makes connections, as `line.Line` does."""

    def dial(self, host: str, port: int, *, timeout_s: float) -> int:
        """The file descriptor of a connection."""


class Gate:
    """Guards the requests of one fetch; a context manager: within it the deadline runs, after it nothing is open."""

    def __init__(self, line: Dialling, *, allow_loopback: bool, deadline_s: float) -> None:
        self._line, self._allow_loopback = line, allow_loopback
        self._closed = threading.Event()
        self.late = False
        """Whether the deadline has passed."""
        self._timer = threading.Timer(deadline_s, self._end)
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
        self.close()

    @property
    def closed(self) -> bool:
        """Whether no connection is made any more."""
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

    def _end(self) -> None:
        self.late = True
        self.close()

    def watch(self, connection: socket.socket) -> None:
        """Have a connection end at the deadline.

        Raises:
            TimeoutError: the deadline has passed.
        """
        with self._lock:
            self.check_time()
            self._sockets.add(connection)

    def check_time(self) -> None:
        """Whether the fetch goes on.

        Raises:
            TimeoutError: the deadline has passed.
        """
        if self.closed:
            raise TimeoutError("the deadline has passed")

    def dial(self, host: str, port: int, *, timeout_s: float) -> int:
        """The file descriptor of a connection.

        Raises:
            EgressRefused: none of the host's addresses is public, or the proxy's.
            OSError: there is none to be had.
        """
        self.check_time()
        return self._line.dial(host, port, timeout_s=timeout_s)

    def checked(self, link: str) -> str:
        """A link in the one form in which it is asked for.

        Raises:
            FetchFailure: it leads inside, or cannot be one.
        """
        return check_link(link, allow_loopback=self._allow_loopback)


def handler_class(gate: Gate) -> type:
    """A yt-dlp request handler class whose every request passes the gate."""
    from yt_dlp.networking._helper import add_accept_encoding_header
    from yt_dlp.networking._urllib import HTTPHandler, UrllibRH

    class GateRH(UrllibRH):  # type: ignore[misc]
        """urllib behind a gate; yt-dlp names handlers by their class."""

        _SUPPORTED_URL_SCHEMES = WEB

        def _prepare_headers(self, _: Any, headers: Any) -> None:
            # Brotli cannot be unpacked to a limit.
            add_accept_encoding_header(headers, ["gzip", "deflate"])

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
                    handler.brotli = _not_asked_for
            opener.add_handler(_Rewriter(gate))
            return opener

    return GateRH


class _Rewriter(urllib.request.BaseHandler):
    """Comes first of all to every request, a redirected one too, and leaves it one form of its link."""

    handler_order = 10

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Called by urllib for every request."""
        from yt_dlp.utils.networking import normalize_url

        try:
            link = self._gate.checked(normalize_url(request.full_url))
        except FetchFailure as refused:
            # urllib knows errors of its own; `classify` finds ours as their reason.
            raise urllib.error.URLError(refused) from refused
        if link != request.full_url:
            request.full_url = link
        return request

    https_request = http_request


def _gated(gate: Gate, base: Any, request: urllib.request.Request) -> type:
    socks = request.headers.pop("Ytdl-socks-proxy", None)

    class Gated(base):  # type: ignore[misc]
        """A connection that is made elsewhere."""

        response_class = _Page

        def connect(self) -> None:
            with ExitStack() as until_connected:
                self._create_connection = partial(_dialled, gate, until_connected, socks)
                super().connect()
                gate.watch(self.sock)

    return Gated


def _dialled(
    gate: Gate, until_connected: ExitStack, socks: str | None, to: tuple[str, int], timeout_s: Any, *_: object
) -> socket.socket:
    """Stands in for `socket.create_connection`: what it gives ends at the deadline."""
    from yt_dlp.networking._helper import make_socks_proxy_opts
    from yt_dlp.socks import sockssocket

    proxy = make_socks_proxy_opts(socks) if socks else None
    host, port = (proxy["addr"], proxy["port"]) if proxy else to
    connection: Any = (sockssocket if proxy else socket.socket)(fileno=gate.dial(host, port, timeout_s=timeout_s))
    connection.settimeout(timeout_s)
    # TLS takes the socket over before its handshake; this second handle stays ours to end it by.
    gate.watch(until_connected.enter_context(connection.dup()))
    if proxy:
        connection.setproxy(**proxy)
        connection._make_proxy(lambda *_: None, to)
    made: socket.socket = connection
    return made


class _Page(http.client.HTTPResponse):
    """A response that is read in blocks without a bound, but as a whole only up to `PAGE_BYTES`."""

    _head = b""

    def read(self, amt: int | None = None) -> bytes:
        if amt is not None:
            data = super().read(amt)
            # Some look at the first bytes, and then read all of the rest.
            if len(self._head) < HEAD_BYTES:
                self._head = (self._head + data[:HEAD_BYTES])[:HEAD_BYTES]
                if self.isclosed():
                    check_page(b"", head=self._head)
            return data
        if (self.length or PAGE_BYTES + 1) <= PAGE_BYTES:
            return check_page(super().read(), head=self._head)
        data = super().read(PAGE_BYTES + 1)
        if len(data) > PAGE_BYTES:
            raise PageTooLarge(f"the page is larger than {PAGE_BYTES} bytes")
        self.close()
        return check_page(data, head=self._head)


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
    return check_page(unpacked)


def _not_asked_for(_: bytes) -> bytes:
    raise FetchFailure(Outcome.SITE_CHANGED, "it is packed in a way that was not asked for")
