"""Open an untrusted file: look at its magic first, name its demuxer, refuse what is too large before decoding.

libav guesses formats from content, and some formats are lists of other files or addresses. So the container is
recognised by our own look at its first bytes, and libav is told which one demuxer to use, with files as the only
protocol, and which decoders it may open: those that web video needs, and none of the hundreds that only attackers do.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from curation.media.boxes import boxes
from curation.media.failures import MediaFailure
from curation.media.geometry import Sight
from curation.media.settings import AnalysisSettings
from curation.media.streams import MAX_BROKEN_PACKETS, PICTURE_CODECS, SOUND_CODECS, choose, limit
from curation.outcomes import Outcome

OPTIONS = {
    "protocol_whitelist": "file",
    "codec_whitelist": ",".join(sorted(PICTURE_CODECS | SOUND_CODECS)),
    # A file with more tracks is refused by ourselves, with a better word.
    "max_streams": "1000",
    "probesize": "10000000",
    "analyzeduration": "10000000",
}

HEAD_BYTES = 2_048
"""So much of a file is looked at: ten transport packets of the longest kind."""

_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot")
_TRANSPORT_BYTES = (188, 192, 204)
"""A transport packet alone (ISO 13818-1), behind a time code (Blu-ray, AVCHD), before a checksum (DVB)."""


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """An open file with its picture and sound streams; `container` and streams are PyAV's.

    `sight` knows how each picture that was decoded is to be shown; `notes` says which tracks gave way, and why.
    """

    container: Any
    video: Any
    audio: Any
    sight: Sight
    notes: tuple[str, ...]


def sniff(head: bytes) -> str | None:
    """The libav demuxer for a file that begins with `head` (`HEAD_BYTES` if it has them); None if unknown."""
    if head[4:8] in _MP4_BOXES:
        return "mov"
    for magic, demuxer in (
        (b"\x1aE\xdf\xa3", "matroska"),
        (b"OggS", "ogg"),
        (b"FLV\x01", "flv"),
        (b"\x00\x00\x01\xba", "mpeg"),
        (b"0&\xb2u\x8ef\xcf\x11", "asf"),
    ):
        if head.startswith(magic):
            return demuxer
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    return "mpegts" if _is_transport(head) else None


def _is_transport(head: bytes) -> bool:
    """Whether transport packets follow each other: three plain ones, or eight of any kind, from within one on."""
    if head[:377:188] == b"\x47" * 3:
        return True
    begins = ((first, length) for length in _TRANSPORT_BYTES for first in range(length))
    return any(head[first::length][:8] == b"\x47" * 8 for first, length in begins)


def sniff_sound(head: bytes) -> str | None:
    """The libav demuxer for bare sound that begins with `head`, as some sites offer it; None if it is none."""
    if head.startswith(b"fLaC"):
        return "flac"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:1] == b"\xff" and head[1:2] >= b"\xe0":
        # The two bits of MPEG's layer are zero in AAC's own frames (ISO 13818-7, "adts_fixed_header").
        return "mp3" if head[1] & 0b110 else "aac"
    return None


@contextmanager
def open_media(path: Path, settings: AnalysisSettings | None = None) -> Iterator[OpenMedia]:
    """Open a file that has both a picture and a sound track.

    Raises:
        MediaFailure: the file is missing, empty, no video container, cut short, lacks a track, or is too large.
    """
    settings, demuxer = settings or AnalysisSettings(), _demuxer(path)
    with _opened(path, demuxer) as container:
        (video, audio), notes = _chosen(container, ("video", "audio"), path, demuxer, settings)
        said = video.codec_context.width, video.codec_context.height
        if limit(video.codec_context, settings.max_pixels) and not _has_picture(path, demuxer, video.index, settings):
            raise too_large(said[0] * said[1], "max_pixels", "pixels a frame", settings)
        _check_size(video, audio, settings)
        _check_whole(container, (video, audio))
        yield OpenMedia(container, video, audio, Sight(video), notes)


@contextmanager
def open_track(path: Path, kind: str) -> Iterator[tuple[Any, str, tuple[str, ...]]]:
    """The track of a kind ("video", "audio") of a file that need not have the other.

    PyAV's stream, the demuxer, and a sentence on each track that gave way to it.

    Raises:
        MediaFailure: the file is missing, empty, no media, cut short, or lacks the track.
    """
    demuxer = _demuxer(path, bare_sound=kind == "audio")
    with _opened(path, demuxer) as container:
        (stream,), notes = _chosen(container, (kind,), path, demuxer, AnalysisSettings())
        _check_whole(container, (stream,))
        yield stream, demuxer, notes


@contextmanager
def _opened(path: Path, demuxer: str) -> Iterator[Any]:
    import av

    try:
        container = av.open(str(path), format=demuxer, options=OPTIONS)
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError) as error:
        broken = demuxer == "mov" and not _has_index(path)
        outcome = Outcome.TRUNCATED if broken else Outcome.NOT_A_VIDEO
        raise MediaFailure(outcome, f"libav cannot open it: {error}") from error
    with container:
        yield container


def _demuxer(path: Path, *, bare_sound: bool = False) -> str:
    try:
        # A pipe or a device would be waited for, or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaFailure(Outcome.NOT_A_VIDEO, "it is no regular file")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if bare_sound and head.startswith(b"ID3"):
                file.seek(_id3_bytes(head))
                head = file.read(HEAD_BYTES) or head
    except (OSError, ValueError) as error:
        raise MediaFailure(Outcome.FILE_MISSING, getattr(error, "strerror", None) or str(error)) from error
    if not head:
        raise MediaFailure(Outcome.EMPTY_FILE)
    demuxer = sniff(head) or (sniff_sound(head) if bare_sound else None)
    if demuxer is None:
        raise MediaFailure(Outcome.NOT_A_VIDEO, "its first bytes are those of no media container that is known")
    return demuxer


def _id3_bytes(head: bytes) -> int:
    """How long a tag at the beginning of a file is (ID3v2.4, 3.1: four times seven bits, its header not counted)."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return size + 10


