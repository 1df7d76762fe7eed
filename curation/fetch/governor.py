"""Politeness: no host is asked for more than its share of videos, and one that turns us away is left alone.

A guest of a large video site is cut off at some 300 videos an hour (yt-dlp wiki, "Extractors"), hence the default of
250 in the settings. Share one governor between all threads that fetch.
"""

import ipaddress
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from curation.fetch.failures import TURNED_AWAY, FetchFailure
from curation.outcomes import Outcome

BURST = 5
"""Most videos that may be asked for at once before the pace counts [ours]."""

OPENS_AFTER = 3
"""So many refusals in a row, and the circuit opens."""

LONGEST_S = 24 * 3600
"""Longest time that a host is left alone, however often it refuses [ours]."""

PROBE_S = 60.0
"""How long others wait while one video is tried [ours]."""

LOOPBACK = "localhost"

SAME_SITE = {"youtu.be": "youtube.com", "youtube-nocookie.com": "youtube.com"}
"""Hosts that count as another one."""


@dataclass
class _Site:
    """What is known of a site; times are the clock's seconds."""

    full_at_s: float = 0.0
    next_at_s: float = 0.0
    refusals: int = 0
    openings: int = 0
    closed_until_s: float = 0.0
    probing: bool = False
    why: Outcome = Outcome.RATE_LIMITED


class Governor:
    """A token bucket and a circuit breaker for each site. Safe between threads.

    The circuit opens when a site turns us away `OPENS_AFTER` times in a row; until it has cooled, nothing is asked of
    it. Then one video is tried: if that comes, all go on, else the site is left alone twice as long.
    """

    def __init__(
        self,
        *,
        videos_per_hour: float,
        pause_s: float = 0.0,
        jitter: float = 0.0,
        cool_s: float = 3600.0,
        spare_loopback: bool = True,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
    ) -> None:
        """`pause_s` lies between any two videos of a site, longer by up to `jitter` of it, by chance.

        With `spare_loopback` this machine counts as no site.
        """
        # What the burst gives at once the pace takes back, so that burst + an hour at this pace is the budget.
        self._ahead = max(0, min(BURST - 1, math.floor(videos_per_hour / 50)))
        self._pace_s = 3600 / (videos_per_hour - self._ahead)
        self._pause_s, self._jitter, self._cool_s = pause_s, jitter, cool_s
        self._clock, self._sleep, self._chance = clock, sleep, chance or random.Random()
        self._spare_loopback = spare_loopback
        self._sites: dict[str, _Site] = {}
        self._lock = threading.Lock()

    def wait(self, link: str) -> float:
        """Take a token of the link's site, sleeping until there is one; returns how long that took, in seconds.

        Raises:
            FetchFailure: the site's circuit is open; `retry_at` says until when.
        """
        name = self._name(link)
        if name is None:
            return 0.0
        with self._lock:
            now, site = self._clock(), self._sites.setdefault(name, _Site())
            is_probe = self._check_open(name, site, now)
            # The bucket as one number: when it will be full again, were nothing more taken from it.
            site.full_at_s = max(site.full_at_s, now) + self._pace_s
            at = max(now, site.full_at_s - (self._ahead + 1) * self._pace_s, site.next_at_s)
            site.next_at_s = at + self._pause_between()
        if at > now:
            self._sleep(at - now)
            with self._lock:
                # It may have turned others away meanwhile.
                if not is_probe:
                    self._check_open(name, site, self._clock())
        return at - now

    def turn(self, link: str) -> float:
        """Wait until the link's site may be asked for one more page of a list, which takes no token; returns how long.

        Raises:
            FetchFailure: the site's circuit is open; `retry_at` says until when.
        """
        name = self._name(link)
        if name is None:
            return 0.0
        with self._lock:
            now, site = self._clock(), self._sites.setdefault(name, _Site())
            self._check_closed(name, site, now)
            at = max(now, site.next_at_s)
            site.next_at_s = at + self._pause_between()
        if at > now:
            self._sleep(at - now)
        return at - now

    def tell(self, link: str, outcome: Outcome, *, retry_after_s: float | None = None) -> datetime | None:
        """What came of a fetch; returns when the site may be asked again if it turned us away.

        `retry_after_s` is how long the site itself asks to be left alone.
        """
        name = self._name(link)
        if name is None:
            return None
        with self._lock:
            now, site = self._clock(), self._sites.setdefault(name, _Site())
            was_probe, site.probing = site.probing, False
            if outcome not in TURNED_AWAY:
                if outcome is Outcome.OK:
                    site.refusals = site.openings = 0
                return None
            site.refusals, site.why = site.refusals + 1, outcome
            if retry_after_s or was_probe or site.refusals >= OPENS_AFTER:
                cool_s = min(max(self._cool_s * 2**site.openings, retry_after_s or 0), LONGEST_S)
                # Fetches that were under way when it opened say nothing new.
                if site.closed_until_s <= now:
                    site.openings += 1
                site.closed_until_s = max(site.closed_until_s, now + cool_s)
            return _at(max(site.closed_until_s, now + self._pace_s))

    def forget(self, link: str) -> None:
        """A fetch came to no outcome at all, such as one that was interrupted: another may try the site."""
        if name := self._name(link):
            with self._lock:
                self._sites.setdefault(name, _Site()).probing = False

    def remember(self, link: str, at: datetime) -> None:
        """A video of an earlier run counts against the hour; to be told in order of time."""
        if name := self._name(link):
            site, seconds = self._sites.setdefault(name, _Site()), at.timestamp()
            # However many are told of: an hour after the last one the budget is whole.
            most = seconds + 3600 + self._ahead * self._pace_s
            site.full_at_s = min(max(site.full_at_s, seconds) + self._pace_s, most)

    def leave_alone(self, link: str, until: datetime) -> None:
        """A site that turned an earlier run away."""
        if name := self._name(link):
            site = self._sites.setdefault(name, _Site())
            site.closed_until_s = max(site.closed_until_s, until.timestamp())
            site.refusals = OPENS_AFTER

    def _name(self, link: str) -> str | None:
        name = site_of(link)
        return None if name == LOOPBACK and self._spare_loopback else name

    def _pause_between(self) -> float:
        return self._pause_s * (1 + self._jitter * self._chance.random())

    def _check_closed(self, name: str, site: _Site, now: float) -> None:
        if now < site.closed_until_s:
            raise _turned_away(name, site.why, site.closed_until_s)

    def _check_open(self, name: str, site: _Site, now: float) -> bool:
        """Whether this fetch is the one that tries whether the site has cooled."""
        self._check_closed(name, site, now)
        if site.refusals < OPENS_AFTER:
            return False
        if site.probing:
            raise _turned_away(name, site.why, now + PROBE_S)
        site.probing = True
        return True


def site_of(link: str) -> str | None:
    """The site a link counts for; "localhost" for this machine by any name, None for no site at all."""
    host = (urlsplit(link).hostname or "").rstrip(".")
    for prefix in ("www.", "m.", "music."):
        host = host.removeprefix(prefix)
    try:
        return LOOPBACK if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return SAME_SITE.get(host, host) or None


def _turned_away(name: str, why: Outcome, until_s: float) -> FetchFailure:
    until = _at(until_s)
    words = f"{name} has turned us away and is left alone until {until:%F %H:%M} UTC"
    return FetchFailure(why, words, retry_at=until, asked=False)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
