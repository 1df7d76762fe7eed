"""What stands between the review page and the rest of the world.

Four layers, outermost first: headers on every answer, the host names that may be asked for (DNS rebinding), then one
gate that refuses writes from other sites, large bodies, strangers, and writes without the session's form token. That a
write comes from our own page is read twice, from the browser's own headers (as Go 1.25 and Datasette do) and from the
token. [ours]
"""

import secrets
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curation.review.access import Access, cookie_name
from curation.review.hosts import LOOPBACK_NAMES, KnownHosts
from curation.review.sessions import Session

ENTER_PATH, SIGN_IN_PATH, STATIC = "/enter", "/sign-in", "/static/"
FORM_TOKEN = "X-Clapboard-Token"
BODY_CAP_BYTES = 64 * 1024
LENGTH_DIGITS = 9
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",
    # Cookies know no ports: without these another page on this machine could embed our media.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LOCKED_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Clapboard</title>
<h1>This page is locked</h1>
<p>Open the link that <code>clapboard</code> printed. It works once, in one browser;
to use another, stop the command with Ctrl-C and start it again.</p>
<p>You did open it just now? <a href="/">Then go on.</a></p>
</html>"""


def protect(app: FastAPI, access: Access, *, hosts: Sequence[str] = LOOPBACK_NAMES, addresses: bool = False) -> None:
    """Put the layers around an application; `hosts` and `addresses` are those of `KnownHosts`."""
    app.add_middleware(Gate, access=access)
    app.add_middleware(KnownHosts, names=hosts, addresses=addresses, refusal=_unknown_host())
    app.add_middleware(SafeHeaders)


def let_in(response: Response, connection: HTTPConnection, secret: str) -> None:
    """Hand a session to the browser."""
    # A stranger who claims https only keeps the browser from sending this cookie over http: no reason to doubt it.
    secure = "https" in (connection.url.scheme, connection.headers.get("x-forwarded-proto", "").lower())
    response.set_cookie(cookie_name(connection), secret, httponly=True, samesite="strict", secure=secure, path="/")


def locked() -> Response:
    """The answer to whoever holds no session."""
    return HTMLResponse(LOCKED_PAGE, HTTPStatus.UNAUTHORIZED)


def problem(status: HTTPStatus, message: str, remedy: str, *, kind: str = "") -> Response:
    """A refusal as the page's script reads it; `kind` names those that it treats in a way of their own."""
    return JSONResponse({"error": message, "remedy": remedy, "kind": kind}, status)


def _unknown_host() -> Response:
    return problem(
        HTTPStatus.BAD_REQUEST,
        "the page is not served under this name",
        "open it by its address, or have it served with --name and this name",
    )


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
    """Lets a request through, with who sent it, or says why not."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        # In a thread: now and then it asks the ledger whether the account still stands.
        session = await run_in_threadpool(self.access.session, connection)
        if session is not None:
            scope.setdefault("state", {})
            scope["state"]["reviewer"], scope["state"]["session"] = session.reviewer, session
        refusal = self._refusal(connection, session)
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, connection: HTTPConnection, session: Session | None) -> Response | None:
        headers, path = connection.headers, connection.scope["path"]
        if connection.scope["type"] != "http":
            return problem(HTTPStatus.NOT_FOUND, "there are no web sockets here", "use HTTP")
        writes = connection.scope["method"] not in SAFE_METHODS
        if writes and not comes_from_here(headers):
            return problem(HTTPStatus.FORBIDDEN, "another site sent this", "use the page itself")
        if writes and not _has_small_body(headers):
            return problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "the body is too large, or does not say how large it is",
                f"send a Content-Length of at most {BODY_CAP_BYTES} bytes",
            )
        if path == ENTER_PATH or (self.access.by_password and (path == SIGN_IN_PATH or path.startswith(STATIC))):
            return None
        if session is None:
            return self._stranger(connection)
        if writes and not secrets.compare_digest(headers.get(FORM_TOKEN, "").encode(), session.form_token.encode()):
            return problem(HTTPStatus.FORBIDDEN, "the page's token is missing or old", "reload the page")
        return None

    def _stranger(self, connection: HTTPConnection) -> Response:
        if self.access.by_password and "text/html" in connection.headers.get("accept", ""):
            return RedirectResponse(SIGN_IN_PATH, HTTPStatus.SEE_OTHER)
        return locked()


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
