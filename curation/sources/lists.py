"""Playlists, channels, searches and web folders as sources: one request a page, no video is looked at yet."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from curation.fetch.egress import check_link
from curation.fetch.failures import FetchFailure
from curation.fetch.governor import Governor
from curation.fetch.listing import SEARCH, entries, files_at
from curation.fetch.settings import FetchSettings
from curation.sources.base import Read, RowFault, SourceRow, surrogates_escaped
from curation.sources.identity import without_fragment
from curation.sources.suffixes import SUFFIXES

LIST = "list:"
"""Before a link: it leads to a list, whatever it looks like."""

PREFIX = "prefix:"
"""Before an http(s) link: take the files that the server lists below it."""

SEARCHED = {
    "ytsearch": "https://www.youtube.com/",
    "scsearch": "https://soundcloud.com/",
    "bilisearch": "https://www.bilibili.com/",
    "nicosearch": "https://www.nicovideo.jp/",
}
"""Where yt-dlp's best known searches look."""

_YOUTUBE_LIST = re.compile(r"/(playlist\b|channel/|c/|user/|@[^/]+/?(videos|shorts|streams|playlists)?$)")


def is_list(source: str) -> bool:
    """Whether a source is a list of videos on a site, by its prefix or as known lists of YouTube."""
    if source.startswith(LIST) or SEARCH.fullmatch(source):
        return True
    parts = urlsplit(source)
    site = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    return site == "youtube.com" and bool(_YOUTUBE_LIST.match(parts.path))


def place_of(source: str) -> str | None:
    """A link of the site that a list or search is asked from, as far as that can be told from its name."""
    link = source.removeprefix(LIST).removeprefix(PREFIX)
    if SEARCH.fullmatch(link):
        return next((site for name, site in SEARCHED.items() if link.startswith(name)), None)
    return link


def read_list(source: str, fetch: FetchSettings, *, most: int, governor: Governor | None = None) -> Read:
    """A row for each entry of a playlist, channel or search; its title is the caption."""
    link = source.removeprefix(LIST)
    try:
        for number, entry in enumerate(entries(link, fetch, most=most, governor=governor), start=1):
            yield _row(entry.link, entry.title, source, number, fetch)
    except FetchFailure as failure:
        yield RowFault(source, 0, failure.outcome, failure.detail, failure.retry_at)


def read_prefix(source: str, fetch: FetchSettings, *, most: int, governor: Governor | None = None) -> Read:
    """A row for each media file that a web server lists below a folder; its own folder is its label."""
    base = source.removeprefix(PREFIX)
    try:
        found = files_at(base, fetch, most=most, governor=governor)
    except FetchFailure as failure:
        yield RowFault(source, 0, failure.outcome, failure.detail, failure.retry_at)
        return
    links = [one for one in found if PurePosixPath(urlsplit(one).path).suffix.lower() in SUFFIXES]
    for number, link in enumerate(links, start=1):
        yield _row(link, "", source, number, fetch, label=folder_of(link, base))


def folder_of(link: str, base: str) -> str:
    """The name of the folder below `base` that a file lies in; empty right below it."""
    inside = link.removeprefix(base.rstrip("/") + "/")
    return unquote(PurePosixPath(inside).parent.name)


def _row(
    link: str, caption: str, table: str, number: int, fetch: FetchSettings, *, label: str = ""
) -> SourceRow | RowFault:
    """The row of an entry: whoever made the list may have named anything, so it is looked at as a typed link is."""
    try:
        check_link(link, allow_loopback=fetch.allow_loopback)
    except FetchFailure as failure:
        return RowFault(table, number, failure.outcome, surrogates_escaped(f"{link}: {failure.detail}"))
    return SourceRow(
        link=without_fragment(link),
        path=None,
        start_us=None,
        end_us=None,
        caption=surrogates_escaped(caption),
        label=surrogates_escaped(label),
        licence="",
        table=table,
        row=number,
    )
