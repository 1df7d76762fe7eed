"""Clip cards with their pictures: what the page needs to show a clip, all of it inside the page.

Small clips are embedded whole, so that a reader hears what a strip cannot show, until a budget is spent; a clip whose
media cannot be read still gets its card, with the reason in place of the picture [ours].
"""

import os
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from curation.decide.policy import Band
from curation.review.where import Where
from flows.report.data import ClipCard
from flows.report.plots import wave
from flows.report.strips import contact_strip, sound_peaks, tiles_for
from shards.errors import ClapboardError

STRIP_HEIGHT_PX = 96
CLIPS_BUDGET_BYTES = 6_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A clip's strip as a data URI with its frames counted, and its sound as SVG; `problem` says why they lack."""

    strip: str = ""
    tiles: int = 0
    sound: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A clip with its picture; `film` is the clip itself as a data URI, empty where it is not embedded."""

    clip: ClipCard
    picture: Picture
    film: str


def sheets(clips: Sequence[ClipCard]) -> dict[Band, list[Card]]:
    """The cards by band, in the order given; every band has its list.

    Raises:
        Unavailable: there is no ffmpeg.
    """
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 4)) as pool:
        pictures = list(pool.map(picture_of, clips))
    films = _films(clips, pictures)
    cards = [Card(*three) for three in zip(clips, pictures, films, strict=True)]
    return {band: [card for card in cards if card.clip.band is band] for band in Band}


def picture_of(clip: ClipCard) -> Picture:
    """Draw a clip; see `drawn_file`."""
    if clip.media is None:
        return Picture(problem="nothing of it could be decoded")
    return drawn_file(clip.media, span_us=clip.media_span_us, where=clip.where)


def drawn_file(
    mp4: Path, *, tiles: int | None = None, span_us: tuple[int, int] | None = None, where: Where | None = None
) -> Picture:
    """Draw a file; what fails becomes the picture's `problem`, for one bad file must not cost the report."""
    try:
        tiles = tiles or tiles_for(mp4)
        jpeg = contact_strip(mp4, tiles=tiles, height_px=STRIP_HEIGHT_PX, span_us=span_us, where=where)
        sound = wave(sound_peaks(mp4, span_us=span_us))
    except ClapboardError as error:
        return Picture(problem=error.message)
    return Picture(strip=_encoded(jpeg, "image/jpeg"), tiles=tiles, sound=sound)


def data_uri(path: Path, mime: str) -> str:
    """A file's bytes as a data URI."""
    return _encoded(path.read_bytes(), mime)


def _films(clips: Sequence[ClipCard], pictures: Sequence[Picture]) -> list[str]:
    """Data URIs of the clips that are files of their own and can be played, the first ones up to the budget."""
    films, spent = [], 0
    for clip, picture in zip(clips, pictures, strict=True):
        playable = clip.media is not None and clip.media_span_us is None and not picture.problem
        spent += clip.media.stat().st_size if clip.media and playable else 0
        fits = playable and spent <= CLIPS_BUDGET_BYTES
        films.append(data_uri(clip.media, "video/mp4") if clip.media and fits else "")
    return films


def _encoded(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{b64encode(data).decode()}"
