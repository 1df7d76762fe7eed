"""In the cage: one video by yt-dlp, under our own file name; what comes of it is told, not returned as it is."""

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from curation.fetch.classify import classify
from curation.fetch.failures import HELPED_BY_WAITING, FetchFailure
from curation.fetch.gate import Gate
from curation.fetch.line import Line
from curation.fetch.settings import FetchSettings
from curation.fetch.site import site_facts
from curation.fetch.watch import Watch, check_media
from curation.fetch.ytdlp import Words, backoff_s, downloader, failure_of
from curation.outcomes import Outcome

TOLD_EVERY_S = 0.1
"""Progress is told no more often [ours]."""


def download(
    link: str,
    into: Path,
    name: str,
    settings: FetchSettings,
    *,
    line: Line,
    cookies: str = "",
    hosts: Sequence[str] = (),
    asks_licence: bool = False,
) -> dict[str, Any]:
    """Fetch the video at `link` as `into/name.EXT`; returns the file's name, and what its site says.

    Raises:
        FetchFailure: with its outcome and yt-dlp's own words.
    """
    words = Words()
    gate = Gate(line, allow_loopback=settings.allow_loopback, deadline_s=settings.deadline_s)
    watch = Watch(gate=gate, max_bytes=settings.max_bytes, progress=_Told(line))
    made = downloader(
        into,
        name,
        settings,
        gate=gate,
        line=line,
        watch=watch,
        words=words,
        cookies=cookies,
        licensed=(lambda licence: _is_licensed(line, licence)) if asks_licence else None,
        hosts=hosts,
    )
    with gate, made as ytdlp:
        info = _extracted(ytdlp, link, settings, gate=gate, watch=watch, words=words)
    path = _downloaded(info, into)
    if path is None:
        outcome = Outcome.TIMED_OUT if gate.late else classify(None, " ".join(words.said) or "no video")
        raise FetchFailure(outcome, words.last or "no file came of it")
    check_media(path)
    return {"file": path.name, "facts": site_facts(info)}


class _Told:
    """Tells the bytes that are there, but not of every block."""

    def __init__(self, line: Line) -> None:
        self._line, self._next = line, 0.0

    def __call__(self, there: int, total: int | None) -> None:
        now = time.monotonic()
        if now >= self._next or there == total:
            self._next = now + TOLD_EVERY_S
            self._line.tell("progress", there=there, total=total)


def _is_licensed(line: Line, licence: str | None) -> bool:
    told = None if licence is None else str(licence)[:200]
    return bool(line.ask("licensed", licence=told)["yes"])


def _extracted(
    ytdlp: Any, link: str, settings: FetchSettings, *, gate: Gate, watch: Watch, words: Words
) -> dict[str, Any]:
    for turn in count():
        try:
            return _first(ytdlp.extract_info(link, download=True))
        except FetchFailure:
            raise
        except Exception as error:
            # yt-dlp raises what its hundreds of extractors raise; every one becomes a typed outcome.
            failure = failure_of(error, words, gate, settings)
            # It tries bytes again by itself, pages it does not.
            if watch.begun or turn >= settings.retries or failure.outcome not in HELPED_BY_WAITING or gate.closed:
                raise failure from error
        gate.pause(backoff_s(turn, settings))
    raise AssertionError("it counts without an end")


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
