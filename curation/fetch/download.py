"""Fetch one video: one extraction, our own file name, whole or not at all."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.fetch.classify import classify
from curation.fetch.egress import check_link
from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate
from curation.fetch.governor import Governor
from curation.fetch.settings import FetchSettings
from curation.fetch.watch import Progress, Watch, check_media
from curation.fetch.ytdlp import Words, downloader, plain
from curation.outcomes import Outcome
from shards.files import sha256_of

RESUMABLE = (".part", ".ytdl")
"""Endings of what a failed fetch leaves for the next try."""


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What the site says about a video; None where it says nothing."""

    title: str | None = None
    uploader: str | None = None
    licence: str | None = None
    duration_s: float | None = None
    extractor: str | None = None
    webpage_url: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A video on the disk; `seconds` is what fetching took."""

    path: Path
    bytes: int
    sha256: str
    seconds: float
    metadata: SiteFacts


def fetch(
    link: str,
    *,
    into: Path,
    name: str,
    settings: FetchSettings,
    governor: Governor | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Fetch the video at `link` as `into/name.EXT`; a part that an earlier try left is gone on with.

    The file bears that name only once it is whole. After a failure nothing is left but parts that can be gone on
    with. `governor`, shared between all fetches, makes a host wait for its turn.

    Raises:
        FetchFailure: with its outcome and yt-dlp's own words.
        BadInput: the file of cookies cannot be read.
        ValueError: `name` is not letters, digits, `-` and `_`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        raise ValueError(f"{name!r} is no name for a file")
    check_link(link, allow_loopback=settings.allow_loopback)
    if governor:
        governor.wait(link)
    start = time.perf_counter()
    try:
        path, info = _download(link, into, name, settings, progress)
    except FetchFailure as failure:
        _tidy(into, name, keep=RESUMABLE if failure.outcome is not Outcome.TOO_LARGE else ())
        raise
    return _fetched(path, _facts(info), start)


def take_local(path: Path) -> Fetched:
    """A file that is already on this machine, used where it lies.

    Raises:
        FetchFailure: there is no such file, or it cannot be read.
    """
    start = time.perf_counter()
    if not path.is_file():
        raise FetchFailure(Outcome.FILE_MISSING, f"there is no file {path}")
    try:
        return _fetched(path, SiteFacts(), start)
    except OSError as error:
        raise FetchFailure(Outcome.FILE_MISSING, f"{path} cannot be read: {error.strerror}") from error


def _download(
    link: str, into: Path, name: str, settings: FetchSettings, progress: Progress | None
) -> tuple[Path, dict[str, Any]]:
    words = Words()
    gate = Gate(allow_loopback=settings.allow_loopback, deadline_s=settings.deadline_s)
    watch = Watch(gate=gate, max_bytes=settings.max_bytes, progress=progress)
    ytdlp = downloader(into, name, settings, gate=gate, watch=watch, words=words)
    with gate, ytdlp:
        try:
            info = _first(ytdlp.extract_info(link, download=True))
        except FetchFailure:
            raise
        except Exception as error:
            # yt-dlp raises what its hundreds of extractors raise; every one becomes a typed outcome.
            said = plain(str(error)) or words.last
            outcome = Outcome.TIMED_OUT if gate.closed else classify(error, f"{said} {words.last}")
            raise FetchFailure(outcome, said or type(error).__name__) from error
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


def _tidy(into: Path, name: str, *, keep: tuple[str, ...]) -> None:
    """Remove what a failed fetch left under its name."""
    for path in into.glob(f"{name}.*"):
        if path.suffix not in keep:
            path.unlink(missing_ok=True)


def _facts(info: dict[str, Any]) -> SiteFacts:
    duration = info.get("duration")
    return SiteFacts(
        title=info.get("title"),
        uploader=info.get("uploader"),
        licence=info.get("license"),
        duration_s=float(duration) if duration is not None else None,
        extractor=info.get("extractor"),
        webpage_url=info.get("webpage_url"),
    )


def _fetched(path: Path, metadata: SiteFacts, start: float) -> Fetched:
    digest = sha256_of(path)
    return Fetched(path, path.stat().st_size, digest, time.perf_counter() - start, metadata)
