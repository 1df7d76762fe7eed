"""What a page leads to: the entries of a playlist, channel or search, and the files in a web server's listing.

Nothing is downloaded; every connection passes the gate, as in a fetch.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from curation.fetch.classify import classify
from curation.fetch.egress import check_link
from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate
from curation.fetch.settings import FetchSettings
from curation.fetch.watch import Watch
from curation.fetch.ytdlp import Words, downloader, plain
from curation.outcomes import Outcome

SEARCH = re.compile(r"[a-z]+search(?:date)?(?:\d+|all)?:.+")
"""yt-dlp's searches: `ytsearch50:drum solo` is the first fifty."""

_HREF = re.compile(rb"""<a\s[^>]*?href\s*=\s*["']?([^"'\s>]+)""", re.I)


@dataclass(frozen=True, slots=True)
class Entry:
    """One video of a list; the title is empty where the list does not give it."""

    link: str
    title: str


def entries(link: str, settings: FetchSettings, *, most: int) -> list[Entry]:
    """The first `most` videos of a playlist, channel or search, in its own order; a plain video is a list of itself.

    Raises:
        FetchFailure: with its outcome and yt-dlp's own words.
    """
    if not SEARCH.fullmatch(link):
        check_link(link, allow_loopback=settings.allow_loopback)
    with _opened(settings, most) as (ytdlp, words):
        try:
            info = ytdlp.extract_info(link, download=False)
        except FetchFailure:
            raise
        except Exception as error:
            said = plain(str(error)) or words.last
            raise FetchFailure(classify(error, f"{said} {words.last}"), said) from error
        found = list(_flat(info or {}, most))
    if not found:
        raise FetchFailure(Outcome.UNSUPPORTED_SITE, words.last or "the list is empty")
    return found


def files_at(link: str, settings: FetchSettings, *, most: int) -> list[str]:
    """Links of all that a web server lists below a folder, page after page; at most `most`.

    Raises:
        FetchFailure: a page cannot be read.
    """
    base = link if link.endswith("/") else f"{link}/"
    check_link(base, allow_loopback=settings.allow_loopback)
    found: dict[str, None] = {}
    waiting, seen = [base], {base}
    with _opened(settings, most) as (ytdlp, _):
        while waiting and len(found) < most and len(seen) <= most:
            for below in _links(ytdlp, waiting.pop(0), base):
                if not below.endswith("/"):
                    found.setdefault(below)
                elif below not in seen:
                    seen.add(below)
                    waiting.append(below)
    return list(found)[:most]


def _links(ytdlp: Any, page: str, base: str) -> Iterator[str]:
    """What a page links to below `base`, without queries."""
    try:
        with ytdlp.urlopen(page) as answer:
            text = answer.read()
    except Exception as error:
        raise FetchFailure(classify(error, plain(str(error))), f"{page}: {plain(str(error))}") from error
    for href in _HREF.findall(text):
        target = urlsplit(urljoin(page, unescape(href.decode("utf-8", "replace"))))
        plain_link = target._replace(query="", fragment="").geturl()
        if plain_link.startswith(base) and plain_link != base and not target.query:
            yield plain_link


@contextmanager
def _opened(settings: FetchSettings, most: int) -> Iterator[tuple[Any, Words]]:
    """A downloader that has no file to write, and its words."""
    words = Words()
    gate = Gate(allow_loopback=settings.allow_loopback, deadline_s=settings.deadline_s, proxy=settings.proxy_link())
    watch = Watch(gate=gate, max_bytes=settings.max_bytes)
    with tempfile.TemporaryDirectory(prefix="clapboard-list-") as folder, gate:
        made = downloader(Path(folder), "list", settings, gate=gate, watch=watch, words=words, most_entries=most)
        with made as ytdlp:
            yield ytdlp, words


def _flat(info: dict[str, Any], most: int) -> Iterator[Entry]:
    """The entries of lists within lists, such as a channel's tabs."""
    nested = info.get("entries")
    if nested is None:
        link = info.get("webpage_url") or info.get("original_url") or info.get("url") or ""
        if info.get("_type") in ("url", "url_transparent"):
            link = info.get("url") or link
        if link:
            yield Entry(str(link), str(info.get("title") or ""))
        return
    left = most
    for entry in nested:
        for one in _flat(entry or {}, left):
            yield one
            left -= 1
            if not left:
                return
