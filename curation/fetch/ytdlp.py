"""yt-dlp, tied down: our file name, our connections, no other programs, no configuration, no plug-ins.

Options are from yt-dlp's own `YoutubeDL` docstring; what is shut follows from its advisories (--exec, external
downloaders, netrc, file: links, plug-ins, remote components).
"""

import io
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curation.fetch.classify import classify, retry_after_s
from curation.fetch.egress import is_below
from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate, handler_class
from curation.fetch.line import Line
from curation.fetch.merge import Merger
from curation.fetch.resume import NOTE, Resume, drop_pieces
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Licensed
from curation.fetch.watch import Watch
from curation.outcomes import Outcome

Asking = Callable[[str], object]
"""Called with the link of each page before it is asked for."""

NATIVE = frozenset({"HttpFD", "HlsFD", "DashSegmentsFD", "IsmFD", "F4mFD"})
"""yt-dlp's downloaders that connect through the gate only; others start programs or open sockets of their own."""


NO_PROGRAM = Path("/dev/null")
"""What yt-dlp takes for ffmpeg."""

GUESS = "Live HLS streams are not supported"
"""yt-dlp says so of each playlist whose segments are not counted from 0, whatever goes wrong with it then."""

LONGEST_BACKOFF_S = 60.0
"""Longest pause between two tries of one fetch [ours]."""


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
        """Warnings explain most failures; a guess is no explanation."""
        if not plain(text).startswith(GUESS):
            self.said.append(plain(text))

    def error(self, text: str) -> None:
        """Errors."""
        self.said.append(plain(text))


def prepare() -> None:
    """What is set once for all of yt-dlp in this process, and loaded before a first job's time runs."""
    import Cryptodome.Cipher.AES  # noqa: F401
    import yt_dlp.extractor.generic
    import yt_dlp.globals
    from yt_dlp import YoutubeDL
    from yt_dlp.downloader.http import HttpFD
    from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

    # Plug-ins are found when the first YoutubeDL is made; this switch is yt-dlp's only one for callers.
    yt_dlp.globals.plugin_dirs.value = []
    # Without a program to join tracks it would not download them apart; it never comes to start this one.
    FFmpegPostProcessor._version_cache.update(
        dict.fromkeys(map(str, (NO_PROGRAM, NO_PROGRAM.with_name("ffprobe"))), "7")
    )
    if not hasattr(HttpFD, "unwatched"):
        HttpFD.unwatched, HttpFD.real_download = HttpFD.real_download, _watched
    YoutubeDL({"quiet": True, "allowed_extractors": ["default"], "cachedir": False, "js_runtimes": {}}).close()


def _watched(self: Any, filename: str, info: dict[str, Any]) -> Any:
    """`HttpFD.real_download`, so that `urlopen` knows which file a request is for."""
    from yt_dlp.downloader.fragment import HttpQuietDownloader

    # A segment's bytes are gone on with while it is fetched, and not by a later try.
    note = None if isinstance(self, HttpQuietDownloader) else Path(f"{filename}{NOTE}")
    own_range = (info.get("http_headers") or {}).get("Range")
    before, self.ydl.resume = self.ydl.resume, (Resume(Path(self.temp_name(filename)), note), own_range)
    try:
        whole = self.unwatched(filename, info)
        if whole:
            self.ydl.resume[0].done()
        return whole
    finally:
        self.ydl.resume = before


def downloader(
    into: Path,
    name: str,
    settings: FetchSettings,
    *,
    gate: Gate,
    line: Line,
    watch: Watch,
    words: Words,
    cookies: str = "",
    licensed: Licensed | None = None,
    hosts: Sequence[str] = (),
    most_entries: int = 0,
    asking: Asking | None = None,
) -> Any:
    """A `YoutubeDL` that writes `into/name.EXT` and can do nothing else.

    `licensed` and `hosts` are for `refuse`. With `most_entries` it lists so many entries of a playlist, and looks at
    none of them. `asking` may wait before a page, or refuse it.
    """

    def look(info: Any, **_: object) -> None:
        refuse(info, max_duration_s=settings.max_duration_s, licensed=licensed, hosts=hosts)
        watch.begun = True

    def rest(n: int) -> float:
        gate.pause(backoff_s(n, settings))  # yt-dlp's own sleep would outlast the deadline
        return 0.0

    hooks = {"match_filter": look, "retry_sleep_functions": {"http": rest, "fragment": rest}}
    options = _options(into, name, settings, watch, words) | {"cookiefile": io.StringIO(cookies) if cookies else None}
    options |= hooks
    if most_entries:
        options |= {"noplaylist": False, "playlist_items": f"1:{most_entries}", "extract_flat": "in_playlist"}
        del options["match_filter"]
    return _tied_down(gate, Merger(line), asking)(options, auto_init=True)


