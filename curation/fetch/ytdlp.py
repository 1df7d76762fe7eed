"""yt-dlp, tied down: our file name, our connections, no other programs, no configuration, no plug-ins.

Options are from yt-dlp's own `YoutubeDL` docstring; what is shut follows from its advisories (--exec, external
downloaders, netrc, file: links, plug-ins, remote components).
"""

import io
import re
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate, handler_class
from curation.fetch.settings import FetchSettings
from curation.fetch.watch import Watch
from curation.outcomes import Outcome
from shards.errors import BadInput
from shards.ffmpeg import ffmpeg_binary

Licensed = Callable[[str | None], bool]
"""Whether a video may come in whose site states this licence, or none."""

NATIVE = frozenset({"HttpFD", "HlsFD", "DashSegmentsFD", "IsmFD", "F4mFD"})
"""yt-dlp's downloaders that connect through the gate only; others start programs or open sockets of their own."""


class Words:
    """yt-dlp's logger: keeps what it complains about, shows nothing."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @property
    def last(self) -> str:
        """Its last complaint."""
        return self.said[-1] if self.said else ""

    def debug(self, text: str) -> None:
        """yt-dlp sends plain messages here too; one of them tells of files that are too large."""
        if "max-filesize" in text:
            self.said.append(plain(text))

    def info(self, text: str) -> None:
        """Plain messages."""
        self.debug(text)

    def warning(self, text: str) -> None:
        """Warnings explain most failures."""
        self.said.append(plain(text))

    def error(self, text: str) -> None:
        """Errors."""
        self.said.append(plain(text))


def downloader(
    into: Path,
    name: str,
    settings: FetchSettings,
    *,
    gate: Gate,
    watch: Watch,
    words: Words,
    licensed: Licensed | None = None,
    most_entries: int = 0,
) -> Any:
    """A `YoutubeDL` that writes `into/name.EXT` and can do nothing else.

    With `most_entries` it lists so many entries of a playlist, and looks at none of them.

    Raises:
        BadInput: the file of cookies cannot be read.
    """
    import yt_dlp.globals

    # Plug-ins are found when the first YoutubeDL is made; this switch is yt-dlp's only one for callers.
    yt_dlp.globals.plugin_dirs.value = []
    from yt_dlp import YoutubeDL
    from yt_dlp.downloader import get_suitable_downloader

    handler = handler_class(gate)

    class Downloader(YoutubeDL):  # type: ignore[misc]
        """yt-dlp with the gate as the only way out."""

        def build_request_director(self, *_handlers: Any) -> Any:
            return super().build_request_director([handler], None)

        def dl(self, name: str, info: Any, *args: Any, **kwargs: Any) -> Any:
            kind = getattr(get_suitable_downloader(info, self.params), "__name__", "none")
            if kind not in NATIVE:
                raise FetchFailure(Outcome.UNSUPPORTED_SITE, f"its protocol {info.get('protocol')} needs {kind}")
            return super().dl(name, info, *args, **kwargs)

    options = _options(into, name, settings, watch, words, licensed)
    if most_entries:
        options |= {"noplaylist": False, "playlist_items": f"1:{most_entries}", "extract_flat": "in_playlist"}
        del options["match_filter"]
    return Downloader(options, auto_init=True)


def plain(words: str) -> str:
    """yt-dlp's words without terminal colours, prefixes and its advice to report a bug."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", words).strip().removeprefix("ERROR: ")
    # A proxy's password must not be told to a log.
    bare = re.sub(r"://[^/\s@]+@", "://", bare)
    return re.split(r"; please report this issue|; Confirm you are on the latest", bare)[0].strip()[:500]


def _options(
    into: Path, name: str, settings: FetchSettings, watch: Watch, words: Words, licensed: Licensed | None
) -> dict[str, Any]:
    return {
        "paths": {"home": str(into)},
        "outtmpl": {"default": f"{name}.%(ext)s"},
        "format": settings.selection(),
        "merge_output_format": "mkv/mp4",
        "max_filesize": settings.max_bytes,
        "socket_timeout": settings.timeout_s,
        "retries": settings.retries,
        "fragment_retries": settings.retries,
        "extractor_retries": 1,
        # A fragment that is left out would shift sound against picture.
        "skip_unavailable_fragments": False,
        "cookiefile": _cookies(settings.cookies),
        "progress_hooks": [watch.on_progress],
        "match_filter": partial(refuse, max_duration_s=settings.max_duration_s, licensed=licensed),
        "logger": words,
        "noplaylist": True,
        "playlist_items": "1",
        "continuedl": True,
        "overwrites": False,
        "quiet": True,
        "no_warnings": False,
        "noprogress": True,
        "color": "never",
        "updatetime": False,
    } | _shut(settings.proxy_link())


def _shut(proxy: str) -> dict[str, Any]:
    """What keeps yt-dlp from other programs, files, proxies and code."""
    return {
        "proxy": proxy,
        "cachedir": False,
        "enable_file_urls": False,
        "usenetrc": False,
        "allowed_extractors": ["default"],
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "remote_components": [],
        "fixup": "never",
        "ffmpeg_location": str(ffmpeg_binary()),
        # Where yt-dlp would give a link to ffmpeg after all, ffmpeg may not open it; merging may open files only.
        "external_downloader_args": {"ffmpeg_i": ["-protocol_whitelist", "pipe"]},
        "postprocessor_args": {"merger+ffmpeg_i": ["-protocol_whitelist", "file,pipe"]},
    }


def refuse(info: Any, *, max_duration_s: float, licensed: Licensed | None = None, **_: object) -> None:
    """Look at what a site says about a video before any of it is downloaded; called by yt-dlp.

    Raises:
        FetchFailure: it has no end, or not yet a beginning, is too long, or its licence is not wanted.
    """
    status = info.get("live_status")
    if status == "is_upcoming":
        raise FetchFailure(Outcome.UPCOMING, "it has not begun yet")
    if info.get("is_live") or status in ("is_live", "post_live"):
        raise FetchFailure(Outcome.LIVE, f"it is a live stream ({status or 'is_live'})")
    if (duration := info.get("duration") or 0) > max_duration_s:
        raise FetchFailure(Outcome.TOO_LONG, f"it lasts {duration:.0f} s")
    if licensed and not licensed(info.get("license")):
        raise FetchFailure(Outcome.LICENCE_NOT_ALLOWED, f"its licence is {info.get('license') or 'not stated'}")


def _cookies(file: Path | None) -> io.StringIO | None:
    """The cookies in memory: yt-dlp would write the file anew after every video."""
    if file is None:
        return None
    try:
        if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            raise BadInput(f"others on this machine can read the cookies {file}", remedy=f"chmod 600 {file}")
        return io.StringIO(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the cookies {file} cannot be read: {error}", remedy="check `fetch.cookies`") from error
