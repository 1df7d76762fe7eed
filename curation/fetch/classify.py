"""Which outcome an error of yt-dlp is: by its type and cause where they say it, else by its words.

The words are those of yt-dlp 2026.10 and of the sites it quotes. Links and ids are taken out of them first: a video
at `/private/film.mp4` is not private.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator

from curation.fetch.egress import EgressRefused
from curation.fetch.gate import PageTooLarge
from curation.outcomes import Outcome

BY_STATUS = {
    401: Outcome.FORBIDDEN,
    402: Outcome.FORBIDDEN,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_FOUND,
    407: Outcome.FORBIDDEN,
    408: Outcome.TIMED_OUT,
    410: Outcome.REMOVED,
    413: Outcome.TOO_LARGE,
    429: Outcome.RATE_LIMITED,
    451: Outcome.GEO_BLOCKED,
}

# The first that matches counts, so the narrow ones come first.
BY_WORDS: tuple[tuple[str, Outcome], ...] = (
    (r"is not a public address|unknown url type|unsupported url scheme|file:// urls", Outcome.BAD_LINK),
    (r"max-filesize|larger than max|page is larger than|unpacks to more", Outcome.TOO_LARGE),
    (r"downloaded file is empty|empty file|did not get any data blocks", Outcome.EMPTY_FILE),
    (r"no space left|disk quota exceeded", Outcome.DISK_FULL),
    (r"not a bot|rate.?limit|too many requests|try again later|unusual traffic|captcha", Outcome.RATE_LIMITED),
    (r"members.only|join this channel|requires? (payment|purchase)|premium|purchas|subscri", Outcome.FORBIDDEN),
    (r"\bprivate\b", Outcome.PRIVATE),
    (r"confirm your age|age.restrict|inappropriate|age.?(gate|verif)", Outcome.AGE_RESTRICTED),
    (
        r"your country|this country|countries|geo.?(restrict|block)|your (geographic )?location|your region",
        Outcome.GEO_BLOCKED,
    ),
    (r"live event|is live\b|live stream|premieres? (in|will)|will begin in|not currently live|offline", Outcome.LIVE),
    (r"\bdrm\b|delegated to ffmpeg|ffmpeg exited with code", Outcome.UNSUPPORTED_SITE),
    (
        r"unsupported url|no video|no media|no formats|format is not available|is unusual and will be",
        Outcome.UNSUPPORTED_SITE,
    ),
    (r"unable to extract|failed to (parse|extract)|unable to (parse|decode)", Outcome.SITE_CHANGED),
    (
        r"removed|terminated|deleted|no longer available|copyright|unavailable|not available|isn.t available",
        Outcome.REMOVED,
    ),
    (r"does(n.t| not) exist", Outcome.REMOVED),
    (r"log.?in|sign in|authenticat|cookies|registered users|unauthori[sz]ed", Outcome.FORBIDDEN),
    (r"timed? ?out|deadline has passed", Outcome.TIMED_OUT),
    (r"name or service not known|name resolution|getaddrinfo|no address associated", Outcome.UNREACHABLE),
    (r"connection refused|unreachable|no route to host|certificate|\bssl\b", Outcome.UNREACHABLE),
    (
        r"connection (reset|aborted)|incomplete|bytes read|remote end closed|too short|downloaded \d+ bytes",
        Outcome.UNREACHABLE,
    ),
)

_LINKS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.I)
_EXTRACTOR_AND_ID = re.compile(r"\[[\w:.+-]+\] (?:(?!https?:)[^\s:]+: )?")


def classify(error: BaseException | None, words: str) -> Outcome:
    """The outcome of a failed fetch: `error` as yt-dlp raised it, `words` all it said about it."""
    for cause in _causes(error):
        if outcome := _by_type(cause):
            return outcome
    bare = _LINKS.sub("", _EXTRACTOR_AND_ID.sub("", words))
    if found := re.search(r"http error (\d{3})", bare, re.I):
        return _by_status(int(found[1]))
    return next((each for pattern, each in BY_WORDS if re.search(pattern, bare, re.I)), Outcome.FETCH_FAILED)


def _by_status(status: int) -> Outcome:
    if 300 <= status < 400:
        # A redirect that was not followed: to a scheme that is not http, or in a circle.
        return Outcome.BAD_LINK
    return BY_STATUS.get(status) or (Outcome.SERVER_ERROR if status >= 500 else Outcome.FETCH_FAILED)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all it came from, as yt-dlp keeps it (`exc_info`, `cause`, `reason`) and as Python does."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        info = getattr(one, "exc_info", None)
        waiting += [info[1] if info else None, getattr(one, "cause", None), getattr(one, "reason", None), one.__cause__]


def _by_type(error: BaseException) -> Outcome | None:
    from yt_dlp.networking.exceptions import HTTPError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive

    if isinstance(error, HTTPError):
        return _by_status(error.status)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Outcome.DISK_FULL
    table: tuple[tuple[type[BaseException], Outcome], ...] = (
        (EgressRefused, Outcome.BAD_LINK),
        (PageTooLarge, Outcome.TOO_LARGE),
        (GeoRestrictedError, Outcome.GEO_BLOCKED),
        (UnsupportedError, Outcome.UNSUPPORTED_SITE),
        (UserNotLive, Outcome.LIVE),
        (TimeoutError, Outcome.TIMED_OUT),
        (socket.gaierror, Outcome.UNREACHABLE),
        (ConnectionError, Outcome.UNREACHABLE),
        (ssl.SSLError, Outcome.UNREACHABLE),
    )
    return next((outcome for kind, outcome in table if isinstance(error, kind)), None)
