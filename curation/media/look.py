"""Look closely at a span of a video: its frames at a steady rate, of one size, for scores that watch how things move.

The analysis keeps small thumbnails of the whole video; 25 frames of 224 px a second are 225 MB a minute. So such
frames are decoded anew for the spans that a score asks for, in the same confined workers, and are not kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.container import open_media
from curation.media.decode import LEADS_US, Kind, seek
from curation.media.failures import MediaFailure
from curation.media.geometry import Geometry, Sight
from curation.media.settings import AnalysisSettings
from curation.media.survey import first_picture_us, survey
from curation.media.timed import Timed, timed
from curation.outcomes import Outcome

_Picture = tuple[Any, Geometry]
"""A decoded frame and how it is to be shown."""


@dataclass(frozen=True, slots=True)
class Frames:
    """images: (ticks, side, side, 3) uint8 RGB, upright; tick n lies n / hz seconds behind the start."""

    images: NDArray[np.uint8]


def look(
    path: Path,
    *,
    start_us: int,
    end_us: int,
    hz: float,
    short_px: int,
    side_px: int,
    settings: AnalysisSettings | None = None,
) -> Frames:
    """The frames of [start, end) at `hz`; times count from the file's first frame.

    A tick shows the last frame that begins before the half of it is over, as FFmpeg's `fps` filter does; before the
    first frame it shows that, behind the last one the last.

    Args:
        path: the file.
        start_us, end_us: the span.
        hz: frames a second.
        short_px: the shorter side of the picture is scaled to this (bicubic) ...
        side_px: ... and a square of this is taken from its middle.
        settings: what is refused before decoding.

    Raises:
        MediaFailure: the file cannot be decoded there.
    """
    clock = survey(path, settings)
    origin_us = first_picture_us(path, clock, settings)
    ticks_us = [origin_us + start_us + round(1e6 * tick / hz) for tick in range(round((end_us - start_us) * hz / 1e6))]
    eye = _Eye(short_px=short_px, side_px=side_px)
    leads = [lead for lead in LEADS_US if lead < start_us] if clock.seekable else []
    for lead_us in [*leads, None]:
        with open_media(path, settings) as media:
            if lead_us is not None and not seek(media, ticks_us[0] - lead_us):
                continue
            frames = _pictures(timed(media, clock, from_start=lead_us is None), media.sight)
            images = _shown(frames, ticks_us, half_us=round(5e5 / hz), eye=eye, from_start=lead_us is None)
        if images:
            return Frames(np.stack(images))
    raise MediaFailure(Outcome.DECODE_FAILED, f"no frame between {start_us / 1e6:.3f} and {end_us / 1e6:.3f} s")


def _pictures(frames: Iterator[Timed], sight: Sight) -> Iterator[tuple[_Picture, int]]:
    """Pictures with their times."""
    for one in frames:
        if one.kind is Kind.PICTURE and one.at_us is not None:
            yield (one.frame, sight.of(one.frame)), one.at_us


def _shown(
    frames: Iterator[tuple[_Picture, int]], ticks_us: list[int], *, half_us: int, eye: "_Eye", from_start: bool
) -> list[NDArray[np.uint8]]:
    """What each tick shows; nothing if decoding began behind the first tick and not at the start of the file."""
    images: list[NDArray[np.uint8]] = []
    held: _Picture | None = None
    for frame, at_us in frames:
        if held is None and at_us >= ticks_us[0] + half_us and not from_start:
            return []
        while at_us >= ticks_us[len(images)] + half_us:
            images.append(eye.see(held or frame))
            if len(images) == len(ticks_us):
                return images
        held = frame
    return images + [eye.see(held)] * (len(ticks_us) - len(images)) if held else images


class _Eye:
    """Scales, turns and crops frames; the same frame again costs nothing."""

    def __init__(self, *, short_px: int, side_px: int) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._short_px, self._side_px = short_px, side_px
        self._bicubic = Interpolation.BICUBIC
        self._shrink, self._colour = VideoReformatter(), VideoReformatter()
        self._seen: tuple[_Picture, NDArray[np.uint8]] | None = None

    def see(self, picture: _Picture) -> NDArray[np.uint8]:
        """(side, side, 3) uint8 RGB of the middle, upright."""
        if self._seen is None or self._seen[0] is not picture:
            self._seen = picture, self._looked_at(*picture)
        return self._seen[1]

    def _looked_at(self, frame: Any, geometry: Geometry) -> NDArray[np.uint8]:
        width, height = geometry.square_px
        scale = self._short_px / min(width, height)
        size = {"width": 2 * round(width * scale / 2), "height": 2 * round(height * scale / 2)}
        # In two steps, as `Lens.thumbnail` does.
        small = self._shrink.reformat(frame, format="yuv420p", interpolation=self._bicubic, threads=1, **size)
        image = np.asarray(self._colour.reformat(small, format="rgb24", threads=1).to_ndarray(), np.uint8)
        top, left = ((length - self._side_px) // 2 for length in image.shape[:2])
        middle = image[top : top + self._side_px, left : left + self._side_px]
        return geometry.upright(middle)
