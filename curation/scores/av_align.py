"""AV-Align, the published measure, for comparison: how many peaks of sound and motion have a partner.

From "Diverse and Aligned Audio-to-Video Generation via Text-to-Video Model Adaptation" (Yariv et al., 2023): the
intersection over union of the onsets of the sound and the peaks of the motion, two of which match where they lie less
than a frame apart. Each is matched once, as the authors' code does since it was mended (guyyariv/TempoTokens, issue
11): before, five onsets round one peak made 5.0. There motion is optical flow with all of its peaks, and onsets are
librosa's; here they are peaks that stand out of the two curves that the analysis has anyway [ours].
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.curves import CLOCK_HZ, Curve, motion_and_sound

PROMINENCE = 1.0


class AVAlignScore:
    """`av_align` in [0, 1]: |matches| / |onsets or motion peaks|; 0 where either has none."""

    name = "av_align"
    version = 2
    settings = ""
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = ("av_align",)
    evidence = Evidence.SYNCHRONY
    trends: ClassVar[Mapping[str, int]] = {"av_align": 1}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [_measure(window) for window in batch]


def peaks_union(motion: Curve, changes: Curve, *, within: float) -> float:
    """Intersection over union of the peaks of two (ticks,) curves that lie less than `within` ticks apart."""
    seen, heard = peaks(motion), peaks(changes)
    together = matches(seen, heard, within=within)
    return together / max(len(seen) + len(heard) - together, 1)


def matches(seen: Curve, heard: Curve, *, within: float) -> int:
    """How many pairs of (peaks,) and (onsets,) rising times lie less than `within` apart, each in one pair at most.

    Each onset takes the first peak that is left for it; for rising times no other choice makes more pairs.
    """
    pairs, at = 0, 0
    for onset in heard:
        while at < len(seen) and seen[at] <= onset - within:
            at += 1
        if at < len(seen) and seen[at] < onset + within:
            pairs, at = pairs + 1, at + 1
    return pairs


def peaks(curve: Curve) -> Curve:
    """(peaks,) ticks at which a curve peaks by more than its standard deviation."""
    from scipy.signal import find_peaks

    found, _ = find_peaks(curve, prominence=max(PROMINENCE * float(curve.std()), 1e-3))
    return np.asarray(found, float)


def _measure(window: Window) -> Columns:
    line = window.timeline
    frames = line.frame_us[window.frames()]
    frame_us = float(np.median(np.diff(frames))) if len(frames) > 1 else 40_000.0
    motion, changes = motion_and_sound(window)
    return {"av_align": peaks_union(motion, changes, within=frame_us * CLOCK_HZ / 1e6)}
