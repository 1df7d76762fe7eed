"""One decode pass over picture and sound: everything that scores and shot detection look at, and nothing twice."""

import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.clock import Clock
from curation.media.container import OpenMedia, open_media
from curation.media.declared import declared_us
from curation.media.decode import Kind, check_reached, frame_rate, time_us
from curation.media.failures import MediaFailure
from curation.media.geometry import Geometry, Sight
from curation.media.pixels import CELLS, Lens, cell_sums, cells_of, colour_histogram, fitted
from curation.media.settings import AnalysisSettings
from curation.media.survey import survey
from curation.media.timed import Timed, timed
from curation.media.timeline import Timeline
from curation.media.waveform import Waveform, WaveformBuilder
from curation.outcomes import Outcome
from shards.downmix import has_places

STILL_HZ = 4
"""Stills a second, for fingerprints."""

STILL_MOTION = 0.02
"""Below this mean luma difference no two frames can lie on two sides of a cut [ours]."""

MAX_THUMBNAILS = 8_000
"""About half a GiB at the usual size."""

ODD_MATRIX = "its display matrix asks for more than right angles and mirrors: shown the nearest way up"


def analyse(
    path: Path, *, settings: AnalysisSettings | None = None, thumbnails: bool = True, pictures: bool = True
) -> Timeline:
    """Decode a file once and measure its curves.

    Without `thumbnails`, which few scores need, that is a good part faster; without `pictures` many times, but then
    the curves hold the first frame alone, by which the sound is placed, and whether the picture is whole is not known.

    Raises:
        MediaFailure: the file cannot be used; its outcome says why.
    """
    settings = settings or AnalysisSettings()
    clock = survey(path, settings)
    with open_media(path, settings) as media:
        frame_us = round(1e6 / frame_rate(media, clock))
        curves = _Curves(settings, media.sight, frame_us=frame_us, thumbnails=thumbnails)
        builder = WaveformBuilder(rate_hz=settings.rate_hz)
        for one in timed(media, clock, one_picture=not pictures):
            if one.kind is Kind.PICTURE:
                curves.add(one)
            else:
                builder.add(one.frame, within_us=one.within_us)
        sound = builder.finish()
        if not curves.times_us:
            raise MediaFailure(Outcome.NO_VIDEO, "not one frame of its picture track can be decoded")
        if sound is None:
            raise MediaFailure(Outcome.NO_AUDIO, "not one sample of its sound track can be decoded")
        if pictures:
            _check_complete(media, path, curves, sound)
            if len(curves.times_us) == 1:
                raise MediaFailure(Outcome.NO_VIDEO, "its picture track holds a single picture")
        notes = [*media.notes, *([ODD_MATRIX] if curves.odd else []), *_layout_notes(media), *_unread_notes(clock)]
    return curves.timeline(sound, clock, notes="; ".join(notes))


