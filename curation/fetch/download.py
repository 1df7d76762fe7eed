"""Fetch one video: one extraction, our own file name, whole or not at all."""

import re
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from curation.fetch.classify import classify
from curation.fetch.egress import check_link, is_below
from curation.fetch.failures import HELPED_BY_WAITING, FetchFailure
from curation.fetch.gate import Gate
from curation.fetch.governor import Governor
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Fetched, fetched, site_facts
from curation.fetch.watch import Progress, Watch, check_media
from curation.fetch.ytdlp import Licensed, Words, backoff_s, downloader, failure_of
from curation.outcomes import Outcome

RESUMABLE = (".part", ".ytdl")
"""Endings of what a failed fetch leaves for the next try."""


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
    _check(link, name, settings, hosts)
    if governor:
        governor.wait(link)
    start, there = time.perf_counter(), frozenset(into.glob(f"{name}.*"))
    try:
        path, info = _download(link, into, name, settings, progress, licensed, hosts)
    except FetchFailure as failure:
        # What was whole before is not lost because the site does not answer now.
        spared = there if failure.retry else frozenset()
        _tidy(into, name, keep=RESUMABLE if failure.outcome is not Outcome.TOO_LARGE else (), spared=spared)
        if governor:
            failure.retry_at = governor.tell(link, failure.outcome, retry_after_s=failure.retry_after_s)
        raise
    except BaseException:
        if governor:
            governor.forget(link)
        raise
    if governor:
        governor.tell(link, Outcome.OK)
    return fetched(path, site_facts(info), start)


def _check(link: str, name: str, settings: FetchSettings, hosts: Sequence[str]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        raise ValueError(f"{name!r} is no name for a file")
    check_link(link, allow_loopback=settings.allow_loopback)
    if hosts and not is_below(link, hosts):
        raise FetchFailure(Outcome.HOST_NOT_ALLOWED, f"{link} is of another host")


def _download(
    link: str,
    into: Path,
    name: str,
    settings: FetchSettings,
    progress: Progress | None,
    licensed: Licensed | None,
    hosts: Sequence[str],
) -> tuple[Path, dict[str, Any]]:
    words = Words()
    gate = Gate(allow_loopback=settings.allow_loopback, deadline_s=settings.deadline_s, proxy=settings.proxy_link())
    watch = Watch(gate=gate, max_bytes=settings.max_bytes, progress=progress)
    ytdlp = downloader(into, name, settings, gate=gate, watch=watch, words=words, licensed=licensed, hosts=hosts)
    with gate, ytdlp:
        for turn in count():
            try:
                info = _first(ytdlp.extract_info(link, download=True))
                break
            except FetchFailure:
                raise
            except Exception as error:
                # yt-dlp raises what its hundreds of extractors raise; every one becomes a typed outcome.
                failure = failure_of(error, words, gate)
                # It tries bytes again by itself, pages it does not.
                if watch.begun or turn >= settings.retries or failure.outcome not in HELPED_BY_WAITING or gate.closed:
                    raise failure from error
            gate.pause(backoff_s(turn, settings))
    path = _downloaded(info, into)
    if path is None:
        outcome = Outcome.TIMED_OUT if gate.closed else classify(None, " ".join(words.said) or "no video")
        raise FetchFailure(outcome, words.last or "no file came of it")
    check_media(path)
    return path, info


def _first(info: Any) -> dict[str, Any]:
    """The video itself where a page or a list around it was the link."""
    while info and info.get("entries") is not None:
        info = next((entry for entry in info["entries"] if entry), None)
    return info or {}


def _downloaded(info: dict[str, Any], into: Path) -> Path | None:
    """The file that came of it, if one did and it lies where it should."""
    for one in info.get("requested_downloads") or []:
        path = Path(one.get("filepath") or "")
        if path.is_file() and path.resolve().parent == into.resolve():
            return path
    return None


def _tidy(into: Path, name: str, *, keep: tuple[str, ...], spared: frozenset[Path]) -> None:
    """Remove what a failed fetch left under its name."""
    for path in into.glob(f"{name}.*"):
        if path.suffix not in keep and path not in spared:
            path.unlink(missing_ok=True)
