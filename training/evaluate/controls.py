"""What a metric must tell from the truth before it may judge anybody: the same clips, made worse in a known way [ours].

A shifted sound wraps around its end, so that nothing but the timing changes; a swapped one is of another video.
"""

from dataclasses import replace
from enum import StrEnum

import numpy as np

from training.evaluate.films import EvaluatedClip


class Control(StrEnum):
    """The controls, by what is done to a true clip."""

    STATIC = "static"
    """The first frame alone."""

    SHIFTED_250 = "sound late by 0.25 s"
    SHIFTED_500 = "sound late by 0.5 s"
    SHIFTED_1000 = "sound late by 1 s"
    SWAPPED = "swapped"
    """The sound of another video."""


SHIFT_S = {Control.SHIFTED_250: 0.25, Control.SHIFTED_500: 0.5, Control.SHIFTED_1000: 1.0}
OF_PICTURE = frozenset({Control.STATIC})
OF_SOUND = frozenset(Control) - OF_PICTURE


def controlled(clip: EvaluatedClip, control: Control, *, other: EvaluatedClip) -> EvaluatedClip:
    """A true clip made worse; `other` is a clip of another video, whose sound a swapped one has."""
    if control is Control.STATIC:
        return clip.with_frames(np.repeat(clip.frames[:1], len(clip.frames), axis=0))
    if control is Control.SWAPPED:
        fitting = np.resize(other.sound_at(clip.rate_hz), len(clip.waveform)) if len(other.waveform) else clip.waveform
        return replace(clip, waveform=fitting, caption=other.caption, sounds_s=other.sounds_s)
    return shifted(clip, SHIFT_S[control])


def shifted(clip: EvaluatedClip, late_s: float) -> EvaluatedClip:
    """The clip with its sound late, wrapping around."""
    waveform = np.roll(clip.waveform, round(late_s * clip.rate_hz))
    length_s = len(clip.waveform) / clip.rate_hz
    moved = None if clip.sounds_s is None else np.sort((clip.sounds_s + late_s) % length_s)
    return replace(clip, waveform=waveform, sounds_s=moved)
