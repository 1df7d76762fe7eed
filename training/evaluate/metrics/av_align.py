"""AV-Align (Yariv et al. 2023, arXiv 2309.16429): onsets of the sound against peaks of the optical flow.

Intersection over union of the two, which match where they lie less than a frame apart. As published (av_align.py of
guyyariv/TempoTokens, 34d9502): Farneback's flow, its mean length a frame, all of its local maxima; onsets by librosa's
`onset_detect` at 22,050 Hz. There each onset may take a peak that another one took, so five onsets around one peak make
5.0; the authors' mended code (its issue 11) uses each peak once. Both are here.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shards.errors import Unavailable
from training.evaluate.films import EvaluatedClip, Frames, Times, Wave
from training.evaluate.metrics.matching import pairs, union_share

RATE_HZ = 22_050
_HOW = "Farneback flow (0.5, 3, 15, 3, 5, 1.2) mean length, all local maxima; librosa onset_detect at 22050 Hz"


class PeakFinder:
    """Peaks of clips that come one after the other and share pictures or sounds, each found once."""

    def __init__(self) -> None:
        self._flow: tuple[Frames, Times] | None = None
        self._onsets: tuple[Wave, Times] | None = None

    def of(self, clip: EvaluatedClip) -> tuple[Times, Times]:
        """(onsets,) of the sound and (peaks,) of the flow, in seconds."""
        if self._onsets is None or self._onsets[0] is not clip.waveform:
            self._onsets = clip.waveform, onsets_s(clip.sound_at(RATE_HZ))
        if self._flow is None or self._flow[0] is not clip.frames:
            self._flow = clip.frames, flow_peaks_s(clip.frames, clip.fps)
        return self._onsets[1], self._flow[1]


class _OfPeaks:
    higher_is_better = True
    hears = sees = True

    def __init__(self, peaks: PeakFinder | None = None) -> None:
        self._peaks = peaks or PeakFinder()

    def check(self) -> None:
        """Raise `Unavailable` where OpenCV or librosa is not installed."""
        need_packages("cv2", "librosa")


class AvAlign(_OfPeaks):
    """As published: peaks may be used again, and the value exceed 1."""

    name = "av_align"
    protocol = f"{_HOW}; less than a frame apart; peaks used again (as published)"

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        heard, seen = self._peaks.of(clip)
        return published_share(heard, seen, within_s=1 / clip.fps)


class AvAlignOnce(_OfPeaks):
    """As mended: each peak is used once, and the value lies in [0, 1]."""

    name = "av_align_once"
    protocol = f"{_HOW}; less than a frame apart; each peak used once (as mended)"

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        heard, seen = self._peaks.of(clip)
        return union_share(heard, seen, len(pairs(heard, seen, within_s=1 / clip.fps)))


def published_share(heard: Times, seen: Times, *, within_s: float) -> float:
    """Onsets that lie near any peak, over the union that is left when they are taken off."""
    together = sum(bool(np.any(np.abs(seen - onset) < within_s)) for onset in heard)
    return union_share(heard, seen, together)


def onsets_s(waveform: Wave) -> Times:
    """(onsets,) seconds at which a sound at 22,050 Hz begins, by librosa; none in silence."""
    from librosa import frames_to_time
    from librosa.onset import onset_detect, onset_strength

    if not np.any(waveform):
        return np.zeros(0)
    strength = onset_strength(y=waveform, sr=RATE_HZ)
    found = onset_detect(onset_envelope=strength, sr=RATE_HZ)
    return np.asarray(frames_to_time(found, sr=RATE_HZ), np.float64)


def flow_peaks_s(frames: Frames, fps: float) -> Times:
    """(peaks,) seconds at which the mean flow is larger than just before and after."""
    curve = flow_curve(frames)
    inner = np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:])) + 1
    return np.asarray(inner / fps, np.float64)


def flow_curve(frames: Frames) -> NDArray[np.float64]:
    """(frames,) mean length of the flow from the frame before; the first has the second's, as the authors' has."""
    import cv2

    if len(frames) < 2:
        return np.zeros(len(frames))
    greys = [cv2.cvtColor(np.ascontiguousarray(one), cv2.COLOR_RGB2GRAY) for one in frames]
    lengths = []
    for before, after in pairwise(greys):
        flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        lengths.append(float(np.hypot(flow[..., 0], flow[..., 1]).mean()))
    return np.array([lengths[0], *lengths])


def need_packages(*names: str) -> None:
    """Check that packages are installed.

    Raises:
        Unavailable: one is not.
    """
    from importlib.util import find_spec

    for name in names:
        if find_spec(name) is None:
            raise Unavailable(f"the package {name} is not installed", remedy='pip install "clapboard[bench]" librosa')
