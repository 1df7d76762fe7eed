"""What comes of a fetch: a file, and what its site says about it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.files import sha256_of

Licensed = Callable[[str | None], bool]
"""Whether a video may come in whose site states this licence, or none."""


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


LONGEST = {"title": 500, "uploader": 200, "channel": 200, "licence": 200, "extractor": 100, "webpage_url": 4096}
"""Characters that are kept of what a site says [ours]."""

LONGEST_DURATION_S = 1e9
"""More than any video lasts (31 years) [ours]."""


def site_facts(info: Mapping[str, Any]) -> dict[str, Any]:
    """What yt-dlp found out about a video, to be told by the cage."""
    from yt_dlp.version import __version__

    told = {
        "title": info.get("title"),
        "uploader": info.get("uploader") or info.get("channel"),
        "channel": info.get("channel"),
        "licence": info.get("license"),
        "extractor": info.get("extractor"),
        "webpage_url": info.get("webpage_url"),
    }
    texts = {name: None if text is None else str(text)[: LONGEST[name]] for name, text in told.items()}
    duration = info.get("duration")
    return texts | {"duration_s": duration if isinstance(duration, int | float) else None, "version": __version__}


def believed(told: Any) -> SiteFacts:
    """What a cage tells, as far as it can be such: texts of one line and bounded length, a number that is one."""
    facts = told if isinstance(told, dict) else {}
    texts: dict[str, Any] = {name: _line(facts.get(name), most) for name, most in LONGEST.items()}
    duration, version = facts.get("duration_s"), _line(facts.get("version"), 40)
    is_number = isinstance(duration, int | float) and 0 <= duration <= LONGEST_DURATION_S
    duration_s = float(duration) if is_number and duration is not None else None
    return SiteFacts(**texts, duration_s=duration_s, downloader=f"yt-dlp {version}" if version else None)


def _line(told: Any, most: int) -> str | None:
    """A text as one line that can be stored and shown: no control characters, which a terminal would obey."""
    if not isinstance(told, str):
        return None
    return "".join(one if one.isprintable() else " " for one in told[:most])


def fetched(path: Path, metadata: SiteFacts, start: float, *, between: Callable[[], None] | None = None) -> Fetched:
    """A file that is there, whose fetch began at `start` of the performance counter; `between` as of `sha256_of`."""
    digest = sha256_of(path, between=between)
    return Fetched(path, path.stat().st_size, digest, time.perf_counter() - start, metadata)
