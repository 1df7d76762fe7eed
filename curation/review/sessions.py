"""Sessions of browsers that were let in. They live in this process's memory: a restart ends them.

So do twelve idle hours, and a day.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

IDLE_S = 12 * 3600
LIFETIME_S = 24 * 3600


@dataclass(slots=True)
class Session:
    """A browser that was let in. `form_token` goes with every write, beside the cookie.

    `proof` is the password's hash at the time; the session ends when the account has another one, or none.
    """

    reviewer: str
    seen: float
    proof: str = ""
    opened: float = 0.0
    checked: float = 0.0
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))


class Sessions:
    """Sessions by the secret in the browser's cookie."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()

    def open(self, reviewer: str, proof: str = "") -> str:
        """A new session; returns its secret."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            now = self._now()
            self._sessions = {key: one for key, one in self._sessions.items() if _lives(one, now)}
            self._sessions[secret] = Session(reviewer, now, proof, opened=now, checked=now)
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of a secret, unless it was idle for too long, or is too old."""
        with self._lock:
            # A look-up by hash tells nothing about other secrets; the secret itself has 256 bits.
            session = self._sessions.get(secret)
            if session is None or not _lives(session, self._now()):
                return None
            session.seen = self._now()
            return session

    def close(self, secret: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(secret, None)


def _lives(session: Session, now: float) -> bool:
    return now - session.seen < IDLE_S and now - session.opened < LIFETIME_S
