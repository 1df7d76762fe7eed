"""What comes of a fetch: a file, and what its site says about it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.files import sha256_of

NOTES = "joined_notes"
"""Our own entry in yt-dlp's record of a video: which tracks gave way where picture and sound were joined."""


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What the site says about a video; None where it says nothing."""

    title: str | None = None
    uploader: str | None = None
    channel: str | None = None
    licence: str | None = None
    duration_s: float | None = None
    extractor: str | None = None
    webpage_url: str | None = None
    downloader: str | None = None
    """The program that found this out, with its version; None for files that no site told about."""
    joined: str = ""
    """Which tracks gave way where picture and sound were offered apart."""

    @property
    def by(self) -> str | None:
        """Who says all this: the downloader's module for the site, and the downloader's version."""
        return f"{self.extractor}, {self.downloader}" if self.downloader else self.extractor


@dataclass(frozen=True, slots=True)
class Fetched:
    """A video on the disk; `seconds` is what fetching took."""

    path: Path
    bytes: int
    sha256: str
    seconds: float
    metadata: SiteFacts


def site_facts(info: Mapping[str, Any]) -> SiteFacts:
    """What yt-dlp found out about a video."""
    from yt_dlp.version import __version__

    duration = info.get("duration")
    return SiteFacts(
        title=info.get("title"),
        uploader=info.get("uploader") or info.get("channel"),
        channel=info.get("channel"),
        licence=info.get("license"),
        duration_s=float(duration) if duration is not None else None,
        extractor=info.get("extractor"),
        webpage_url=info.get("webpage_url"),
        downloader=f"yt-dlp {__version__}",
        joined="; ".join(filter(None, (one.get(NOTES) for one in info.get("requested_downloads") or []))),
    )


def fetched(path: Path, metadata: SiteFacts, start: float, *, between: Callable[[], None] | None = None) -> Fetched:
    """A file that is there, whose fetch began at `start` of the performance counter; `between` as of `sha256_of`."""
    digest = sha256_of(path, between=between)
    return Fetched(path, path.stat().st_size, digest, time.perf_counter() - start, metadata)
