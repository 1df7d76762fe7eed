"""Fetch one video: one extraction in a cage, our own file name, whole or not at all."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.fetch.cage import CAGES, Errand, Head
from curation.fetch.cookies import read_cookies
from curation.fetch.egress import check_link, is_below
from curation.fetch.failures import FetchFailure
from curation.fetch.governor import Governor
from curation.fetch.merge import join_tracks
from curation.fetch.resume import NOTE, PART, noted
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Fetched, Licensed, SiteFacts, believed, fetched
from curation.fetch.watch import Progress, check_media
from curation.media.wire import WireError
from curation.outcomes import Outcome


def fetch(
    link: str,
    *,
    into: Path,
    name: str,
    settings: FetchSettings,
    governor: Governor | None = None,
    progress: Progress | None = None,
    licensed: Licensed | None = None,
    hosts: Sequence[str] = (),
) -> Fetched:
    """Fetch the video at `link` as `into/name.EXT`; a part that an earlier try left is gone on with.

    The file bears that name only once it is whole. After a failure nothing is left but parts that can be gone on
    with. `governor`, shared between all fetches, makes a host wait for its turn. `licensed` is asked about the licence
    that the site states, before anything is downloaded. Link and page must be of one of `hosts` or below it.

    Raises:
        FetchFailure: with its outcome and yt-dlp's own words.
        BadInput: the file of cookies cannot be read.
        ValueError: `name` is not letters, digits, `-` and `_`.
    """
    link = _checked(link, name, settings, hosts)
    cookies = read_cookies(settings.cookies)
    if governor:
        governor.wait(link)
    start, there = time.perf_counter(), _whole(into, name)
    try:
        errand = _errand(link, into, name, settings, cookies=cookies, licensed=licensed, hosts=hosts)
        join = _Join(errand, into, name)
        errand.hearing = {"progress": _progress(progress), "licensed": _licensed(licensed), "join": join}
        path, facts = _made(CAGES.run(errand), into, name, settings)
        facts = replace(facts, joined=join.notes)
    except FetchFailure as failure:
        # What was whole before is not lost because the site does not answer now.
        spared = there if failure.retry else frozenset()
        _tidy(into, name, keep_parts=failure.outcome is not Outcome.TOO_LARGE, spared=spared)
        if governor:
            failure.retry_at = governor.tell(link, failure.outcome, retry_after_s=failure.retry_after_s)
        raise
    except BaseException:
        if governor:
            governor.forget(link)
        raise
    if governor:
        governor.tell(link, Outcome.OK)
    return fetched(path, facts, start)


def _checked(link: str, name: str, settings: FetchSettings, hosts: Sequence[str]) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        raise ValueError(f"{name!r} is no name for a file")
    checked = check_link(link, allow_loopback=settings.allow_loopback)
    if hosts and not is_below(checked, hosts):
        raise FetchFailure(Outcome.HOST_NOT_ALLOWED, f"{link} is of another host")
    return checked


def _errand(
    link: str,
    into: Path,
    name: str,
    settings: FetchSettings,
    *,
    cookies: bytes,
    licensed: Licensed | None,
    hosts: Sequence[str],
) -> Errand:
    job: Head = {"job": "fetch", "link": link, "into": str(into.absolute()), "name": name}
    job |= {"settings": settings.handed(), "hosts": list(hosts), "asks_licence": licensed is not None}
    return Errand(job, settings, cookies)


def _progress(progress: Progress | None) -> Callable[[Head], None]:
    def hear(head: Head) -> None:
        there, total = head.get("there"), head.get("total")
        if progress and isinstance(there, int) and isinstance(total, int | None):
            progress(there, total)

    return hear


def _licensed(licensed: Licensed | None) -> Callable[[Head], Head]:
    def hear(head: Head) -> Head:
        licence = head.get("licence")
        return {"yes": licensed is None or licensed(licence if isinstance(licence, str) else None)}

    return hear


class _Join:
    """Joins the tracks that a cage names; `notes` says which gave way."""

    def __init__(self, errand: Errand, into: Path, name: str) -> None:
        self._errand, self._into, self._name, self.notes = errand, into, name, ""

    def __call__(self, head: Head) -> Head:
        told = (head.get(one) for one in ("picture", "sound", "whole"))
        picture, sound, whole = (_own(one, self._into, self._name) for one in told)
        if not (picture.is_file() and sound.is_file()):
            raise WireError("it names tracks that are not there")
        most, left_s = self._errand.settings.max_bytes, self._errand.left_s
        self.notes = join_tracks(picture, sound, whole, max_bytes=most, left_s=left_s)
        return {}


def _own(told: Any, into: Path, name: str) -> Path:
    """The path of a file that a cage names; it is one of this fetch, and no link to another.

    Raises:
        WireError: it is not.
    """
    if not isinstance(told, str) or not re.fullmatch(rf"{name}(\.[A-Za-z0-9_-]{{1,64}}){{1,4}}", told):
        raise WireError("it names a file that is not its own")
    path = into / told
    if path.is_symlink():
        raise WireError("it names a link for a file")
    return path


def _made(head: Head, into: Path, name: str, settings: FetchSettings) -> tuple[Path, SiteFacts]:
    """What a cage says it made, if that is there and such as it should be."""
    if "outcome" in head:
        raise failure_told(head)
    try:
        made = head["made"]
        path = _own(made["file"], into, name)
        facts = believed(made["facts"])
        size = path.stat().st_size
    except (KeyError, TypeError, WireError, OSError) as error:
        raise FetchFailure(Outcome.FETCH_FAILED, f"it answered nonsense: {error}") from error
    if size > settings.most_written():
        raise FetchFailure(Outcome.TOO_LARGE, f"more than {settings.max_bytes} bytes")
    check_media(path)
    return path, facts


def failure_told(head: Head) -> FetchFailure:
    """The failure that a cage tells of, as far as it can be one."""
    try:
        outcome = Outcome(head["outcome"])
    except ValueError:
        outcome = Outcome.FETCH_FAILED
    rest_s = head.get("retry_after_s")
    asked_for = float(rest_s) if isinstance(rest_s, int | float) and 0 <= rest_s < 1e9 else None
    return FetchFailure(outcome, str(head.get("detail", ""))[:500], retry_after_s=asked_for)


def _whole(into: Path, name: str) -> frozenset[Path]:
    """Files of this name that are no parts."""
    return frozenset(path for path in into.glob(f"{name}.*") if path.suffix != NOTE and PART not in path.name)


def _tidy(into: Path, name: str, *, keep_parts: bool, spared: frozenset[Path]) -> None:
    """Remove what a failed fetch left under its name, but for parts of which is known what they are of."""
    left = set(into.glob(f"{name}.*"))
    parts = {path for path in left if path.suffix == PART and noted(path.with_suffix(NOTE))} if keep_parts else set()
    for path in left - parts - {part.with_suffix(NOTE) for part in parts} - spared:
        path.unlink(missing_ok=True)
