"""Videos that are drawn as features, without pictures or waveforms: endless variety for little work [ours].

A drawn film costs half a second and there are few scenes. Here loudness over time, the spectra that carry it, and what
the picture does with it (glow, grow, sway, strike) are all drawn by lot, beneath a camera that shakes, things that move
for reasons of their own, and noise. What they share with real video is only this: sound and motion have one cause.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from shards.synchrony.features import (
    CELLS,
    LOUDNESS_POWER,
    MEL_BANDS,
    PICTURE_HZ,
    SOUND_HZ,
    picture_features,
)
from training.seeds import numpy_generator
from training.sync.data import SyncVideo

TEXTURE = 3 * CELLS
MAX_VOICES = 3

Floats = NDArray[np.float64]


def imagined_videos(count: int, *, seed: int, duration_s: float) -> list[SyncVideo]:
    """So many videos; each is a function of the seed and its number."""
    return [imagined(numpy_generator(seed, "imagined video", number), duration_s=duration_s) for number in range(count)]


def imagined(random: np.random.Generator, *, duration_s: float) -> SyncVideo:
    """One video: a cause that is heard and seen, and causes of other things."""
    ticks = round(duration_s * SOUND_HZ)
    cause = loudness(random, ticks)
    steps = round(duration_s * PICTURE_HZ)
    cells = moving_picture(random, cause)
    frame_us = np.round((np.arange(len(cells)) + 0.5) * 1e6 * duration_s / len(cells)).astype(np.int64)
    picture = picture_features(cells, frame_us, start_us=0, steps=steps)
    return SyncVideo(picture, spectrum(random, cause))


def loudness(random: np.random.Generator, ticks: int) -> Floats:
    """(ticks,) amplitude in [0, 1]: strikes, swelling notes, or a wavering voice, each with pauses."""
    kind = random.integers(4)
    if kind == 3:
        wave = gaussian_filter1d(random.standard_normal(ticks), SOUND_HZ / random.uniform(8, 40))
        wave = np.maximum(wave - np.quantile(wave, random.uniform(0, 0.5)), 0)
        return np.asarray(wave / max(wave.max(), 1e-6))
    time_s, out, now = np.arange(ticks) / SOUND_HZ, np.zeros(ticks), float(random.uniform(-0.5, 0.5))
    gap_s = random.uniform(0.15, 0.9)
    while now < ticks / SOUND_HZ:
        since = time_s - now
        rise = 0.005 if kind == 0 else random.uniform(0.01, 0.15)
        fall = random.uniform(0.03, 0.4)
        hold = 0.0 if kind == 0 else random.uniform(0, 0.4)
        one = np.where(since < 0, 0, np.minimum(since / rise, 1)) * np.exp(-np.maximum(since - hold - rise, 0) / fall)
        out = np.maximum(out, random.uniform(0.3, 1.0) * one)
        now += gap_s * float(random.uniform(0.5, 1.7))
    return out


def spectrum(random: np.random.Generator, cause: Floats) -> NDArray[np.float32]:
    """(ticks, 40) what a microphone makes of the cause: voices that take turns, a room, and noise."""
    ticks = len(cause)
    voices = int(random.integers(1, MAX_VOICES + 1))
    shapes = np.exp(gaussian_filter1d(random.standard_normal((voices, MEL_BANDS)), 2.0, axis=1) * random.uniform(1, 5))
    turns = np.abs(gaussian_filter1d(random.standard_normal((voices, ticks)), SOUND_HZ / 4, axis=1)) + 1e-3
    power = (turns / turns.sum(axis=0)).T @ shapes * (cause**2)[:, None]
    power /= max(power.max(), 1e-9)
    echo = np.exp(-np.arange(60) / random.uniform(1, 25))
    power = np.apply_along_axis(np.convolve, 0, power, echo / echo.sum())[:ticks]
    noise = np.exp(gaussian_filter1d(random.standard_normal(MEL_BANDS), 4.0) * 3) * 10 ** random.uniform(-5, -1.5)
    power = power + noise * random.gamma(4, 0.25, (ticks, MEL_BANDS)) * power.max()
    heard = power**LOUDNESS_POWER
    return np.asarray(heard / max(float(heard.std()), 1e-6), np.float32)


def moving_picture(random: np.random.Generator, cause: Floats) -> NDArray[np.uint8]:
    """(frames, 12, 12) cells at 24, 25 or 30 frames a second in which something answers the cause."""
    fps = int(random.choice([24, 25, 30]))
    frames = round(len(cause) / SOUND_HZ * fps)
    seen = np.interp((np.arange(frames) + 0.5) / fps * SOUND_HZ, np.arange(len(cause)), cause)
    ground = _texture(random)
    shake = gaussian_filter1d(random.standard_normal((2, frames)), fps / 6, axis=1) * random.choice([0, 0, 0.6, 1.5])
    picture = _sampled(ground, shift=shake, grow=np.zeros(frames))
    place, radius = random.uniform(2, CELLS - 2, 2), random.uniform(1.5, 7)
    rows, columns = np.mgrid[:CELLS, :CELLS]
    mask = np.exp(-(((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / radius**2))
    mask = np.ones_like(mask) if random.random() < 0.4 else mask
    thing = _answering(random, seen, fps)
    picture = picture + mask * (thing - picture)
    if random.random() < 0.5:
        picture = picture + _bystander(random, frames, fps)
    light = 1 + random.choice([0, 0.05]) * gaussian_filter1d(random.standard_normal(frames), fps / 2)
    picture = picture * light[:, None, None] + random.normal(0, random.uniform(0, 1.0), picture.shape)
    return np.asarray(picture.clip(0, 255).round(), np.uint8)


def _answering(random: np.random.Generator, seen: Floats, fps: int) -> Floats:
    """(frames, 12, 12) a thing that glows, grows, sways or strikes as the cause does."""
    frames, size, kind = len(seen), float(random.uniform(0.3, 1.0)), random.integers(4)
    ground, still = _texture(random), np.zeros((2, frames))
    if kind == 0:
        return _sampled(ground, shift=still, grow=still[0]) * (0.6 + 0.6 * size * seen[:, None, None])
    if kind == 1:
        return _sampled(ground, shift=still, grow=0.35 * size * seen)
    way = random.standard_normal(2)[:, None]
    if kind == 2:
        # It moves while it sounds, as a bow or a mouth does.
        there = 1.5 * size * np.sin(np.cumsum(seen) / fps * random.uniform(6, 20))
        return _sampled(ground, shift=way * there, grow=still[0])
    # It is there when it sounds, and goes back before and after.
    rise = np.maximum(np.diff(seen, prepend=seen[:1]), 0)
    after = np.convolve(rise, np.exp(-np.arange(fps) / (0.12 * fps)))[:frames]
    before = np.convolve(rise[::-1], np.exp(-np.arange(fps) / (0.06 * fps)))[:frames][::-1]
    return _sampled(ground, shift=way * 2.5 * size * np.maximum(after, before), grow=still[0])


def _bystander(random: np.random.Generator, frames: int, fps: int) -> Floats:
    """(frames, 12, 12) a blob that wanders for reasons of its own."""
    path = gaussian_filter1d(random.standard_normal((2, frames)), fps / 3, axis=1)
    path = CELLS / 2 + path / max(np.abs(path).max(), 1e-6) * random.uniform(2, 6)
    rows, columns = np.mgrid[:CELLS, :CELLS]
    far = (rows - path[0, :, None, None]) ** 2 + (columns - path[1, :, None, None]) ** 2
    return np.asarray(random.uniform(-60, 60) * np.exp(-far / random.uniform(1, 5)))


def _texture(random: np.random.Generator) -> Floats:
    """(36, 36) a smooth random picture in 8-bit luma."""
    rough = gaussian_filter(random.standard_normal((TEXTURE, TEXTURE)), random.uniform(0.8, 3))
    return np.asarray(128 + rough / max(float(rough.std()), 1e-6) * random.uniform(15, 60))


def _sampled(texture: Floats, *, shift: Floats, grow: Floats) -> Floats:
    """(frames, 12, 12) the middle of a texture, moved by (2, frames) cells and magnified by 1 + (frames,)."""
    rows, columns = np.mgrid[:CELLS, :CELLS] - (CELLS - 1) / 2
    at = np.stack([rows, columns])[:, None] / (1 + grow)[None, :, None, None] + shift[:, :, None, None]
    return np.asarray(map_coordinates(texture, at + (TEXTURE - 1) / 2, order=1, mode="reflect"))