def _has_index(path: Path) -> bool:
    """Whether an MP4 file has a whole `moov` box at its top level."""
    index = next((box for box in boxes(path) if box.kind == b"moov"), None)
    return index is not None and index.is_whole


def _chosen(
    container: Any, kinds: tuple[str, ...], path: Path, demuxer: str, settings: AnalysisSettings
) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The tracks that are taken, and a sentence on each that gave way."""
    if len(container.streams) > settings.max_tracks:
        raise MediaFailure(
            Outcome.TOO_LARGE, f"{len(container.streams)} tracks, where `analysis.max_tracks` is {settings.max_tracks}"
        )
    reopened = partial(_opened, path, demuxer)
    choice = choose(container, kinds, max_pixels=settings.max_pixels, reopened=reopened)
    return choice.streams, choice.notes


def _check_size(video: Any, audio: Any, settings: AnalysisSettings) -> None:
    """How long and how fast it is stamps say; see `curation.media.survey`."""
    for found, setting, words in (
        (video.codec_context.width * video.codec_context.height, "max_pixels", "pixels a frame"),
        (audio.codec_context.channels, "max_channels", "channels"),
        (audio.codec_context.sample_rate, "max_sound_hz", "samples a second"),
    ):
        if found > getattr(settings, setting):
            raise too_large(found, setting, words, settings)


def too_large(found: float, setting: str, words: str, settings: AnalysisSettings) -> MediaFailure:
    """What is refused because it is more than a setting allows."""
    most = getattr(settings, setting)
    return MediaFailure(Outcome.TOO_LARGE, f"{found:.0f} {words}, where `analysis.{setting}` is {most:.0f}")


def _has_picture(path: Path, demuxer: str, index: int, settings: AnalysisSettings) -> bool:
    """Whether one of a track's first packets holds a picture that is not too large, whatever the header says."""
    import av

    with _opened(path, demuxer) as container:
        stream = container.streams[index]
        limit(stream.codec_context, settings.max_pixels)
        with suppress(av.error.EOFError):
            for packet in islice(container.demux(stream), MAX_BROKEN_PACKETS):
                with suppress(av.error.InvalidDataError, av.error.ArgumentError):
                    if packet.decode():
                        return True
    return False


def _check_whole(container: Any, streams: tuple[Any, ...]) -> None:
    """An index that stands in front names the place of the last packet: the file must reach that far."""
    for stream in streams:
        last = stream.index_entries[-1] if len(stream.index_entries) else None
        if last and last.pos + last.size > container.size:
            raise MediaFailure(
                Outcome.TRUNCATED, f"its index reaches to byte {last.pos + last.size}, the file to {container.size}"
            )
