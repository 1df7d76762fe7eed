"""One decode pass over picture and sound: everything that scores and shot detection look at, and nothing twice."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.container import OpenMedia, open_media
from curation.media.decode import Kind, decoded, frame_time_us, time_us
from curation.media.failures import MediaFailure
from curation.media.pixels import Lens
from curation.media.settings import AnalysisSettings
from curation.media.timeline import Timeline
from curation.media.waveform import Waveform, WaveformBuilder
from curation.outcomes import Outcome

STILL_HZ = 4
"""Stills a second, for fingerprints."""

MISSING_SHARE = 0.05
MISSING_US = 500_000
"""A pass that ends earlier than declared by more than both of these was cut short [ours]."""


def analyse(path: Path, *, settings: AnalysisSettings | None = None) -> Timeline:
    """Decode a file once and measure its curves.

    Raises:
        MediaFailure: the file cannot be used; its outcome says why.
    """
    settings = settings or AnalysisSettings()
    with open_media(path, settings) as media:
        curves = _Curves(settings, frame_us=_usual_frame_us(media))
        builder = WaveformBuilder(rate_hz=settings.rate_hz)
        for kind, frame in decoded(media):
            if kind is Kind.PICTURE:
                curves.add(frame)
            else:
                builder.add(frame)
        sound = builder.finish()
        if not curves.times_us:
            raise MediaFailure(Outcome.NO_VIDEO, "not one frame of its picture track can be decoded")
        if sound is None:
            raise MediaFailure(Outcome.NO_AUDIO, "not one sample of its sound track can be decoded")
        _check_complete(media, curves, sound)
    return curves.timeline(sound)


class _Curves:
    """Gathers what the picture frames of a pass say."""

    def __init__(self, settings: AnalysisSettings, *, frame_us: int) -> None:
        self._settings = settings
        self._lens = Lens(thumb_px=settings.thumb_px)
        self._luma: Any = None
        self._colours: Any = None
        self._size = (0, 0)
        self._next_slot = 0
        self._thumb_at: list[int] = []
        self._thumbs: list[Any] = []
        self._next_still = 0
        self._still_at: list[int] = []
        self._stills: list[Any] = []
        self._rows: list[tuple[float, float, float]] = []
        self._usual_us = self._last_us = frame_us
        self.origin_us = 0
        self.times_us: list[int] = []

    @property
    def duration_us(self) -> int:
        """To the end of the last frame, which lasts as long as it says or as most do."""
        return self.times_us[-1] + self._last_us

    def add(self, frame: Any) -> None:
        """Take one frame, in presentation order."""
        at = self._place(frame)
        if self.times_us and at <= self.times_us[-1]:
            return
        self._check(frame, at)
        self.times_us.append(at)
        self._last_us = time_us(frame.duration, frame.time_base) if frame.duration else self._usual_us
        luma, colours = self._lens.look(frame)
        motion = change = 0.0
        if self._luma is not None and self._luma.shape == luma.shape:
            motion = _mean(np.maximum(luma, self._luma) - np.minimum(luma, self._luma))
            change = float(np.abs(colours - self._colours).sum()) / 4
        self._rows.append((_mean(luma), motion, change))
        self._luma, self._colours = luma, colours
        slot = int(at * self._settings.thumb_hz / 1e6)
        if slot >= self._next_slot:
            self._next_slot = slot + 1
            self._add_thumbnail(frame, at)
        slot = int(at * STILL_HZ / 1e6)
        if slot >= self._next_still:
            self._next_still = slot + 1
            self._still_at.append(at)
            self._stills.append(self._lens.still(frame))

    def timeline(self, sound: Waveform) -> Timeline:
        """The finished timeline."""
        luma, motion, change = np.array(self._rows, np.float32).T.copy()
        return Timeline(
            width_px=self._size[0],
            height_px=self._size[1],
            duration_us=self.duration_us,
            frame_us=np.array(self.times_us, np.int64),
            luma=luma,
            motion=motion,
            colour_change=change,
            thumb_us=np.array(self._thumb_at, np.int64),
            thumbs=np.stack(self._thumbs),
            audio_start_us=sound.start_us - self.origin_us,
            rate_hz=sound.rate_hz,
            waveform=sound.samples[0].astype(np.float32) / 32768,
            still_us=np.array(self._still_at, np.int64),
            stills=np.stack(self._stills),
        )

    def _place(self, frame: Any) -> int:
        at = frame_time_us(frame)
        if not self.times_us:
            self.origin_us = at or 0
            sideways = frame.rotation % 180 != 0
            self._size = (frame.height, frame.width) if sideways else (frame.width, frame.height)
        return self.times_us[-1] + self._last_us if at is None else at - self.origin_us

    def _check(self, frame: Any, at_us: int) -> None:
        """What the header promised is checked before decoding; a frame may still be larger, a stream longer."""
        if frame.width * frame.height > self._settings.max_pixels:
            raise MediaFailure(Outcome.TOO_LARGE, f"{frame.width * frame.height} pixels a frame")
        if at_us > self._settings.max_duration_s * 1e6:
            raise MediaFailure(Outcome.TOO_LARGE, f"longer than {self._settings.max_duration_s:.0f} s")

    def _add_thumbnail(self, frame: Any, at_us: int) -> None:
        image = self._lens.thumbnail(frame)
        if self._thumbs and image.shape != self._thumbs[0].shape:
            # The picture changed its shape midway: keep the frame before rather than a hole in time.
            image = self._thumbs[-1]
        self._thumb_at.append(at_us)
        self._thumbs.append(image)


def _mean(image: NDArray[np.uint8]) -> float:
    """Mean of 8-bit values in [0, 1]; an integer sum is several times faster than `mean()`."""
    return int(image.sum(dtype=np.int64)) / (255 * image.size)


def _usual_frame_us(media: OpenMedia) -> int:
    rate = media.video.average_rate or media.video.guessed_rate
    return round(1e6 / rate) if rate else 40_000


def _check_complete(media: OpenMedia, curves: _Curves, sound: Waveform) -> None:
    """Compare what was decoded with what the container declares.

    Only MP4 says how long each track is; elsewhere the longer of picture and sound has to reach the declared end.
    """
    found = curves.duration_us
    if "mp4" in media.container.format.name and media.video.duration:
        declared = time_us(media.video.duration, media.video.time_base)
    else:
        declared = media.container.duration or 0
        found = max(found, found + curves.origin_us, sound.end_us - curves.origin_us, sound.end_us)
    if found < declared - max(MISSING_US, MISSING_SHARE * declared):
        raise MediaFailure(Outcome.TRUNCATED, f"{found / 1e6:.2f} s of {declared / 1e6:.2f} s could be decoded")
