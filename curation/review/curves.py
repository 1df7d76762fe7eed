"""What lies under the video on the review page: waveform, onsets and motion of a clip, on one time axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline, Window
from curation.scores.curves import CLOCK_HZ, motion_and_sound, smoothed, sound_strength

PEAKS_HZ = 200
ONSET_PROMINENCE = 1.0
ONSET_SMOOTHING_S = 0.03


def curves_of(line: Timeline) -> dict[str, Any]:
    """The curves of a decoded clip as plain JSON.

    `frames_s` are the instants of its frames; `peaks` the largest amplitude of the sound in [0, 1], `peaks_hz` a second
    from `sound_starts_s` on; `motion` how much moves in [0, 1] of its own largest, `motion_hz` a second from 0 on;
    `onsets_s` where a sound begins.
    """
    whole = Window(line, 0, line.duration_us)
    motion, _ = motion_and_sound(whole)
    return {
        "duration_s": line.duration_us / 1e6,
        "frames_s": [round(at / 1e6, 6) for at in line.frame_us.tolist()],
        "sound_starts_s": line.audio_start_us / 1e6,
        "peaks_hz": PEAKS_HZ,
        "peaks": _rounded(_peaks(line.waveform, line.rate_hz)),
        "motion_hz": CLOCK_HZ,
        "motion": _rounded(motion / max(float(motion.max(initial=0)), 1e-9)),
        "onsets_s": _onsets_s(whole),
    }


def _peaks(waveform: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    size = max(1, rate_hz // PEAKS_HZ)
    padded = np.pad(np.abs(waveform), (0, -len(waveform) % size))
    return padded.reshape(-1, size).max(axis=1) if len(padded) else np.zeros(0, np.float32)


def _onsets_s(window: Window) -> list[float]:
    from scipy.signal import find_peaks

    strength = smoothed(sound_strength(window.sound(), window.timeline.rate_hz), ONSET_SMOOTHING_S)
    if not len(strength):
        return []
    peaks, _ = find_peaks(strength, prominence=max(ONSET_PROMINENCE * float(strength.std()), 1e-3))
    return [round(float(at) / CLOCK_HZ, 3) for at in peaks]


def _rounded(values: NDArray[Any]) -> list[float]:
    return [round(float(value), 3) for value in values]
