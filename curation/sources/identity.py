"""When two links are one video: spelling of hosts, tracking, and the many addresses of a video on YouTube."""

import re
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE_HOSTS = {"youtube.com", "youtube-nocookie.com"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_EVERYWHERE = r"utm_\w+|fbclid|gclid"
_TRACKING = {
    site: re.compile(f"{_EVERYWHERE}|{own}")
    for site, own in {
        "youtube.com": r"si|feature|pp|ab_channel|embeds_\w+|source_ve_path",
        "youtu.be": r"si|feature|pp",
        "vimeo.com": r"share|fl|fe|turnstile",
        "tiktok.com": r"_r|_t|is_from_webapp|is_copy_url|sender_device|sender_web_id|web_id|share_\w+",
        "instagram.com": r"igsh|igshid",
        "facebook.com": r"mibextid|ref|rdid|share_url|__\w+",
        "twitter.com": r"s|t|ref_src|ref_url",
        "x.com": r"s|t|ref_src|ref_url",
        "soundcloud.com": r"si",
        "bilibili.com": r"spm_id_from|from_spmid|vd_source|share_\w+|unique_k|buvid|from_source",
        "reddit.com": r"share_id|rdt",
        "twitch.tv": r"tt_content|tt_medium",
        "dailymotion.com": r"dm_\w+",
    }.items()
}
"""Parameters that lead to nothing else, by site [ours]. Elsewhere any of these names may say which video is meant."""


def canonical_link(link: str) -> str:
    """A link as it counts for identity.

    Scheme and host in lower case, no default port, no fragment, no tracking where it is known as such; any address of
    one YouTube video is `https://www.youtube.com/watch?v=ID`.
    """
    link = without_fragment(link.strip())
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return link
    if video := _youtube_id(host, parts.path, parts.query):
        return youtube_link(video)
    place = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, "\0"))
    return urlunsplit((parts.scheme, place, parts.path, _without_tracking(parts.query, host), parts.fragment))


def without_fragment(link: str) -> str:
    """A link without its fragment, which never reaches a server: `#t=30` is a place in a video that is asked for whole.

    A route of a page that finds its way by itself (`#!/video/1`, `#/video/1`) is no such place, and stays.
    """
    page, _, fragment = link.partition("#")
    return link if fragment.startswith(("!", "/")) else page


def youtube_link(video: str) -> str:
    """The link of a video on YouTube by its id."""
    return f"https://www.youtube.com/watch?v={video}"


def _youtube_id(host: str, path: str, query: str) -> str | None:
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


def _without_tracking(query: str, host: str) -> str:
    """The query as it is written, unless some of it is for tracking alone."""
    if not query:
        return ""
    tracking = next((names for site, names in _TRACKING.items() if host == site or host.endswith(f".{site}")), None)
    if tracking is None:
        return query
    fields = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in fields if not tracking.fullmatch(name)]
    return query if len(kept) == len(fields) else urlencode(kept)
