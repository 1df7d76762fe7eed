"""yt-dlp, tied down: our file name, our connections, no other programs, no configuration, no plug-ins.

Options are from yt-dlp's own `YoutubeDL` docstring; what is shut follows from its advisories (--exec, external
downloaders, netrc, file: links, plug-ins, remote components).
"""

import io
import re
from pathlib import Path
from typing import Any

from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate, handler_class
from curation.fetch.settings import FetchSettings
from curation.fetch.watch import Watch
from curation.outcomes import Outcome
from shards.errors import BadInput
from shards.ffmpeg import ffmpeg_binary

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


def downloader(into: Path, name: str, settings: FetchSettings, *, gate: Gate, watch: Watch, words: Words) -> Any:
    """A `YoutubeDL` that writes `into/name.EXT` and can do nothing else.

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

    return Downloader(_options(into, name, settings, watch, words), auto_init=True)


def plain(words: str) -> str:
    """yt-dlp's words without terminal colours, prefixes and its advice to report a bug."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", words).strip().removeprefix("ERROR: ")
    return re.split(r"; please report this issue|; Confirm you are on the latest", bare)[0].strip()[:500]


def _options(into: Path, name: str, settings: FetchSettings, watch: Watch, words: Words) -> dict[str, Any]:
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
        "match_filter": refuse_live,
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
    } | _shut()


def _shut() -> dict[str, Any]:
    """What keeps yt-dlp from other programs, files and code."""
    return {
        "proxy": "",
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


def refuse_live(info: Any, **_: object) -> None:
    """Streams without an end are no videos; called by yt-dlp before it downloads.

    Raises:
        FetchFailure: `LIVE`.
    """
    status = info.get("live_status")
    if info.get("is_live") or status in ("is_live", "is_upcoming", "post_live"):
        raise FetchFailure(Outcome.LIVE, f"it is a live stream ({status or 'is_live'})")


def _cookies(file: Path | None) -> io.StringIO | None:
    """The cookies in memory: yt-dlp would write the file anew after every video."""
    if file is None:
        return None
    try:
        return io.StringIO(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the cookies {file} cannot be read: {error}", remedy="check `fetch.cookies`") from error
