"""The sound track of a film: strikes or a voice at peak 0.5, and the noise of a room beneath."""

import numpy as np
from numpy.typing import NDArray

from training.world.events import generator
from training.world.scenes.base import Scene
from training.world.sounds import Wave, room_noise
from training.world.speech import narrate

PEAK = 0.5


def strike_sound(
    scene: Scene,
    times_s: NDArray[np.float64],
    strengths: NDArray[np.float64],
    *,
    samples: int,
    rate_hz: int,
    seed: int,
) -> Wave:
    """The scene's sound at each time, loudest strike at about `PEAK`.

    Args:
        scene: whose sound.
        times_s: (strikes,) when; the attack begins on the nearest sample.
        strengths: (strikes,) how loud, 1 being `PEAK`.
        samples: length of the result.
        rate_hz: sample rate.
        seed: the small differences between strikes.
    """
    random = generator(seed, "timbre")
    track = np.zeros(samples, np.float32)
    for time, strength in zip(times_s, strengths, strict=True):
        first = round(time * rate_hz)
        sound = scene.sound(random, rate_hz)[: samples - first]
        track[first : first + len(sound)] += np.float32(PEAK * strength) * sound
    return track


def voice_over(
    seed: int, *, duration_s: float, rate_hz: int, unlike: NDArray[np.float64]
) -> tuple[Wave, NDArray[np.float64]]:
    """A narrator at `PEAK` and the times of his syllables; see `speech.narrate`."""
    voice, starts = narrate(seed, duration_s=duration_s, rate_hz=rate_hz, unlike=unlike)
    return np.float32(PEAK) * voice, starts


def mix_track(sound: Wave, *, noise: float, seed: int, rate_hz: int) -> Wave:
    """Sound with room noise of root mean square `noise` beneath it, kept within [-0.98, 0.98]."""
    room = room_noise(generator(seed, "noise"), len(sound), rate_hz=rate_hz)
    return np.clip(sound + np.float32(noise) * room, -0.98, 0.98)
