"""The exact cut: a clip starts on a frame's presentation time, and its sound is trimmed at that instant to the sample.

Both tracks are decoded from a little before the start and encoded anew; copying packets would move the sound by up to
a packet and the picture by up to a group of pictures. The picture stays in YUV with its colour tags all the way. Equal
input gives equal bytes [ours].
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from curation.media.clock import Clock
from curation.media.container import OpenMedia, open_media
from curation.media.decode import LEADS_US, Kind, frame_rate, seek
from curation.media.encode import Mp4Writer, encode_flac
from curation.media.failures import MediaFailure
from curation.media.missing import Missing
from curation.media.settings import AnalysisSettings, CutSettings
from curation.media.survey import first_picture_us, survey
from curation.media.timed import Timed, timed
from curation.media.waveform import Samples, Waveform, WaveformBuilder
from curation.outcomes import Outcome

SETTLED_US = 100_000
"""Sound is decoded from at least so much before the span: Opus asks for 80 ms, AAC for two packets."""

SPARE_US = 100_000
"""Decoding ends this much later: the last sound packet of the span may stand behind the next picture."""

TOLERANCE_US = 12
"""An edge so near to a frame is that frame's: trims come on a preview's clock of 90 kHz, 6 us off at most [ours]."""

TOLD_WOBBLE_US = 1_000
"""Where stamps lie off by more, the place of the sound is an estimate, which is told [ours]; rounding is half of it."""

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
        silent_us: how much of the sound is silence because the source's own begins later, ends earlier, or has holes.
        frozen_us: how long pictures stand still because the next ones are not there.
        smeared_us: how long pictures are shown that lean on others which are lost or damaged.
        wobble_us: how far the stamps of the sound lie off from where it was put, if that is more than a millisecond.
        jitter_us: how far the stamps of pictures lie off even ones, by which they are shown, if that is more.
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
    frozen_us: int = 0
    smeared_us: int = 0
    wobble_us: int = 0
    jitter_us: int = 0


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
    opened, clock = partial(open_media, source, analysis), survey(source, analysis)
    origin_us = first_picture_us(source, clock, analysis)
    span = _Span(origin_us + start_us, origin_us + end_us, sound_offset_us)
    with tempfile.TemporaryDirectory(prefix="clapboard-cut-") as folder:
        path = Path(folder) / "clip.mp4"
        leads = [lead for lead in LEADS_US if lead < start_us] if clock.seekable else []
        chosen = settings or CutSettings()
        tried = (_cut_from(opened, clock, span, path, chosen, lead_us=lead) for lead in [*leads, None])
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


def _clip(path: Path, writer: Mp4Writer, made: "_Sound", seen: Missing, *, origin_us: int, end_us: int) -> CutClip:
    return CutClip(
        mp4=path.read_bytes(),
        flac=encode_flac(made.samples, writer.rate_hz),
        frames=writer.frames,
        first_frame_us=writer.first_us - origin_us,
        duration_us=end_us - writer.first_us,
        width_px=writer.size_px[0],
        height_px=writer.size_px[1],
        rate_hz=writer.rate_hz,
        silent_us=made.silent_us,
        frozen_us=seen.frozen_us(end_us),
        smeared_us=seen.smeared_us(end_us),
        wobble_us=made.wobble_us if made.wobble_us > TOLD_WOBBLE_US else 0,
        jitter_us=seen.jitter_us(),
    )


def _cut_from(
    opened: Opened, clock: Clock, span: _Span, path: Path, settings: CutSettings, *, lead_us: int | None
) -> tuple[Mp4Writer, "_Sound", Missing] | None:
    """Decode the span and write its MP4, from `lead_us` before it or from the beginning of the file.

    None if no frame of it was met, or if decoding began too late for the picture or for the sound.
    """
    with opened() as media:
        if lead_us is not None and not seek(media, span.from_us - lead_us):
            return None
        frames = _frames_until(timed(media, clock, from_start=lead_us is None), span.until_us)
        if lead_us is not None:
            frames = _from_early_enough(frames, span)
        builder = WaveformBuilder(rate_hz=_rate_hz(media), layout="mono" if media.audio.channels == 1 else "stereo")
        seen = Missing(clock.step_us)
        with _writer(media, clock, path, builder.channels, settings) as writer:
            try:
                for one in frames:
                    if one.kind is Kind.SOUND:
                        builder.add(one.frame, within_us=one.within_us)
                    elif one.at_us is not None and span.shows(one.at_us):
                        writer.add_frame(one.frame, one.at_us, media.sight.of(one.frame))
                        seen.add(one.at_us, smeared=one.smeared)
            except _TooLateError:
                return None
            if not writer.frames:
                return None
            whole, begin_us = builder.finish(), writer.first_us + span.sound_offset_us
            sound = _heard(whole, begin_us, begin_us + span.end_us - writer.first_us, writer)
            writer.add_sound(sound.samples)
    return writer, sound, seen


@dataclass(frozen=True, slots=True)
class _Sound:
    """The sound of a clip, how much of it the source does not have, and how far its stamps lie off."""

    samples: Samples
    silent_us: int
    wobble_us: int


def _heard(whole: Waveform | None, begin_us: int, end_us: int, writer: Mp4Writer) -> _Sound:
    """The samples of [begin, end)."""
    nothing = np.zeros((writer.channels, 0), np.int16), np.zeros((0, 2), np.int64)
    whole = whole or Waveform(end_us, writer.rate_hz, *nothing)
    return _Sound(whole.span(begin_us, end_us), whole.silent_us(begin_us, end_us), whole.wobble_us)


def _rate_hz(media: OpenMedia) -> int:
    return next((rate for rate in AAC_RATES_HZ if rate <= media.audio.rate), AAC_RATES_HZ[-1])


def _writer(media: OpenMedia, clock: Clock, path: Path, channels: int, settings: CutSettings) -> Mp4Writer:
    return Mp4Writer(
        path,
        rate_hz=_rate_hz(media),
        channels=channels,
        fps=frame_rate(media, clock),
        settings=settings,
    )


class _TooLateError(Exception):
    """The file's index led to a place behind what is wanted of a track."""


def _from_early_enough(frames: Iterator[Timed], span: _Span) -> Iterator[Timed]:
    """The same frames, if each track's first comes before the span; no sound at all is too late, too."""
    wanted = {Kind.PICTURE: span.start_us, Kind.SOUND: span.sound_us - SETTLED_US}
    for one in frames:
        if one.at_us is not None and one.at_us > wanted.pop(one.kind, one.at_us):
            raise _TooLateError
        yield one
    if wanted:
        raise _TooLateError


def _frames_until(frames: Iterator[Timed], end_us: int) -> Iterator[Timed]:
    """Frames until both tracks have passed `end_us`."""
    going = set(Kind)
    for one in frames:
        if one.at_us is not None and one.at_us >= end_us:
            going.discard(one.kind)
        elif one.kind in going:
            yield one
        if not going:
            return
