"""The exact cut: a clip starts on a frame's presentation time, and its sound is trimmed at that instant to the sample.

Both tracks are decoded from a little before the start and encoded anew; copying packets would move the sound by up to
a packet and the picture by up to a group of pictures. The picture stays in YUV with its colour tags all the way. Equal
input gives equal bytes [ours].
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from curation.media.container import OpenMedia, open_media
from curation.media.decode import LEADS_US, Kind, decoded, first_frame_us, frame_time_us, seek
from curation.media.encode import Mp4Writer, encode_flac
from curation.media.failures import MediaFailure
from curation.media.settings import AnalysisSettings, CutSettings
from curation.media.waveform import Samples, Waveform, WaveformBuilder
from curation.outcomes import Outcome

SETTLED_US = 100_000
"""Sound is decoded from at least so much before the span: Opus asks for 80 ms, AAC for two packets."""

SPARE_US = 100_000
"""Decoding ends this much later: the last sound packet of the span may stand behind the next picture."""

TOLERANCE_US = 12
"""An edge so near to a frame is that frame's: trims come on a preview's clock of 90 kHz, 6 us off at most [ours]."""

AAC_RATES_HZ = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)

Opened = Callable[[], AbstractContextManager[OpenMedia]]
"""Opens the source anew, at its beginning."""


@dataclass(frozen=True, slots=True)
class CutClip:
    """A cut clip and what is in it.

    Attributes:
        mp4: H.264 + AAC, index in front.
        flac: exactly the samples of the span, 16-bit.
        frames: pictures in it.
        first_frame_us: where it begins in the source: the first frame at or after the wanted start, give or take
            `TOLERANCE_US`.
        duration_us: from there to the wanted end; the length of the sound.
        width_px, height_px: size as shown, even.
        rate_hz: sample rate of both sound tracks.
        silent_us: how much of the sound is silence because the source's own begins later or ends earlier.
    """

    mp4: bytes
    flac: bytes
    frames: int
    first_frame_us: int
    duration_us: int
    width_px: int
    height_px: int
    rate_hz: int
    silent_us: int


def cut(
    source: Path,
    *,
    start_us: int,
    end_us: int,
    sound_offset_us: int = 0,
    settings: CutSettings | None = None,
    analysis: AnalysisSettings | None = None,
) -> CutClip:
    """Cut [start_us, end_us) of a file; times count from its first frame.

    Args:
        source: the file.
        start_us, end_us: the span; the clip begins with the first frame at or after `start_us`, and holds none at or
            after `end_us`, both give or take `TOLERANCE_US`.
        sound_offset_us: how late the source's sound is; it is taken from so much later, which mends it.
        settings: of the encoders.
        analysis: what is refused, as in the analysis.

    Raises:
        MediaFailure: the file cannot be decoded there, or its picture changes its shape within the span.
    """
    opened = partial(open_media, source, analysis)
    with opened() as media:
        origin_us = first_frame_us(media)
    span = _Span(origin_us + start_us, origin_us + end_us, sound_offset_us)
    with tempfile.TemporaryDirectory(prefix="clapboard-cut-") as folder:
        path = Path(folder) / "clip.mp4"
        leads = [lead for lead in LEADS_US if lead < start_us]
        tried = (_cut_from(opened, span, path, settings or CutSettings(), lead_us=lead) for lead in [*leads, None])
        made = next(filter(None, tried), None)
        if made is None:
            raise MediaFailure(Outcome.DECODE_FAILED, f"no frame between {start_us / 1e6:.3f} and {end_us / 1e6:.3f} s")
        return _clip(path, *made, origin_us=origin_us, end_us=span.end_us)


@dataclass(frozen=True, slots=True)
class _Span:
    """On the container's own clock."""

    start_us: int
    end_us: int
    sound_offset_us: int

    @property
    def from_us(self) -> int:
        return min(self.start_us, self.sound_us)

    @property
    def sound_us(self) -> int:
        """Where the source's sound is first wanted."""
        return self.start_us + self.sound_offset_us

    def shows(self, at_us: int) -> bool:
        """Whether a picture is in it; of two spans that meet, one has it."""
        return self.start_us - TOLERANCE_US <= at_us < self.end_us - TOLERANCE_US

    @property
    def until_us(self) -> int:
        return self.end_us + max(self.sound_offset_us, 0) + SPARE_US


