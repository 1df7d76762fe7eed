"""Compare two fingerprints: are they one recording, whatever was done to it?

One likeness alone proves nothing: a fixed camera sees the same picture all day, a jingle sounds under many pictures,
and some rhythms are common. Two of the three, at one shift in time, do; where the pictures do not agree, as behind bars
or in a crop, the sounds must surely, and the motions or at least some of the pictures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from curation.dedup.bits import set_bits
from curation.dedup.fingerprint import MOTION_HZ, SOUND_HZ, Fingerprint, mirrored, transposed

PITCHES = (0, 1, -1, 2, -2)
SPEEDS = (1.0, 25 / 24, 24 / 25)
"""Film shown at television's speed, and back."""

SEARCH_S = 0.5
"""How far from where a pair was found its sounds may meet: pictures that hardly change tell the time badly [ours]."""


class DedupSettings(BaseModel):
    """When two clips are copies of each other: two of picture, motion and sound must agree."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(True, description="look for copies among accepted and flagged clips; the best one stays")
    picture_bits: float = Field(
        14.0, ge=0, le=32, description="pictures agree if so many of their 64 bits differ at most, on average"
    )
    sound_share: float = Field(
        0.3, ge=0, le=0.5, description="sounds agree if at most this share of their bits differs; 0.5 is chance"
    )
    motion_likeness: float = Field(
        0.8, ge=0, le=1, description="motions agree if their correlation over time is at least this"
    )
    sure_sound_share: float = Field(0.24, ge=0, le=0.5, description="the same where the pictures do not agree")
    sure_motion_likeness: float = Field(0.85, ge=0, le=1, description="the same where the pictures do not agree")
    related_picture_bits: float = Field(
        20.0, ge=0, le=32, description="instead of motions that agree: pictures of which so many bits differ at most"
    )
    overlap: float = Field(0.5, gt=0, le=1, description="copies share at least this part of the shorter clip")


@dataclass(frozen=True, slots=True)
class Match:
    """How alike two spans are at their best shift; None where one of them says nothing about it.

    Attributes:
        shift_s: time in the second minus time in the first.
        picture_bits: mean number of bits that differ, of 64.
        sound_share: share of bits that differ.
        motion_likeness: Pearson correlation.
    """

    shift_s: float
    picture_bits: float | None
    sound_share: float | None
    motion_likeness: float | None

    def is_copy(self, settings: DedupSettings) -> bool:
        """Whether two of the three agree."""
        sound = 0.5 if self.sound_share is None else self.sound_share
        motion = 0.0 if self.motion_likeness is None else self.motion_likeness
        picture = 32.0 if self.picture_bits is None else self.picture_bits
        if picture <= settings.picture_bits:
            return sound <= settings.sound_share or motion >= settings.motion_likeness
        seen = motion >= settings.sure_motion_likeness or picture <= settings.related_picture_bits
        return sound <= settings.sure_sound_share and seen


def compare(one: Fingerprint, other: Fingerprint, *, shift_s: float, settings: DedupSettings) -> Match:
    """Likeness around a shift; pictures and motions are looked at up to a quarter of a second from it."""
    reach = round(SEARCH_S * SOUND_HZ)
    around = shift_s + np.arange(-reach, reach + 1) / SOUND_HZ
    sounds = [(_sound(one.sound, other.sound, round(at * SOUND_HZ), settings.overlap), at) for at in around]
    heard = min(((share, at) for share, at in sounds if share is not None), default=None)
    motions = [
        (_motion(one.motion, other.motion, round(shift_s * MOTION_HZ) + step, settings.overlap))
        for step in (-2, -1, 0, 1, 2)
    ]
    moved = max((likeness for likeness in motions if likeness is not None), default=None)
    pictures = [_picture(one, other, at, settings.overlap) for at in (shift_s - 0.125, shift_s, shift_s + 0.125)]
    seen = min((bits for bits in pictures if bits is not None), default=None)
    return Match(heard[1] if heard else shift_s, seen, heard[0] if heard else None, moved)


def _sound(one: NDArray[np.uint32], other: NDArray[np.uint32], shift: int, overlap: float) -> float | None:
    """Least share of differing bits over pitches and speeds."""
    best: float | None = None
    for speed in SPEEDS:
        a, b = _aligned(one, other, shift, speed)
        telling = (a != 0) | (b != 0)
        if telling.sum() < max(overlap * min(len(one), len(other)), SOUND_HZ):
            continue
        a, b = a[telling], b[telling]
        for semitones in PITCHES:
            differing = set_bits(transposed(a, semitones) ^ b)
            share = float(differing.mean()) / 32 if not semitones else _share_within(a, b, semitones)
            best = share if best is None else min(best, share)
    return best


def _share_within(a: NDArray[np.uint32], b: NDArray[np.uint32], semitones: int) -> float:
    """Share of differing bits among those that both still have."""
    kept = 32 - abs(semitones)
    mask = np.uint32((1 << kept) - 1) if semitones > 0 else np.uint32(((1 << kept) - 1) << -semitones)
    return float(set_bits((transposed(a, semitones) ^ b) & mask).mean()) / kept


def _motion(one: NDArray[np.float32], other: NDArray[np.float32], shift: int, overlap: float) -> float | None:
    a, b = _aligned(one, other, shift, 1.0)
    if len(a) < max(overlap * min(len(one), len(other)), MOTION_HZ):
        return None
    a, b = np.sqrt(a), np.sqrt(b)
    if min(a.std(), b.std()) < 1e-3:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _picture(one: Fingerprint, other: Fingerprint, shift_s: float, overlap: float) -> float | None:
    """Mean differing bits of each still and the nearest one of the other, as it is or in a mirror."""
    if not len(one.picture) or not len(other.picture):
        return None
    wanted = one.still_ms.astype(np.float64) + 1000 * shift_s
    nearest = np.abs(other.still_ms.astype(np.float64)[None, :] - wanted[:, None]).argmin(axis=1)
    close = np.abs(other.still_ms[nearest] - wanted) <= 190
    if close.sum() < max(overlap * min(len(one.picture), len(other.picture)), 3):
        return None
    a, b = one.picture[close], other.picture[nearest[close]]
    plain, mirror = (float(set_bits(version ^ b).mean()) for version in (a, mirrored(a)))
    return min(plain, mirror)


def _aligned(one: NDArray, other: NDArray, shift: int, speed: float) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    """The parts of both that meet when time t of one is time speed * t + shift of the other."""
    at = np.arange(len(one))
    there = np.round(at * speed).astype(int) + shift
    inside = (there >= 0) & (there < len(other))
    return one[at[inside]], other[there[inside]]
