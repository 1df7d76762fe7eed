"""Politeness: in no hour is a host asked for more than its share of videos.

A guest of a large video site is cut off at some 300 videos an hour (yt-dlp wiki, "Extractors"), hence the default of
250 in the settings. Share one governor between all threads that fetch.
"""

import ipaddress
import math
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

BURST = 5
"""Most videos that may be asked for at once before the pace counts [ours]."""

SAME_SITE = {"youtu.be": "youtube.com", "youtube-nocookie.com": "youtube.com"}
"""Hosts that count as another one."""


class Governor:
    """A token bucket for each site; `wait` returns when the site may be asked. Safe between threads."""

    def __init__(
        self,
        *,
        videos_per_hour: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # What the burst gives at once the pace takes back, so that burst + an hour at this pace is the budget.
        self._ahead = max(0, min(BURST - 1, math.floor(videos_per_hour / 50)))
        self._pace_s = 3600 / (videos_per_hour - self._ahead)
        self._clock, self._sleep = clock, sleep
        self._full_at_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, link: str) -> float:
        """Take a token of the link's site, sleeping until there is one; returns how long that took, in seconds."""
        site = site_of(link)
        if site is None:
            return 0.0
        with self._lock:
            now = self._clock()
            # The bucket as one number: when it will be full again, were nothing more taken from it.
            full_at = max(self._full_at_s.get(site, now), now) + self._pace_s
            self._full_at_s[site] = full_at
            pause_s = max(0.0, full_at - now - (self._ahead + 1) * self._pace_s)
        if pause_s:
            self._sleep(pause_s)
        return pause_s


def site_of(link: str) -> str | None:
    """The site a link counts for; None for this machine, which needs no sparing."""
    host = (urlsplit(link).hostname or "").rstrip(".")
    for prefix in ("www.", "m.", "music."):
        host = host.removeprefix(prefix)
    if host == "localhost":
        return None
    try:
        return None if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return SAME_SITE.get(host, host)
