"""What a page leads to: the entries of a playlist, channel or search, and the files in a web server's listing.

Nothing is downloaded; every connection passes the gate, and every page the governor, as in a fetch.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from curation.fetch.egress import check_link
from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate
from curation.fetch.governor import Governor, site_of
from curation.fetch.settings import FetchSettings
from curation.fetch.watch import Watch
from curation.fetch.ytdlp import Words, downloader, failure_of
from curation.outcomes import Outcome
from shards.errors import ClapboardError

SEARCH = re.compile(r"[a-z]+search(?:date)?(?:\d+|all)?:.+")
"""yt-dlp's searches: `ytsearch50:drum solo` is the first fifty."""

_HREF = re.compile(rb"""<a\s[^>]*?href\s*=\s*["']?([^"'\s>]+)""", re.I)


@dataclass(frozen=True, slots=True)
class Entry:
    """One video of a list; the title is empty where the list does not give it."""

    link: str
    title: str


def entries(link: str, settings: FetchSettings, *, most: int, governor: Governor | None = None) -> list[Entry]:
    """The first `most` videos of a playlist, channel or search, in its own order; a plain video is a list of itself.

    With a `governor`, shared with the fetches, the list takes a token as a video does, and pauses between its pages.

    Raises:
        FetchFailure: with its outcome and yt-dlp's own words.
    """
    if not SEARCH.fullmatch(link):
        check_link(link, allow_loopback=settings.allow_loopback)
    with _opened(settings, most, governor) as (ytdlp, words):
        # Pages are asked for as its entries are read.
        found = list(_flat(ytdlp.extract_info(link, download=False) or {}, most))
        if not found:
            raise FetchFailure(Outcome.UNSUPPORTED_SITE, words.last or "the list is empty")
    return found


def files_at(link: str, settings: FetchSettings, *, most: int, governor: Governor | None = None) -> list[str]:
    """Links of all that a web server lists below a folder, page after page; at most `most`. `governor` as above.

    Raises:
        FetchFailure: a page cannot be read.
    """
    base = link if link.endswith("/") else f"{link}/"
    check_link(base, allow_loopback=settings.allow_loopback)
    found: dict[str, None] = {}
    waiting, seen = [base], {base}
    with _opened(settings, most, governor) as (ytdlp, _):
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
    with ytdlp.urlopen(page) as answer:
        text = answer.read()
    for href in _HREF.findall(text):
        target = urlsplit(urljoin(page, unescape(href.decode("utf-8", "replace"))))
        plain_link = target._replace(query="", fragment="").geturl()
        if plain_link.startswith(base) and plain_link != base and not target.query:
            yield plain_link


@contextmanager
def _opened(settings: FetchSettings, most: int, governor: Governor | None) -> Iterator[tuple[Any, Words]]:
    """A downloader that has no file to write, and its words; what it raises becomes a failure that the governor hears.

    Raises:
        FetchFailure: the list cannot be read; `retry_at` says when to try again if its site turned us away.
    """
    words, turns = Words(), _Turns(governor)
    gate = Gate(allow_loopback=settings.allow_loopback, deadline_s=settings.deadline_s, proxy=settings.proxy_link())
    watch = Watch(gate=gate, max_bytes=settings.max_bytes)
    with tempfile.TemporaryDirectory(prefix="clapboard-list-") as folder, gate:
        made = downloader(
            Path(folder), "list", settings, gate=gate, watch=watch, words=words, most_entries=most, asking=turns
        )
        with turns.told(), made as ytdlp:
            try:
                yield ytdlp, words
            except ClapboardError:
                raise
            except Exception as error:
                # yt-dlp raises what its hundreds of extractors raise; every one becomes a typed outcome.
                raise failure_of(error, words, gate) from error


class _Turns:
    """Waits before each page of a list as its site's governor says, and tells it in the end how that went.

    A search has no link of its own, and a list may lie on more than one site: the pages that are asked for say which.
    """

    def __init__(self, governor: Governor | None) -> None:
        self._governor = governor
        self._asked: dict[str | None, str] = {}
        self._last = ""

    def __call__(self, link: str) -> None:
        if self._governor is None:
            return
        if site_of(link) in self._asked:
            self._governor.turn(link)
        else:
            self._governor.wait(link)
            self._asked[site_of(link)] = link
        self._last = link

    @contextmanager
    def told(self) -> Iterator[None]:
        """Within it the pages are asked for; whatever comes of them, the governor hears it."""
        try:
            yield
        except FetchFailure as failure:
            self._tell(failure)
            raise
        except BaseException:
            self._forget(self._asked)
            raise
        if self._governor:
            for link in self._asked.values():
                self._governor.tell(link, Outcome.OK)

    def _tell(self, failure: FetchFailure) -> None:
        """It is the site asked last that failed; of others nothing is known."""
        site = site_of(self._last)
        self._forget(one for one in self._asked if one != site or not failure.asked)
        if self._governor and failure.asked and site in self._asked:
            rest_s = failure.retry_after_s
            failure.retry_at = self._governor.tell(self._asked[site], failure.outcome, retry_after_s=rest_s)

    def _forget(self, sites: Iterable[str | None]) -> None:
        if self._governor:
            for site in sites:
                self._governor.forget(self._asked[site])


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