class _Curves:
    """Gathers what the picture frames of a pass say."""

    def __init__(self, settings: AnalysisSettings, sight: Sight, *, frame_us: int, thumbnails: bool) -> None:
        self._settings = settings
        self._lens = Lens(thumb_px=settings.thumb_px)
        self._planes: tuple[Any, Any, Any] | None = None
        self._colours: Any = None
        self._sight = sight
        self._shown: Geometry | None = None
        self._size = (0, 0)
        self._resized: list[int] = []
        self._thumbs = _Thumbnails(self._lens, hz=settings.thumb_hz if thumbnails else 0.0)
        self._next_still_us = 0
        self._still_at: list[int] = []
        self._stills: list[Any] = []
        self._rows: list[tuple[float, float, float]] = []
        self._cells: list[Any] = []
        self._cell_motion: list[Any] = []
        self._smeared: list[bool] = []
        self._usual_us = frame_us
        self._duration, self._time_base = 0, Fraction(1)
        self.origin_us = 0
        self.times_us: list[int] = []
        self.odd = False

    @property
    def duration_us(self) -> int:
        """To the end of the last frame, which lasts as long as it says, if another does too, or as most do."""
        last_us = time_us(self._duration, self._time_base) if self._duration else self._usual_us
        longest_us = max((after - at for at, after in pairwise(self.times_us)), default=last_us)
        # Some containers give every frame the length that a wrong rate in the header says.
        believed = self._usual_us < 2 * last_us <= 2 * max(longest_us, self._usual_us) + self._usual_us
        return self.times_us[-1] + (last_us if believed else self._usual_us)

    def add(self, one: Timed) -> None:
        """Take one frame, in presentation order."""
        frame, at = one.frame, self._place(one)
        self._check(frame, at)
        self.times_us.append(at)
        self._smeared.append(one.smeared)
        self._duration = frame.duration
        if len(self.times_us) == 1:
            self._time_base = frame.time_base
        shown = self._noted(frame)
        planes = self._lens.look(frame)
        motion, moved, change = self._difference(planes)
        self._rows.append((_mean(planes[0]), motion, change))
        self._cells.append(shown.upright(cells_of(planes[0])))
        self._cell_motion.append(shown.upright(moved))
        self._planes = planes
        self._thumbs.add(frame, at, shown)
        if at >= self._next_still_us:
            self._next_still_us = (at * STILL_HZ // 1_000_000 + 1) * 1_000_000 // STILL_HZ
            self._still_at.append(at)
            self._stills.append(self._lens.still(frame, shown))

    def _difference(self, planes: tuple[Any, Any, Any]) -> tuple[float, Any, float]:
        """Mean luma difference to the frame before, of all and of each cell, and colour change.

        Colours are compared only where the luma moves: a cut moves it, and most frames of most videos do not.
        """
        before, known = self._planes, self._colours
        self._colours = None
        if before is None or before[0].shape != planes[0].shape:
            return 0.0, np.zeros((CELLS, CELLS), np.float16), 0.0
        luma, old = planes[0], before[0]
        sums, areas = cell_sums(np.maximum(luma, old) - np.minimum(luma, old))
        moved = (sums / (255 * areas)).astype(np.float16)
        motion = float(sums.sum(dtype=np.float64)) / (255 * float(areas.sum()))
        if motion < STILL_MOTION:
            return motion, moved, 0.0
        known = colour_histogram(*before) if known is None else known
        self._colours = colour_histogram(*planes)
        return motion, moved, float(np.abs(self._colours - known).sum()) / 4

    def timeline(self, sound: Waveform, clock: Clock, *, notes: str) -> Timeline:
        """The finished timeline."""
        heard_us = sound.heard_us() - self.origin_us
        seams_us = [part.within_us[0] - self.origin_us for part in clock.parts[1:]]
        luma, motion, change = np.array(self._rows, np.float32).T.copy()
        return Timeline(
            width_px=self._size[0],
            height_px=self._size[1],
            duration_us=self.duration_us,
            frame_us=np.array(self.times_us, np.int64),
            luma=luma,
            motion=motion,
            colour_change=change,
            cells=np.stack(self._cells),
            cell_motion=np.stack(self._cell_motion),
            thumb_us=np.array(self._thumbs.at_us, np.int64),
            thumbs=self._thumbs.stacked(),
            audio_start_us=sound.start_us - self.origin_us,
            rate_hz=sound.rate_hz,
            waveform=sound.samples[0].astype(np.float32) / 32768,
            still_us=np.array(self._still_at, np.int64),
            stills=np.stack(self._stills),
            resized=np.array(self._resized, np.int64),
            notes=notes,
            seams=np.searchsorted(self.times_us, seams_us).astype(np.int64),
            sound_holes_us=np.stack([heard_us[:-1, 1], heard_us[1:, 0]], axis=1),
            smeared=np.array(self._smeared, bool),
        )

    def _noted(self, frame: Any) -> Geometry:
        """How the frame is shown; where that is not as before, nothing is compared with what was."""
        shown = self._sight.of(frame)
        if self._shown is None:
            self._size = shown.shown_px
        elif shown is not self._shown:
            self._resized.append(len(self._rows))
            self._planes = None
        self.odd |= not shown.orientation.exact
        self._shown = shown
        return shown

    def _place(self, one: Timed) -> int:
        at = one.at_us or 0
        if not self.times_us:
            self.origin_us = at
        return at - self.origin_us

    def _check(self, frame: Any, at_us: int) -> None:
        """What the header promised is checked before decoding; a frame may still be larger, a stream longer."""
        if frame.width * frame.height > self._settings.max_pixels:
            raise MediaFailure(
                Outcome.TOO_LARGE, f"{frame.width * frame.height} pixels, more than `analysis.max_pixels`"
            )
        if at_us > self._settings.max_duration_s * 1e6:
            raise MediaFailure(
                Outcome.TOO_LARGE, f"longer than `analysis.max_duration_s`, {self._settings.max_duration_s:.0f} s"
            )


class _Thumbnails:
    """Small pictures at a steady rate; a long video gets fewer a second rather than ever more memory."""

    def __init__(self, lens: Lens, *, hz: float) -> None:
        self._lens = lens
        self._every_us = 1e6 / hz if hz else math.inf
        self._next_us = 0.0 if hz else math.inf
        self._images: list[NDArray[np.uint8]] = []
        self.at_us: list[int] = []

    def add(self, frame: Any, at_us: int, shown: Geometry) -> None:
        """Take a frame if it is time for one; one of another shape is fitted into that of the first."""
        if at_us < self._next_us:
            return
        self._next_us = (at_us // self._every_us + 1) * self._every_us
        image = self._lens.thumbnail(frame, shown)
        self.at_us.append(at_us)
        self._images.append(fitted(image, self._images[0].shape) if self._images else image)
        if len(self._images) >= MAX_THUMBNAILS:
            self._images, self.at_us, self._every_us = self._images[::2], self.at_us[::2], 2 * self._every_us

    def stacked(self) -> NDArray[np.uint8]:
        """(thumbs, height, width, 3)."""
        return np.stack(self._images) if self._images else np.zeros((0, 0, 0, 3), np.uint8)


def _mean(image: NDArray[np.uint8]) -> float:
    """Mean of 8-bit values in [0, 1]; an integer sum is several times faster than `mean()`."""
    return int(image.sum(dtype=np.int64)) / (255 * image.size)


def _layout_notes(media: OpenMedia) -> list[str]:
    layout = media.audio.layout
    if layout.nb_channels < 2 or has_places(layout.name):
        return []
    return [f"the places of its sound's channels ({layout.name}) are mixed as `shards.downmix` says"]


def _unread_notes(clock: Clock) -> list[str]:
    behind = clock.unread_bytes
    return [f"another file of {behind} bytes, joined to its end, is not read: name it by itself"] if behind else []


def _check_complete(media: OpenMedia, path: Path, curves: _Curves, sound: Waveform) -> None:
    """Compare what was decoded with what the container declares.

    Only MP4 says how long each track is; elsewhere the longer of picture and sound has to reach the declared end.
    """
    declared, own = declared_us(media.video, path)
    found = curves.duration_us
    if not own:
        found = max(found, found + curves.origin_us, sound.end_us - curves.origin_us, sound.end_us)
    check_reached(found, declared)