def _clip(path: Path, writer: Mp4Writer, sound: Samples, silent_us: int, *, origin_us: int, end_us: int) -> CutClip:
    return CutClip(
        mp4=path.read_bytes(),
        flac=encode_flac(sound, writer.rate_hz),
        frames=writer.frames,
        first_frame_us=writer.first_us - origin_us,
        duration_us=end_us - writer.first_us,
        width_px=writer.size_px[0],
        height_px=writer.size_px[1],
        rate_hz=writer.rate_hz,
        silent_us=silent_us,
    )


def _cut_from(
    opened: Opened, span: _Span, path: Path, settings: CutSettings, *, lead_us: int | None
) -> tuple[Mp4Writer, Samples, int] | None:
    """Decode the span and write its MP4, from `lead_us` before it or from the beginning of the file.

    None if no frame of it was met, or if decoding began too late for the picture or for the sound.
    """
    with opened() as media:
        if lead_us is not None and not seek(media, span.from_us - lead_us):
            return None
        frames = _frames_until(media, span.until_us)
        if lead_us is not None:
            frames = _from_early_enough(frames, span)
        builder = WaveformBuilder(rate_hz=_rate_hz(media), layout="mono" if media.audio.channels == 1 else "stereo")
        with _writer(media, path, builder.channels, settings) as writer:
            try:
                for kind, frame, at_us in frames:
                    if kind is Kind.SOUND:
                        builder.add(frame)
                    elif span.shows(at_us):
                        writer.add_frame(frame, at_us, media.sight.of(frame))
            except _TooLateError:
                return None
            if not writer.frames:
                return None
            whole, begin_us = builder.finish(), writer.first_us + span.sound_offset_us
            sound, silent_us = _heard(whole, begin_us, begin_us + span.end_us - writer.first_us, writer)
            writer.add_sound(sound)
    return writer, sound, silent_us


def _heard(whole: Waveform | None, begin_us: int, end_us: int, writer: Mp4Writer) -> tuple[Samples, int]:
    """The samples of [begin, end), and how much of it lies before or behind all sound, in microseconds."""
    whole = whole or Waveform(end_us, writer.rate_hz, np.zeros((writer.channels, 0), np.int16))
    begins_us, ends_us = max(begin_us, whole.start_us), min(end_us, whole.end_us)
    silent_us = end_us - begin_us - max(0, ends_us - begins_us)
    # Less than two samples is rounding.
    return whole.span(begin_us, end_us), silent_us if silent_us * writer.rate_hz > 2e6 else 0


def _rate_hz(media: OpenMedia) -> int:
    return next((rate for rate in AAC_RATES_HZ if rate <= media.audio.rate), AAC_RATES_HZ[-1])


def _writer(media: OpenMedia, path: Path, channels: int, settings: CutSettings) -> Mp4Writer:
    return Mp4Writer(
        path,
        rate_hz=_rate_hz(media),
        channels=channels,
        fps=media.video.average_rate or Fraction(25),
        settings=settings,
    )


class _TooLateError(Exception):
    """The file's index led to a place behind what is wanted of a track."""


def _from_early_enough(frames: Iterator[tuple[Kind, Any, int]], span: _Span) -> Iterator[tuple[Kind, Any, int]]:
    """The same frames, if each track's first comes before the span; no sound at all is too late, too."""
    wanted = {Kind.PICTURE: span.start_us, Kind.SOUND: span.sound_us - SETTLED_US}
    for kind, frame, at_us in frames:
        if at_us > wanted.pop(kind, at_us):
            raise _TooLateError
        yield kind, frame, at_us
    if wanted:
        raise _TooLateError


def _frames_until(media: OpenMedia, end_us: int) -> Iterator[tuple[Kind, Any, int]]:
    """Frames with their times until both tracks have passed `end_us`.

    A picture that is not later than the one before it is passed over, as the analysis does.
    """
    going, last_us = set(Kind), -(1 << 62)
    for kind, frame in decoded(media):
        at_us = frame_time_us(frame)
        if at_us is None:
            continue
        if at_us >= end_us:
            going.discard(kind)
        elif kind in going and (kind is Kind.SOUND or at_us > last_us):
            yield kind, frame, at_us
            last_us = at_us if kind is Kind.PICTURE else last_us
        if not going:
            return
