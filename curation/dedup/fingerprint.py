"""What a video looks, moves and sounds like, in some hundred bytes a second, so that a copy can be known again.

Three time series, made from what the decode pass left behind anyway:

picture  a 64-bit perceptual hash of each still: signs of the lowest DCT coefficients against their median (Zauner 2010,
         "pHash"; the numbers are those of `imagehash.phash`).
motion   how much the picture moved in each eighth of a second: survives crops, mirrors, logos and borders.
sound    32 bits sixteen times a second: signs of energy differences between neighbouring bands and moments (Haitsma
         and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002). Their bands lie a semitone apart, so a
         sound of another pitch has the same bits, moved.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline

VERSION = 1
"""Goes up whenever the numbers may change."""

MOTION_HZ = 8
SOUND_HZ = 16
FRAME_S = 0.37
LOWEST_HZ, HIGHEST_HZ, BANDS = 300.0, 2000.0, 33

FLAT = 6.0
"""Standard deviation of a still's luma (0 to 255) below which its hash is noise [ours]."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The series of one video, or of a span of one.

    Attributes:
        still_ms: (stills,) uint32, when each hashed still is shown.
        picture: (stills,) uint64.
        motion: (bins,) float32, summed luma differences from bin k / MOTION_HZ on.
        sound: (moments,) uint32, moment k at k / SOUND_HZ seconds.
    """

    still_ms: NDArray[np.uint32]
    picture: NDArray[np.uint64]
    motion: NDArray[np.float32]
    sound: NDArray[np.uint32]

    def span(self, start_us: int, end_us: int) -> "Fingerprint":
        """The part of it in a span, times counted from the span's start as exactly as the series are fine.

        It is a copy: a view would keep all of a long video in memory for the sake of a clip.
        """
        stills = slice(*np.searchsorted(self.still_ms, (start_us / 1000, end_us / 1000)))
        first_ms = round(start_us / 1000)
        return Fingerprint(
            np.asarray(self.still_ms[stills] - np.uint32(first_ms), np.uint32),
            self.picture[stills].copy(),
            self.motion[_bins(start_us, end_us, MOTION_HZ)].copy(),
            self.sound[_bins(start_us, end_us, SOUND_HZ)].copy(),
        )

    def to_bytes(self) -> tuple[bytes, bytes]:
        """(picture and motion, sound) for keeping."""
        count = np.array([len(self.picture)], np.uint32)
        parts = (count, self.still_ms, self.picture, self.motion.astype(np.float16))
        return b"".join(part.tobytes() for part in parts), self.sound.tobytes()

    @classmethod
    def from_bytes(cls, picture: bytes, sound: bytes) -> "Fingerprint":
        """What `to_bytes` gave."""
        count = int(np.frombuffer(picture, np.uint32, 1)[0])
        motion = np.frombuffer(picture, np.float16, offset=4 + 12 * count).astype(np.float32)
        return cls(
            np.frombuffer(picture, np.uint32, count, 4),
            np.frombuffer(picture, np.uint64, count, 4 + 4 * count),
            motion,
            np.frombuffer(sound, np.uint32),
        )


def fingerprint(timeline: Timeline) -> Fingerprint:
    """The fingerprint of a whole video."""
    telling = timeline.stills.reshape(len(timeline.stills), -1).std(axis=1) >= FLAT
    stills = timeline.stills[telling]
    return Fingerprint(
        np.asarray(timeline.still_us[telling] // 1000, np.uint32),
        picture_hashes(stills),
        _motion(timeline),
        sound_bits(timeline.waveform, timeline.rate_hz, start_us=timeline.audio_start_us),
    )


def picture_hashes(stills: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(stills,) hashes of (stills, 32, 32) luma pictures; bit 8 r + c, from the top, is coefficient (r, c)."""
    from scipy.fft import dct

    if not len(stills):
        return np.zeros(0, np.uint64)
    low = dct(dct(stills.astype(np.float32), axis=1), axis=2)[:, :8, :8].reshape(len(stills), 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def sound_bits(waveform: NDArray[np.float32], rate_hz: int, *, start_us: int) -> NDArray[np.uint32]:
    """(moments,) bits of a mono waveform whose first sample lies at `start_us`; silence gives zeros."""
    wave = _from_zero(waveform, rate_hz, start_us)
    size, hop = round(FRAME_S * rate_hz), rate_hz / SOUND_HZ
    count = int((len(wave) - size) / hop) + 1 if len(wave) >= size else 0
    if count < 1:
        return np.zeros(0, np.uint32)
    window = np.hanning(size).astype(np.float32)
    edges = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (np.arange(BANDS + 1) / BANDS)
    bins = np.round(edges * size / rate_hz).astype(int)
    energy = np.empty((count, BANDS), np.float32)
    for first in range(0, count, 256):
        starts = np.round(np.arange(first, min(first + 256, count)) * hop).astype(int)
        frames = np.stack([wave[at : at + size] for at in starts]) * window
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        energy[first : first + len(starts)] = np.add.reduceat(power, bins, axis=1)[:, :BANDS]
    slope = energy[:, :-1] - energy[:, 1:]
    before = np.concatenate([slope[:1], slope[:-1]])
    return np.packbits(slope - before > 0, axis=1).view(">u4").ravel().astype(np.uint32)


def mirrored(picture: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes of the pictures seen in a mirror: coefficients of odd horizontal frequency change their sign."""
    return picture ^ np.uint64(0x5555_5555_5555_5555)


def transposed(sound: NDArray[np.uint32], semitones: int) -> NDArray[np.uint32]:
    """Bits of the sound as it would be at another pitch; bands that move out of sight are lost."""
    return sound >> np.uint32(semitones) if semitones >= 0 else sound << np.uint32(-semitones)


def _motion(timeline: Timeline) -> NDArray[np.float32]:
    bins = timeline.frame_us * MOTION_HZ // 1_000_000
    return np.bincount(bins, weights=timeline.motion).astype(np.float32)


def _from_zero(waveform: NDArray[np.float32], rate_hz: int, start_us: int) -> NDArray[np.float32]:
    """The waveform from time zero on: padded where it begins later, trimmed where it begins earlier."""
    first = round(start_us * rate_hz / 1e6)
    return waveform[-first:] if first < 0 else np.pad(waveform, (first, 0))


def _bins(start_us: int, end_us: int, hz: int) -> slice:
    return slice(round(start_us * hz / 1e6), round(end_us * hz / 1e6))
