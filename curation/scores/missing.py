"""What the file does not have of a window: sound that was lost, pictures that stand for want of the next, damage."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from curation.media.missing import standing_us
from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need


class MissingScore:
    """Seconds of the window: `missing_sound_s` without sound because the track has none there, `frozen_s` in which a
    picture stands because the next is not there, `smeared_s` of pictures that lean on lost or damaged ones.
    """

    name = "missing"
    version = 1
    settings = ""
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = ("missing_sound_s", "frozen_s", "smeared_s")
    evidence = Evidence.SIGNAL
    trends: ClassVar[Mapping[str, int]] = {}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [{"missing_sound_s": _missing_sound_s(window)} | _pictures(window) for window in batch]


def _missing_sound_s(window: Window) -> float:
    line = window.timeline
    first_us = line.audio_start_us
    last_us = first_us + round(len(line.waveform) * 1e6 / line.rate_hz)
    heard_us = min(window.end_us, last_us) - max(window.start_us, first_us)
    holes_us = line.sound_holes_us.clip(window.start_us, window.end_us)
    heard_us = max(0, heard_us) - int((holes_us[:, 1] - holes_us[:, 0]).sum())
    return (window.end_us - window.start_us - heard_us) / 1e6


def _pictures(window: Window) -> Columns:
    line, part = window.timeline, window.frames()
    steps = np.diff(line.frame_us)
    # The picture that is shown when the window begins may have begun before it.
    first = max(0, part.start - 1)
    shown_us = np.append(line.frame_us[first : part.stop], window.end_us)
    waits_us = standing_us(np.diff(shown_us), int(np.median(steps)) if len(steps) else 0)
    inside_us = np.diff(shown_us.clip(window.start_us, window.end_us))
    smeared = line.smeared[first : part.stop] if len(line.smeared) else np.zeros(len(inside_us), bool)
    return {
        "frozen_s": float(np.minimum(waits_us, inside_us).sum()) / 1e6,
        "smeared_s": float(inside_us[smeared].sum()) / 1e6,
    }
