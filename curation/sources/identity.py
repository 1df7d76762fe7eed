"""When two links are one video: spelling of hosts, tracking, and the many addresses of a video on YouTube."""

import re
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
TRACKING = re.compile(r"utm_\w+|fbclid|gclid|igshid|si|feature")
_YOUTUBE_HOSTS = {"youtube.com", "youtube-nocookie.com"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def canonical_link(link: str) -> str:
    """A link as it counts for identity.

    Scheme and host in lower case, no default port, no fragment, no tracking; any address of one YouTube video is
    `https://www.youtube.com/watch?v=ID`.
    """
    try:
        parts = urlsplit(link.strip())
        host = parts.hostname
    except ValueError:
        return link.strip()
    if video := _youtube_id(host or "", parts.path, parts.query):
        return youtube_link(video)
    place = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, "\0"))
    return urlunsplit((parts.scheme, place, parts.path, _without_tracking(parts.query), ""))


def youtube_link(video: str) -> str:
    """The link of a video on YouTube by its id."""
    return f"https://www.youtube.com/watch?v={video}"


def _youtube_id(host: str, path: str, query: str) -> str | None:
    host = host.rstrip(".")
    for prefix in ("www.", "m.", "music."):
        host = host.removeprefix(prefix)
    found = ""
    if host == "youtu.be":
        found = path.strip("/")
    elif host in _YOUTUBE_HOSTS:
        kind, _, rest = path.strip("/").partition("/")
        if kind == "watch":
            found = parse_qs(query).get("v", [""])[0]
        elif kind in ("shorts", "embed", "v", "live"):
            found = rest.partition("/")[0]
    return found if YOUTUBE_ID.fullmatch(found) else None


def _without_tracking(query: str) -> str:
    """The query as it is written, unless some of it is for tracking alone."""
    fields = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in fields if not TRACKING.fullmatch(name)]
    return query if len(kept) == len(fields) else urlencode(kept)
