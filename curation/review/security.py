"""Who may talk to the review page: a browser on this machine that opened the printed link, and no other site.

Four layers, outermost first: headers on every answer, loopback host names only (DNS rebinding), then one gate that
refuses writes from other sites, large bodies, and whoever holds no session. The cross-site check reads the browser's
own headers instead of form tokens, as Go 1.25 and Datasette do. [ours]
"""

import secrets
from http import HTTPStatus
from threading import Lock
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
ENTER_PATH = "/enter"
BODY_CAP_BYTES = 64 * 1024
LENGTH_DIGITS = 9
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    # Cookies know no ports: without these another page on this machine could embed our media.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LOCKED_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Clapboard review</title>
<h1>This page is locked</h1>
<p>Open the link that <code>clapboard review serve</code> printed. It works once, in one browser;
to use another, stop the command with Ctrl-C and start it again.</p>
<p>You did open it just now? <a href="/">Then go on to the queue.</a></p>
</html>"""


class Door:
    """Turns the one-time token into a session, once."""

    def __init__(self, token: str) -> None:
        self._token: str | None = token
        self._sessions: set[str] = set()
        self._lock = Lock()

    def enter(self, token: str) -> str | None:
        """A new session for the right token; None for a wrong or a used one."""
        with self._lock:
            if self._token is None or not _same(token, self._token):
                return None
            self._token = None
            session = secrets.token_urlsafe(32)
            self._sessions.add(session)
            return session

    def knows(self, connection: HTTPConnection) -> bool:
        """Whether a request carries a session of this door."""
        held = connection.cookies.get(cookie_name(connection), "")
        return any(_same(held, session) for session in self._sessions)


def protect(app: FastAPI, door: Door) -> None:
    """Put the four layers around an application."""
    app.add_middleware(Gate, door=door)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES, www_redirect=False)
    app.add_middleware(SafeHeaders)


def let_in(response: Response, connection: HTTPConnection, session: str) -> None:
    """Hand a session to the browser."""
    response.set_cookie(cookie_name(connection), session, httponly=True, samesite="strict", path="/")


def cookie_name(connection: HTTPConnection) -> str:
    """The session cookie's name; the port is in it, so two servers on one machine do not lock each other out."""
    server = connection.scope.get("server") or ("", 0)
    return f"clapboard_review_{server[1]}"


def locked() -> Response:
    """The answer to whoever holds no session."""
    return HTMLResponse(LOCKED_PAGE, HTTPStatus.UNAUTHORIZED)


def problem(status: HTTPStatus, message: str, remedy: str) -> Response:
    """A refusal as the page's script reads it."""
    return JSONResponse({"error": message, "remedy": remedy}, status)


class SafeHeaders:
    """Adds the security headers to every answer; nothing is cached that does not say so itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers on."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_safely)


class Gate:
    """Lets a request through, or says why not."""

    def __init__(self, app: ASGIApp, *, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        headers = connection.headers
        if connection.scope["type"] != "http":
            return problem(HTTPStatus.NOT_FOUND, "there are no web sockets here", "use HTTP")
        if connection.scope["method"] not in SAFE_METHODS:
            if not comes_from_here(headers):
                return problem(HTTPStatus.FORBIDDEN, "another site sent this", "use the review page itself")
            if not _has_small_body(headers):
                return problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    "the body is too large, or does not say how large it is",
                    f"send a Content-Length of at most {BODY_CAP_BYTES} bytes",
                )
        if connection.scope["path"] != ENTER_PATH and not self.door.knows(connection):
            return locked()
        return None


def comes_from_here(headers: Headers) -> bool:
    """Whether a browser says that our own page sent this request; one that says nothing is not believed."""
    if site := headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == headers.get("host")


def _has_small_body(headers: Headers) -> bool:
    length = headers.get("content-length", "")
    # A chunked body has no length to check before it has been read.
    says_how_much = length.isdecimal() and len(length) <= LENGTH_DIGITS
    return "transfer-encoding" not in headers and says_how_much and int(length) <= BODY_CAP_BYTES


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
