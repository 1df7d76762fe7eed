"""Which outcome an error of yt-dlp is: by its type and cause where they say it, else by its words.

Links and ids are taken out of the words first: a video at `/private/film.mp4` is not private.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from curation.fetch.egress import EgressRefused
from curation.fetch.failures import FetchFailure
from curation.fetch.manifest import PageTooLarge
from curation.fetch.wording import BOT_WALL, BY_WORDS
from curation.outcomes import Outcome
from shards.files import FULL

BY_STATUS = {
    401: Outcome.LOGIN_REQUIRED,
    402: Outcome.PAID,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_FOUND,
    407: Outcome.FORBIDDEN,
    408: Outcome.TIMED_OUT,
    410: Outcome.REMOVED,
    413: Outcome.TOO_LARGE,
    429: Outcome.RATE_LIMITED,
    451: Outcome.GEO_BLOCKED,
}

_LINKS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.I)
_EXTRACTOR_AND_ID = re.compile(r"\[[\w:.+-]+\] (?:(?!https?:)[^\s:]+: )?")


def classify(error: BaseException | None, words: str) -> Outcome:
    """The outcome of a failed fetch: `error` as yt-dlp raised it, `words` all it said about it."""
    for cause in _causes(error):
        if outcome := _by_type(cause):
            return outcome
    bare = _LINKS.sub("", _EXTRACTOR_AND_ID.sub("", words))
    if BOT_WALL.search(bare):
        # Also where it comes with a status: 403 alone would not say that waiting helps.
        return Outcome.BOT_WALL
    if found := re.search(r"http error (\d{3})", bare, re.I):
        return _by_status(int(found[1]))
    by_words = next((each for pattern, each in BY_WORDS if pattern.search(bare)), Outcome.FETCH_FAILED)
    if by_words in (Outcome.FETCH_FAILED, Outcome.NOT_FOUND) and _is_unforeseen(error):
        return Outcome.SITE_CHANGED
    return by_words


def retry_after_s(error: BaseException | None, *, now_s: float) -> float | None:
    """How long the server asks to be left alone (RFC 9110, `Retry-After`: seconds or a date); None if it does not."""
    from yt_dlp.networking.exceptions import HTTPError

    for cause in _causes(error):
        if isinstance(cause, HTTPError) and (told := cause.response.headers.get("Retry-After")):
            try:
                return max(0.0, float(told))
            except ValueError:
                pass
            try:
                return max(0.0, parsedate_to_datetime(told).timestamp() - now_s)
            except ValueError:
                return None
    return None


def _is_unforeseen(error: BaseException | None) -> bool:
    """Whether an extractor met what its author did not foresee; yt-dlp then asks for a report of the bug."""
    from yt_dlp.utils import ExtractorError

    return any(isinstance(cause, ExtractorError) and not cause.expected for cause in _causes(error))


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
    from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessorError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive

    if isinstance(error, FetchFailure):
        return error.outcome
    if isinstance(error, HTTPError):
        return _by_status(error.status)
    if isinstance(error, OSError) and error.errno in FULL:
        return Outcome.DISK_FULL
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return Outcome.TOO_LARGE
    table: tuple[tuple[type[BaseException], Outcome], ...] = (
        (EgressRefused, Outcome.BLOCKED_ADDRESS),
        (PageTooLarge, Outcome.TOO_LARGE),
        (MemoryError, Outcome.TOO_MUCH_MEMORY),
        (GeoRestrictedError, Outcome.GEO_BLOCKED),
        (UnsupportedError, Outcome.UNSUPPORTED_SITE),
        (UserNotLive, Outcome.LIVE),
        (FFmpegPostProcessorError, Outcome.MERGE_FAILED),
        (TimeoutError, Outcome.TIMED_OUT),
        (socket.gaierror, Outcome.DNS_FAILED),
        (ConnectionError, Outcome.UNREACHABLE),
        (ssl.SSLError, Outcome.TLS_FAILED),
    )
    return next((outcome for kind, outcome in table if isinstance(error, kind)), None)
