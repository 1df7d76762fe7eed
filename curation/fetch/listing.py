"""What a page leads to: the entries of a playlist, channel or search, and the files in a web server's listing.

Nothing is downloaded. Pages are asked for and read in a cage, every one of them in the governor's turn, as in a fetch.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from curation.fetch.cage import CAGES, Errand, Head
from curation.fetch.cookies import read_cookies
from curation.fetch.download import failure_told
from curation.fetch.egress import check_link
from curation.fetch.failures import FetchFailure
from curation.fetch.governor import Governor, site_of
from curation.fetch.settings import FetchSettings
from curation.media.wire import WireError
from curation.outcomes import Outcome

SEARCH = re.compile(r"[a-z]+search(?:date)?(?:\d+|all)?:.+")
"""yt-dlp's searches: `ytsearch50:drum solo` is the first fifty."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One video of a list; the title is empty where the list does not give it.

    The link is as a stranger's list names it, to be checked as a typed one is.
    """

    link: str
    title: str


def entries(link: str, settings: FetchSettings, *, most: int, governor: Governor | None = None) -> list[Entry]:
    """The first `most` videos of a playlist, channel or search, in its own order; a plain video is a list of itself.

    With a `governor`, shared with the fetches, the list takes a token as a video does, and pauses between its pages.

    Raises:
        FetchFailure: with its outcome and yt-dlp's own words.
    """
    if not SEARCH.fullmatch(link):
        link = check_link(link, allow_loopback=settings.allow_loopback)
    found = [Entry(one, title) for one, title in _listed("entries", link, settings, most, governor)]
    if not found:
        raise FetchFailure(Outcome.UNSUPPORTED_SITE, "the list is empty")
    return found


def files_at(link: str, settings: FetchSettings, *, most: int, governor: Governor | None = None) -> list[str]:
    """Links of all that a web server lists below a folder, page after page; at most `most`. `governor` as above.

    Raises:
        FetchFailure: a page cannot be read.
    """
    base = check_link(link if link.endswith("/") else f"{link}/", allow_loopback=settings.allow_loopback)
    found = _listed("files", base, settings, most, governor)
    return [one for one, _ in found if one.startswith(base)]


def _listed(
    job: str, link: str, settings: FetchSettings, most: int, governor: Governor | None
) -> list[tuple[str, str]]:
    """Links and titles as a cage tells them, and no more than were asked for.

    Raises:
        FetchFailure: the list cannot be read; `retry_at` says when to try again if its site turned us away.
    """
    turns, found = _Turns(governor), list[tuple[str, str]]()

    def hear(head: Head) -> None:
        for one, title in _pairs(head.get("found")):
            if len(found) >= most:
                raise WireError("it lists more than it was asked for")
            found.append((one, title))

    def turn(head: Head) -> Head:
        turns(str(head.get("link")))
        return {}

    told: Head = {"job": job, "link": link, "most": most, "settings": settings.handed()}
    errand = Errand(told, settings, read_cookies(settings.cookies), {"entries": hear, "turn": turn})
    with turns.told():
        end = CAGES.run(errand)
        if "outcome" in end:
            raise failure_told(end)
    return found


def _pairs(told: object) -> list[tuple[str, str]]:
    """Pairs of texts.

    Raises:
        WireError: it is something else.
    """
    match told:
        case list() if all(isinstance(one, list) and [type(part) for part in one] == [str, str] for one in told):
            return [(link, title) for link, title in told]
    raise WireError("it lists what are no links")


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
