"""Who is at the other end: a one-time link on this machine, accounts with passwords, or a proxy that is trusted.

Each way in answers one question, who a request comes from. A session of an account ends with it.
"""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from threading import BoundedSemaphore, Lock
from typing import Protocol

from starlette.requests import HTTPConnection

from curation.ledger.open import Ledger
from curation.ledger.tables import ReviewerRow
from curation.review.sessions import Session, Sessions
from shards.errors import BadInput

RECHECK_S = 5.0
"""Whether an account still stands is asked again after this long: not for each of the many requests of a page."""

FREE_TRIES = 5
LONGEST_WAIT_S = 300.0
SHORTEST_PASSWORD = 10
LONGEST_NAME = 64
SHORTEST_SECRET = 16
PROXY_SECRET, PROXY_SECRET_SETTING = "X-Clapboard-Proxy-Secret", "CLAPBOARD_PROXY_SECRET"
REMEMBERED_TRIES = 10_000
HASHES_AT_ONCE = 2
MOST_WAITING = 6
PATIENCE_S = 2.0
"""A password takes 64 MiB and a tenth of a second to check: more of them wait, few and not for long. [ours]"""


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

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], float] = time.monotonic,
        *,
        hashes_at_once: int = HASHES_AT_ONCE,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._ledger, self._now, self._patience_s = ledger, now, patience_s
        self._tries: dict[str, tuple[int, float]] = {}
        self._lock = Lock()
        self._places = BoundedSemaphore(hashes_at_once)
        self._line = BoundedSemaphore(hashes_at_once + MOST_WAITING)
        self.sessions = Sessions(now)
        self._nobody = hash_password(secrets.token_urlsafe(16))

    def sign_in(self, name: str, password: str, *, client: str) -> str | None:
        """The secret of a new session; None if name and password do not belong together.

        Raises:
            TooManyTries: of this name or from this client, or of all at once; says how long to wait.
        """
        # Whoever waits for a place holds one of the threads that answer everybody else.
        if not self._line.acquire(blocking=False):
            raise TooManyTries(1.0)
        try:
            kept = self._belongs(name, password, keys=(f"name {name}", f"client {_network(client)}"))
        finally:
            self._line.release()
        return None if kept is None else self.sessions.open(name, kept)

    def session(self, connection: HTTPConnection) -> Session | None:
        """The session of the cookie, while its account stands as it was when it was opened."""
        secret = connection.cookies.get(cookie_name(connection), "")
        session = self.sessions.find(secret)
        if session is None or self._now() - session.checked < RECHECK_S:
            return session
        if self._password(session.reviewer) != session.proof:
            self.sessions.close(secret)
            return None
        session.checked = self._now()
        return session

    def _password(self, name: str) -> str | None:
        with self._ledger.session() as session:
            row = session.get(ReviewerRow, name) if is_reviewer_name(name) else None
            return row.password if row else None

    def _belongs(self, name: str, password: str, *, keys: Sequence[str]) -> str | None:
        """The hash that is kept of a password, if it is this name's."""
        with self._lock:
            wait_s = max(self._wait_s(key) for key in keys)
            if wait_s > 0:
                raise TooManyTries(wait_s)
            # Counted before the slow part: of guesses that come at once each finds the ones before it.
            for key in keys:
                self._count(key)
        if not self._places.acquire(timeout=self._patience_s):
            # It was not looked at: what others do at the same time shall lock nobody out.
            self._forgive(keys, 1)
            raise TooManyTries(1.0)
        try:
            kept = self._password(name)
            # A name that does not exist takes as long as one that does.
            if not password_fits(kept or self._nobody, password) or kept is None:
                return None
        finally:
            self._places.release()
        self._forgive(keys)
        return kept

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

    def _forgive(self, keys: Sequence[str], tries: int | None = None) -> None:
        """Forget so many tries, or all."""
        with self._lock:
            for key in keys:
                wrong, last = self._tries.pop(key, (0, 0.0))
                if tries is not None and wrong > tries:
                    self._tries[key] = wrong - tries, last


class TrustedProxy:
    """A reverse proxy that signs people in and says who it was, in a header.

    It is believed from its own addresses alone, and only if it shows the secret that it shares with us: whatever else
    runs at such an address, a page in a browser say, can send headers as well. `by_socket`, connections come by a
    Unix socket: the rights of its file are proof enough, and a secret is asked for only if there is one.
    """

    by_password = False

    def __init__(self, header: str, proxies: tuple[str, ...] = (), *, secret: str, by_socket: bool = False) -> None:
        needless = by_socket and not secret
        if not needless and (len(secret) < SHORTEST_SECRET or not secret.isascii() or not secret.isprintable()):
            raise BadInput(
                f"a proxy is believed only if it shows a secret of at least {SHORTEST_SECRET} printable characters",
                remedy=f"make one (openssl rand -hex 32), give it as {PROXY_SECRET_SETTING}, and let the proxy send it "
                f"with each request: proxy_set_header {PROXY_SECRET} ...;",
            )
        try:
            self._networks = tuple(ip_network(one) for one in proxies)
        except ValueError as error:
            raise BadInput(
                f"that is no address of a proxy: {error}", remedy="--proxy 10.0.0.2 or 10.0.0.0/24"
            ) from error
        if not self._networks and not by_socket:
            raise BadInput("a header alone proves nothing", remedy="name the proxy's address: --proxy 10.0.0.2")
        self._header, self._secret, self._by_socket = header, secret.encode(), by_socket
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()

    def session(self, connection: HTTPConnection) -> Session | None:
        """The reviewer that the proxy names."""
        if not self._trusts(connection):
            return None
        # A proxy that adds its word to what a client sent before has not replaced it.
        said = connection.headers.getlist(self._header)
        name = said[0].strip() if len(said) == 1 else ""
        if not is_reviewer_name(name):
            return None
        with self._lock:
            return self._sessions.setdefault(name, Session(name, math.inf))

    def _trusts(self, connection: HTTPConnection) -> bool:
        shown = connection.headers.getlist(PROXY_SECRET)
        if self._secret and (len(shown) != 1 or not secrets.compare_digest(shown[0].encode(), self._secret)):
            return False
        if self._by_socket:
            # Who comes by a socket has no address.
            return connection.client is None
        try:
            address = ip_address(connection.client.host if connection.client else "")
        except ValueError:
            return False
        return any(address in network for network in self._networks)


class TooManyTries(BadInput):
    """Somebody guesses passwords."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("too many tries to sign in", remedy=f"wait {math.ceil(wait_s)} s, then try again")
        self.wait_s = math.ceil(wait_s)


def _network(client: str) -> str:
    """Whose tries are counted together: an address, or of IPv6 the network that one subscriber has addresses in."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else client


def cookie_name(connection: HTTPConnection) -> str:
    """The session cookie's name; the port is in it, so two servers on one machine do not lock each other out."""
    server = connection.scope.get("server") or ("", 0)
    return f"clapboard_review_{server[1] or 0}"


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


def is_reviewer_name(name: str) -> bool:
    """Whether somebody may be called that: what is said by them is shown and exported under it."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()


def add_account(ledger: Ledger, name: str, password: str) -> None:
    """Let somebody sign in, or give them a new password.

    Raises:
        BadInput: the name is empty or too long, or the password too short.
    """
    if not is_reviewer_name(name):
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
