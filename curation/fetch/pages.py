"""In the cage: the entries of a playlist, channel or search, and the links in a web server's listing.

They are told as they are found; the other side checks each of them.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from curation.fetch.egress import LONGEST_LINK
from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate
from curation.fetch.line import Line
from curation.fetch.settings import FetchSettings
from curation.fetch.watch import Watch
from curation.fetch.ytdlp import Words, downloader, failure_of
from curation.outcomes import Outcome
from shards.errors import ClapboardError

LONGEST_TITLE = 500
"""Characters of a title that are kept [ours]."""

AT_ONCE = 8
"""Entries that are told in one message, which has a limit however they are written [ours]."""

_HREF = re.compile(rb"""<a\s[^<>]{0,2000}?href\s{0,99}=\s{0,99}["']?([^"'\s>]{1,4096})""", re.I)


def list_entries(link: str, settings: FetchSettings, *, line: Line, cookies: str, most: int) -> dict[str, Any]:
    """Tell the first `most` videos of a list; returns how many there are.

    Raises:
        FetchFailure: the list cannot be read, or is empty.
    """
    found = 0
    with _opened(settings, most, line, cookies) as (ytdlp, words):
        # Pages are asked for as its entries are read.
        listed = islice(_flat(ytdlp.extract_info(link, download=False) or {}), most)
        for some in _batched(listed):
            line.tell("entries", found=some)
            found += len(some)
        if not found:
            raise FetchFailure(Outcome.UNSUPPORTED_SITE, words.last or "the list is empty")
    return {"found": found}


def list_files(link: str, settings: FetchSettings, *, line: Line, cookies: str, most: int) -> dict[str, Any]:
    """Tell the links of all that a web server lists below a folder, page after page; returns how many there are.

    Raises:
        FetchFailure: a page cannot be read.
    """
    found: dict[str, None] = {}
    waiting, seen = [link], {link}
    with _opened(settings, most, line, cookies) as (ytdlp, _):
        while waiting and len(found) < most and len(seen) <= most:
            for below in _links(ytdlp, waiting.pop(0), link):
                if not below.endswith("/"):
                    found.setdefault(below)
                elif below not in seen and len(seen) <= most:
                    seen.add(below)
                    waiting.append(below)
    for some in _batched([one, ""] for one in islice(found, most)):
        line.tell("entries", found=some)
    return {"found": min(len(found), most)}


def _links(ytdlp: Any, page: str, base: str) -> Iterator[str]:
    """What a page links to below `base`, without queries."""
    with ytdlp.urlopen(page) as answer:
        text = answer.read()
    for found in _HREF.finditer(text):
        try:
            target = urlsplit(urljoin(page, unescape(found[1].decode("utf-8", "replace"))))
        except ValueError:
            continue
        plain_link = target._replace(query="", fragment="").geturl()
        is_below = plain_link.startswith(base) and plain_link != base
        if is_below and not target.query and len(plain_link) <= LONGEST_LINK:
            yield plain_link


@contextmanager
def _opened(settings: FetchSettings, most: int, line: Line, cookies: str) -> Iterator[tuple[Any, Words]]:
    """A downloader that has no file to write, and its words; what it raises becomes a failure.

    Raises:
        FetchFailure: the list cannot be read.
    """
    words = Words()
    gate = Gate(line, allow_loopback=settings.allow_loopback, deadline_s=settings.deadline_s)
    made = downloader(
        Path(os.environ["TMPDIR"]),
        "list",
        settings,
        gate=gate,
        line=line,
        watch=Watch(gate=gate, max_bytes=settings.max_bytes),
        words=words,
        cookies=cookies,
        most_entries=most,
        asking=lambda page: line.ask("turn", link=page[:LONGEST_LINK]),
    )
    with gate, made as ytdlp:
        try:
            yield ytdlp, words
        except ClapboardError:
            raise
        except Exception as error:
            # yt-dlp raises what its hundreds of extractors raise; every one becomes a typed outcome.
            raise failure_of(error, words, gate, settings) from error


def _flat(info: dict[str, Any]) -> Iterator[list[str]]:
    """Link and title of the entries of lists within lists, such as a channel's tabs."""
    nested = info.get("entries")
    if nested is None:
        link = info.get("webpage_url") or info.get("original_url") or info.get("url") or ""
        if info.get("_type") in ("url", "url_transparent"):
            link = info.get("url") or link
        if link:
            yield [str(link)[: LONGEST_LINK + 1], str(info.get("title") or "")[:LONGEST_TITLE]]
        return
    for entry in nested:
        yield from _flat(entry or {})


def _batched(entries: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    waiting = iter(entries)
    while some := list(islice(waiting, AT_ONCE)):
        yield some
