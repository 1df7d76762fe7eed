"""Which outcome an error of yt-dlp is: by its type and cause where they say it, else by its words.

The words are those of yt-dlp 2026.10 and of the sites it quotes; tests/curation/messages.tsv is the collection that
they were made for. Links and ids are taken out of them first: a video at `/private/film.mp4` is not private.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from curation.fetch.egress import EgressRefused
from curation.fetch.gate import PageTooLarge
from curation.outcomes import Outcome

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

BOT_WALL = re.compile(r"not a bot|captcha|unusual traffic|are (a )?human|anti-bot", re.I)

# The first that matches counts, so the narrow ones come first.
BY_WORDS: tuple[tuple[str, Outcome], ...] = (
    (r"is not a public address", Outcome.BLOCKED_ADDRESS),
    (r"unknown url type|unsupported url scheme|file:// urls|is not a valid url", Outcome.BAD_LINK),
    (r"max-filesize|larger than max|page is larger than|unpacks to more", Outcome.TOO_LARGE),
    (r"downloaded file is empty|empty file|did not get any data blocks", Outcome.EMPTY_FILE),
    (r"no space left|disk quota exceeded", Outcome.DISK_FULL),
    (r"rate.?limit|too many requests|try again later|reached your (play|download) limit", Outcome.RATE_LIMITED),
    (r"(account|channel|user) .*(terminated|closed|suspended|deactivated|banned)", Outcome.TERMINATED),
    (r"removed for violating", Outcome.REMOVED),
    (r"certificate|\bssl\b|\btls\b|handshake", Outcome.TLS_FAILED),
    (
        r"password.protected|protected by (a )?password|(wrong|invalid) (video )?password|--video-password",
        Outcome.PASSWORD,
    ),
    (
        r"members?.?only|for (premium )?members|join this channel|to (members|patrons)|subscri(be|bers|ption)|premium",
        Outcome.MEMBERS_ONLY,
    ),
    (r"requires? (a )?(payment|purchase|ticket)|purchas|\bpaid\b|\brent(al)?\b|tickets? to this", Outcome.PAID),
    (
        r"confirm your age|age.?(restrict|gate|verif|limit)|inappropriate for|adults? only|\bnsfw\b",
        Outcome.AGE_RESTRICTED,
    ),
    (
        r"your country|this country|countries|geo.?(restrict|block)|(geographic|current|your) location"
        r"|(your|this|geographic) region|only available in [A-Z]|available in \w+ only",
        Outcome.GEO_BLOCKED,
    ),
    (r"\bprivate\b|protected (tweet|account)|not authorized to view", Outcome.PRIVATE),
    (
        r"premieres? (in|will|on)|will begin|not (yet )?started|not available yet|upcoming|scheduled",
        Outcome.UPCOMING,
    ),
    (
        r"live event|is live\b|live ?stream|not (currently |yet )?live|is (currently )?offline|no active streams|"
        r"currently (airing|broadcasting)|stream (has )?(ended|expired)",
        Outcome.LIVE,
    ),
    (r"\bdrm\b|widevine|fairplay", Outcome.DRM),
    (r"copyright|content ?id|infring|dmca|licensing restrictions|rights holder", Outcome.COPYRIGHT),
    (r"delegated to ffmpeg|ffmpeg exited with code|protocol \w+ needs", Outcome.UNSUPPORTED_SITE),
    (r"postprocessing|conversion failed|ffmpeg (is )?not (found|installed)|merging of multiple", Outcome.MERGE_FAILED),
    (
        r"format is not available|no (video )?formats|only images are available|formats? (are|is) .*not supported",
        Outcome.NO_FORMAT,
    ),
    (
        r"removed|deleted|no longer (available|exists?)|unavailable|not available|isn.t available|has expired"
        r"|been taken down|violat|does(n.t| not) exist|not found; it has|unlisted or",
        Outcome.REMOVED,
    ),
    (
        r"log.?in|logged.in|sign.?in|authenticat|cookies|registered users|unauthori[sz]ed|credentials|account",
        Outcome.LOGIN_REQUIRED,
    ),
    (r"no video|no media|no suitable|is unusual and will be|not a video", Outcome.UNSUPPORTED_SITE),
    (r"unsupported|not (currently |directly )?supported|unrecogni[sz]ed", Outcome.UNSUPPORTED_SITE),
    (r"timed? ?out|deadline has passed", Outcome.TIMED_OUT),
    (r"name or service not known|name resolution|getaddrinfo|no address associated", Outcome.DNS_FAILED),
    (r"connection refused|unreachable|no route to host|proxy", Outcome.UNREACHABLE),
    (
        r"connection (reset|aborted|broken)|incomplete|bytes read|remote end closed|too short|downloaded \d+ bytes",
        Outcome.UNREACHABLE,
    ),
    (r"ip address (is|has been) blocked|access (is )?denied|forbidden|do not have access", Outcome.FORBIDDEN),
    (r"not found|no such|404", Outcome.NOT_FOUND),
    (
        r"unable to (extract|parse|decode|solve|find)|failed to (parse|extract|decode|obtain)|could not (find|extract)"
        r"|unexpected|unknown|nsig|player .*(fail|error)|precondition check failed|page needs to be reloaded",
        Outcome.SITE_CHANGED,
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
    if BOT_WALL.search(bare):
        # Also where it comes with a status: 403 alone would not say that waiting helps.
        return Outcome.BOT_WALL
    if found := re.search(r"http error (\d{3})", bare, re.I):
        return _by_status(int(found[1]))
    return next((each for pattern, each in BY_WORDS if re.search(pattern, bare, re.I)), Outcome.FETCH_FAILED)


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

    if isinstance(error, HTTPError):
        return _by_status(error.status)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Outcome.DISK_FULL
    table: tuple[tuple[type[BaseException], Outcome], ...] = (
        (EgressRefused, Outcome.BLOCKED_ADDRESS),
        (PageTooLarge, Outcome.TOO_LARGE),
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
