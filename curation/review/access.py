"""Who is at the other end: a one-time link on this machine, accounts with passwords, or a proxy that is trusted.

Each way in answers one question, who a request comes from. Sessions live in this process's memory: a restart ends them.
"""

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from threading import Lock
from typing import Protocol

from starlette.requests import HTTPConnection

from curation.ledger.open import Ledger
from curation.ledger.tables import ReviewerRow
from shards.errors import BadInput

IDLE_S = 12 * 3600
FREE_TRIES = 5
LONGEST_WAIT_S = 300.0
SHORTEST_PASSWORD = 10
LONGEST_NAME = 64
REMEMBERED_TRIES = 10_000


@dataclass(slots=True)
class Session:
    """A browser that was let in. `form_token` goes with every write, beside the cookie."""

    reviewer: str
    seen: float
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))


class Sessions:
    """Sessions by the secret in the browser's cookie."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()

    def open(self, reviewer: str) -> str:
        """A new session; returns its secret."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            now = self._now()
            self._sessions = {key: one for key, one in self._sessions.items() if now - one.seen < IDLE_S}
            self._sessions[secret] = Session(reviewer, now)
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of a secret, unless it was idle for too long."""
        with self._lock:
            # A look-up by hash tells nothing about other secrets; the secret itself has 256 bits.
            session = self._sessions.get(secret)
            if session is None or self._now() - session.seen >= IDLE_S:
                return None
            session.seen = self._now()
            return session

    def close(self, secret: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(secret, None)


class Access(Protocol):
    """A way in."""

    @property
    def by_password(self) -> bool:
        """Whether there is a page to sign in on."""

    def session(self, connection: HTTPConnection) -> Session | None:
        """Who a request comes from; None for a stranger."""


class OneTimeLink:
    """The printed link lets the first browser in that opens it; there is one reviewer."""

    by_password = False

    def __init__(self, token: str, reviewer: str) -> None:
        self._token: str | None = token
        self._reviewer = reviewer
        self._lock = Lock()
        self.sessions = Sessions()

    def enter(self, token: str) -> str | None:
        """The secret of a new session for the right token; None for a wrong or a used one."""
        with self._lock:
            if self._token is None or not secrets.compare_digest(token.encode(), self._token.encode()):
                return None
            self._token = None
        return self.sessions.open(self._reviewer)

    def session(self, connection: HTTPConnection) -> Session | None:
        """The session of the cookie."""
        return self.sessions.find(connection.cookies.get(cookie_name(connection), ""))


class Accounts:
    """Names and passwords in the ledger; guessing gets slower with every wrong try."""

    by_password = True

    def __init__(self, ledger: Ledger, now: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._now = ledger, now
        self._tries: dict[str, tuple[int, float]] = {}
        self._lock = Lock()
        self.sessions = Sessions(now)
        self._nobody = hash_password(secrets.token_urlsafe(16))

    def sign_in(self, name: str, password: str, *, client: str) -> str | None:
        """The secret of a new session; None if name and password do not belong together.

        Raises:
            TooManyTries: of this name or from this client; says how long to wait.
        """
        keys = (f"name {name}", f"client {client}")
        with self._lock:
            wait_s = max(self._wait_s(key) for key in keys)
            if wait_s > 0:
                raise TooManyTries(wait_s)
        with self._ledger.session() as session:
            row = session.get(ReviewerRow, name) if len(name) <= LONGEST_NAME else None
            kept = row.password if row else None
        # A name that does not exist takes as long as one that does.
        right = password_fits(kept or self._nobody, password) and kept is not None
        with self._lock:
            for key in keys:
                if right:
                    self._tries.pop(key, None)
                else:
                    self._count(key)
        return self.sessions.open(name) if right else None

    def session(self, connection: HTTPConnection) -> Session | None:
        """The session of the cookie."""
        return self.sessions.find(connection.cookies.get(cookie_name(connection), ""))

    def _wait_s(self, key: str) -> float:
        wrong, last = self._tries.get(key, (0, 0.0))
        if wrong < FREE_TRIES:
            return 0.0
        return min(2.0 ** (wrong - FREE_TRIES), LONGEST_WAIT_S) - (self._now() - last)

    def _count(self, key: str) -> None:
        if len(self._tries) >= REMEMBERED_TRIES:
            oldest = min(self._tries, key=lambda one: self._tries[one][1])
            del self._tries[oldest]
        self._tries[key] = (self._tries.get(key, (0, 0.0))[0] + 1, self._now())


class TrustedProxy:
    """A reverse proxy that signs people in and says who it was, in a header; believed only from its own addresses."""

    by_password = False

    def __init__(self, header: str, proxies: tuple[str, ...]) -> None:
        try:
            self._networks = tuple(ip_network(one) for one in proxies)
        except ValueError as error:
            raise BadInput(
                f"that is no address of a proxy: {error}", remedy="--proxy 10.0.0.2 or 10.0.0.0/24"
            ) from error
        if not self._networks:
            raise BadInput("a header alone proves nothing", remedy="name the proxy's address: --proxy 10.0.0.2")
        self._header = header
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()

    def session(self, connection: HTTPConnection) -> Session | None:
        """The reviewer that the proxy names."""
        name = connection.headers.get(self._header, "").strip()
        if not name or len(name) > LONGEST_NAME or not self._trusts(connection):
            return None
        with self._lock:
            return self._sessions.setdefault(name, Session(name, math.inf))

    def _trusts(self, connection: HTTPConnection) -> bool:
        try:
            address = ip_address(connection.client.host if connection.client else "")
        except ValueError:
            return False
        return any(address in network for network in self._networks)


class TooManyTries(BadInput):
    """Somebody guesses passwords."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("too many wrong tries", remedy=f"wait {math.ceil(wait_s)} s, then try again")
        self.wait_s = math.ceil(wait_s)


def cookie_name(connection: HTTPConnection) -> str:
    """The session cookie's name; the port is in it, so two servers on one machine do not lock each other out."""
    server = connection.scope.get("server") or ("", 0)
    return f"clapboard_review_{server[1]}"


def hash_password(password: str) -> str:
    """An argon2id hash with argon2-cffi's recommended cost."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def password_fits(kept: str, password: str) -> bool:
    """Whether a password is the one that was hashed."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def add_account(ledger: Ledger, name: str, password: str) -> None:
    """Let somebody sign in, or give them a new password.

    Raises:
        BadInput: the name is empty or too long, or the password too short.
    """
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise BadInput("that cannot be a reviewer's name", remedy=f"1 to {LONGEST_NAME} printable letters")
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput("the password is too short", remedy=f"{SHORTEST_PASSWORD} characters or more")
    with ledger.session() as session:
        session.merge(ReviewerRow(name=name, password=hash_password(password)))


def remove_account(ledger: Ledger, name: str) -> None:
    """Let somebody sign in no more; their answers stay.

    Raises:
        BadInput: there is no such account.
    """
    with ledger.session() as session:
        row = session.get(ReviewerRow, name)
        if row is None:
            raise BadInput(f"there is no account {name!r}", remedy="see `clapboard review account list`")
        session.delete(row)


def account_names(ledger: Ledger) -> list[str]:
    """Who may sign in."""
    from sqlalchemy import select

    with ledger.session() as session:
        return list(session.scalars(select(ReviewerRow.name).order_by(ReviewerRow.name)))