def _tied_down(gate: Gate, merger: Merger, asking: Asking | None) -> type:
    from yt_dlp import YoutubeDL
    from yt_dlp.downloader import get_suitable_downloader
    from yt_dlp.networking import Request
    from yt_dlp.postprocessor import FFmpegMergerPP
    from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

    handler = handler_class(gate)

    class Downloader(YoutubeDL):  # type: ignore[misc]
        """yt-dlp with the gate as the only way out."""

        resume: tuple[Resume, str | None] | None = None

        def build_request_director(self, *_handlers: Any) -> Any:
            return super().build_request_director([handler], None)

        def urlopen(self, req: Any) -> Any:
            if asking:
                asking(req if isinstance(req, str) else req.url)
            if self.resume and isinstance(req, Request):
                resume, own_range = self.resume
                return resume.ask(req, own_range, super().urlopen)
            return super().urlopen(req)

        def run_pp(self, pp: Any, infodict: Any) -> Any:
            if isinstance(pp, FFmpegMergerPP):
                pp = merger
            elif isinstance(pp, FFmpegPostProcessor):
                raise FetchFailure(Outcome.UNSUPPORTED_SITE, f"it needs {type(pp).__name__}")
            return super().run_pp(pp, infodict)

        def dl(self, name: str, info: Any, *args: Any, **kwargs: Any) -> Any:
            kind = getattr(get_suitable_downloader(info, self.params), "__name__", "none")
            if kind not in NATIVE:
                raise FetchFailure(Outcome.UNSUPPORTED_SITE, f"its protocol {info.get('protocol')} needs {kind}")
            if kind != "HttpFD":
                drop_pieces(Path(name))
            return super().dl(name, info, *args, **kwargs)

    return Downloader


def failure_of(error: Exception, words: Words, gate: Gate, settings: FetchSettings) -> FetchFailure:
    """What yt-dlp raised as a failure with its outcome, and how long the server asks to be left alone."""
    said = plain(str(error)) or words.last
    outcome = Outcome.TIMED_OUT if gate.late else classify(error, f"{said} {words.last}")
    if outcome is Outcome.TOO_MUCH_MEMORY:
        said = f"what it says would take more than {settings.memory_gib:g} GiB"
    rest_s = retry_after_s(error, now_s=time.time())
    return FetchFailure(outcome, said or type(error).__name__, retry_after_s=rest_s)


def plain(words: str) -> str:
    """yt-dlp's words without terminal colours, prefixes and its advice to report a bug."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", words).strip().removeprefix("ERROR: ")
    # A proxy's password must not be told to a log.
    bare = re.sub(r"://[^/\s@]+@", "://", bare)
    return re.split(r"; please report this issue|; Confirm you are on the latest", bare)[0].strip()[:500]


def backoff_s(turn: int, settings: FetchSettings) -> float:
    """How long to wait before the try after `turn` others: doubled each time, by half more or less by chance."""
    pause_s: float = min(settings.backoff_s * 2**turn, LONGEST_BACKOFF_S)
    return pause_s * random.uniform(0.5, 1.5)


def _options(into: Path, name: str, settings: FetchSettings, watch: Watch, words: Words) -> dict[str, Any]:
    return {
        "paths": {"home": str(into)},
        "outtmpl": {"default": f"{name}.%(ext)s"},
        "format": settings.selection(),
        "merge_output_format": "mkv",
        "max_filesize": settings.max_bytes,
        "socket_timeout": settings.timeout_s,
        "retries": settings.retries,
        "fragment_retries": settings.retries,
        "extractor_retries": 1,
        # A fragment that is left out would shift sound against picture.
        "skip_unavailable_fragments": False,
        "progress_hooks": [watch.on_progress],
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
    } | _shut(settings)


def _shut(settings: FetchSettings) -> dict[str, Any]:
    """What keeps yt-dlp from other programs, files, proxies and code."""
    return {
        "proxy": settings.proxy_link(),
        "js_runtimes": {name: {} for name in settings.js_runtimes},
        "cachedir": False,
        "enable_file_urls": False,
        "usenetrc": False,
        "allowed_extractors": ["default"],
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "remote_components": [],
        "fixup": "never",
        "ffmpeg_location": str(NO_PROGRAM),
        # Where yt-dlp would give a link to ffmpeg after all, ffmpeg may not open it.
        "external_downloader_args": {"ffmpeg_i": ["-protocol_whitelist", "pipe"]},
    }


def refuse(info: Any, *, max_duration_s: float, licensed: Licensed | None = None, hosts: Sequence[str] = ()) -> None:
    """Look at what a site says about a video before any of it is downloaded; called by yt-dlp.

    `hosts` are those whose pages are wanted: a page may have led to another site's video. Where its bytes lie does
    not matter, as sites keep them on hosts of other names.

    Raises:
        FetchFailure: it has no end, or not yet a beginning, is too long, or its host or licence is not wanted.
    """
    page = info.get("webpage_url") or ""
    if hosts and not is_below(page, hosts):
        raise FetchFailure(Outcome.HOST_NOT_ALLOWED, f"it led to {page}")
    status = info.get("live_status")
    if status == "is_upcoming":
        raise FetchFailure(Outcome.UPCOMING, "it has not begun yet")
    if info.get("is_live") or status in ("is_live", "post_live"):
        raise FetchFailure(Outcome.LIVE, f"it is a live stream ({status or 'is_live'})")
    if (duration := info.get("duration") or 0) > max_duration_s:
        raise FetchFailure(Outcome.TOO_LONG, f"it lasts {duration:.0f} s")
    if licensed and not licensed(info.get("license")):
        raise FetchFailure(Outcome.LICENCE_NOT_ALLOWED, f"its licence is {info.get('license') or 'not stated'}")
