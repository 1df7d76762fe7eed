"""The exact cut: a clip starts on a frame's presentation time, and its sound is trimmed at that instant to the sample.

Both tracks are decoded from a little before the start and encoded anew; copying packets would move the sound by up to
a packet and the picture by up to a group of pictures. The picture stays in YUV with its colour tags all the way. Equal
input gives equal bytes [ours].
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from curation.media.container import OpenMedia, open_media
from curation.media.decode import Kind, decoded, frame_time_us
from curation.media.encode import Mp4Writer, encode_flac
from curation.media.failures import MediaFailure
from curation.media.settings import CutSettings
from curation.media.waveform import Samples, WaveformBuilder
from curation.outcomes import Outcome

LEAD_US = 1_000_000
"""Decoding begins this much earlier, so that codecs whose packets lean on the ones before have settled."""

SPARE_US = 100_000
"""Decoding ends this much later: the last sound packet of the span may stand behind the next picture."""

AAC_RATES_HZ = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)


@dataclass(frozen=True, slots=True)
class CutClip:
    """A cut clip and what is in it.

    Attributes:
        mp4: H.264 + AAC, index in front.
        flac: exactly the samples of the span, 16-bit.
        frames: pictures in it.
        first_frame_us: where it begins in the source: the first frame at or after the wanted start.
        duration_us: from there to the wanted end; the length of the sound.
        width_px, height_px: size as shown, even.
        rate_hz: sample rate of both sound tracks.
    """

    mp4: bytes
    flac: bytes
    frames: int
    first_frame_us: int
    duration_us: int
    width_px: int
    height_px: int
    rate_hz: int


def cut(
    source: Path, *, start_us: int, end_us: int, sound_offset_us: int = 0, settings: CutSettings | None = None
) -> CutClip:
    """Cut [start_us, end_us) of a file; times count from its first frame.

    Args:
        source: the file.
        start_us, end_us: the span; the clip begins with the first frame at or after `start_us`.
        sound_offset_us: how late the source's sound is; it is taken from so much later, which mends it.
        settings: of the encoders.

    Raises:
        MediaFailure: the file cannot be decoded there.
    """
    with open_media(source) as media:
        origin_us = _first_frame_us(media)
    span = _Span(origin_us + start_us, origin_us + end_us, sound_offset_us)
    with tempfile.TemporaryDirectory(prefix="clapboard-cut-") as folder:
        path = Path(folder) / "clip.mp4"
        made = _cut_from(source, span, path, settings or CutSettings(), seek=start_us > LEAD_US)
        if made is None:
            # The file's index led to a place behind the start; the way from the beginning always works.
            made = _cut_from(source, span, path, settings or CutSettings(), seek=False)
        if made is None:
            raise MediaFailure(Outcome.DECODE_FAILED, f"no frame between {start_us / 1e6:.3f} and {end_us / 1e6:.3f} s")
        writer, sound, rate_hz = made
        return CutClip(
            mp4=path.read_bytes(),
            flac=encode_flac(sound, rate_hz),
            frames=writer.frames,
            first_frame_us=writer.first_us - origin_us,
            duration_us=span.end_us - writer.first_us,
            width_px=writer.size_px[0],
            height_px=writer.size_px[1],
            rate_hz=rate_hz,
        )


@dataclass(frozen=True, slots=True)
class _Span:
    """On the container's own clock."""

    start_us: int
    end_us: int
    sound_offset_us: int

    @property
    def from_us(self) -> int:
        return self.start_us + min(self.sound_offset_us, 0)

    @property
    def until_us(self) -> int:
        return self.end_us + max(self.sound_offset_us, 0) + SPARE_US


def _cut_from(
    source: Path, span: _Span, path: Path, settings: CutSettings, *, seek: bool
) -> tuple[Mp4Writer, Samples, int] | None:
    """Decode the span and write its MP4; None if no frame of it was met, or decoding began behind its start."""
    with open_media(source) as media:
        if seek and not _seek(media, span.from_us - LEAD_US):
            return None
        rate_hz = next((rate for rate in AAC_RATES_HZ if rate <= media.audio.rate), AAC_RATES_HZ[-1])
        builder = WaveformBuilder(rate_hz=rate_hz, layout="mono" if media.audio.channels == 1 else "stereo")
        rate = media.video.average_rate or Fraction(25)
        earliest_us: int | None = None
        with Mp4Writer(path, rate_hz=rate_hz, channels=builder.channels, fps=rate, settings=settings) as writer:
            for kind, frame, at_us in _frames_until(media, span.until_us):
                if kind is Kind.SOUND:
                    builder.add(frame)
                    continue
                earliest_us = at_us if earliest_us is None else earliest_us
                if seek and earliest_us > span.start_us:
                    return None
                if span.start_us <= at_us < span.end_us:
                    writer.add_frame(frame, at_us)
            if not writer.frames:
                return None
            sound_at_us = writer.first_us + span.sound_offset_us
            sound = builder.span(sound_at_us, sound_at_us + span.end_us - writer.first_us)
            writer.add_sound(sound)
    return writer, sound, rate_hz


def _first_frame_us(media: OpenMedia) -> int:
    """The presentation time of the first frame: zero of every span."""
    for kind, frame in decoded(media):
        if kind is Kind.PICTURE:
            return frame_time_us(frame) or 0
    raise MediaFailure(Outcome.NO_VIDEO, "not one frame of its picture track can be decoded")


def _seek(media: OpenMedia, target_us: int) -> bool:
    import av

    try:
        media.container.seek(target_us, backward=True)
    except av.FFmpegError:
        return False
    return True


def _frames_until(media: OpenMedia, end_us: int) -> Iterator[tuple[Kind, Any, int]]:
    """Frames with their times until both tracks have passed `end_us`."""
    going = set(Kind)
    for kind, frame in decoded(media):
        at_us = frame_time_us(frame)
        if at_us is None:
            continue
        if at_us >= end_us:
            going.discard(kind)
        elif kind in going:
            yield kind, frame, at_us
        if not going:
            return
