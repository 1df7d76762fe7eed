"""How late is the sound? By Synchformer (Iashin et al. 2024), where its released weights were given by path.

The network looks at 4.8 s in segments of 0.64 s, one every 0.32 s. A window is shorter, so it is judged by the 4.8 s
around its middle; where the video itself is shorter, by the segments that fit, and `synchformer_segments` tells how
many. Segments lie on one grid of the video, so that windows that overlap share them [ours].
"""

import math
import threading
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.sounds import sound_of
from shards.weights import noted_digest, require

if TYPE_CHECKING:
    from curation.encoders.synchformer.runner import SynchformerRunner

HZ, SHORT_PX, SIDE_PX, RATE_HZ = 25, 256, 224, 16_000
SEGMENT_US, STEP_US = 640_000, 320_000
SEGMENTS = 14
LEAST = 8
"""Segments below which nothing is said: 2.88 s, so that a video of three seconds is."""

LATE_S = np.linspace(2.0, -2.0, 21)
"""How late the sound is in each class; the authors count how early it is."""

IN_SYNC_S = 0.2
GROUP = 16
"""Windows whose frames are in memory together: some 13 s, 100 MB."""

Features = dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]]
"""What the network saw and heard in each segment, by its place on the grid."""


class SynchformerScore:
    """The posterior of the network over 21 offsets from -2 to 2 s, in numbers.

    `synchformer_offset_s`: the likeliest, positive when the sound is late. `synchformer_p_in_sync`: mass within 0.2 s
    of none. `synchformer_entropy`: 0 sure, 1 no idea. `synchformer_synchronisable`: probability that an offset could be
    told at all, by the fine-tuned network, NaN without its weights. `synchformer_segments`: how many were looked at;
    14 as in training. All NaN where the video is shorter than 2.88 s.
    """

    name = "synchformer"
    version = 1
    needs = frozenset({Need.FRAMES, Need.CURVES, Need.WAVEFORM})
    columns = (
        "synchformer_offset_s", "synchformer_p_in_sync", "synchformer_entropy", "synchformer_synchronisable",
        "synchformer_segments",
    )  # fmt: skip
    evidence = Evidence.SYNCHRONY
    trends: ClassVar[Mapping[str, int]] = {"synchformer_p_in_sync": 1, "synchformer_synchronisable": 1}

    def __init__(self, runner: "SynchformerRunner | None" = None) -> None:
        self._runner = runner
        self._making = threading.Lock()

    @property
    def settings(self) -> str:
        """The very weights."""
        return f"{noted_digest('synchformer')} {noted_digest('synchformer_synchronisable')}"

    def check(self) -> None:
        """Raise `Unavailable` where the weights are absent."""
        require("synchformer")

    @property
    def runner(self) -> "SynchformerRunner":
        """The networks; they load at their first use."""
        with self._making:
            if self._runner is None:
                from curation.encoders.synchformer.runner import SynchformerRunner

                self._runner = SynchformerRunner()
            return self._runner

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; what windows of one video share is looked at once.

        Raises:
            MediaFailure: frames cannot be decoded.
        """
        found = dict.fromkeys(range(len(batch)), dict.fromkeys(self.columns, math.nan))
        spans = {at: stretch(window) for at, window in enumerate(batch)}
        ordered = sorted((at for at in spans if spans[at]), key=lambda at: (id(batch[at].timeline), spans[at].start))
        for _, of_video in groupby(ordered, key=lambda at: id(batch[at].timeline)):
            places, known = list(of_video), Features()
            for first in range(0, len(places), GROUP):
                group = places[first : first + GROUP]
                needed = {segment for at in group for segment in spans[at]}
                known = {segment: rows for segment, rows in known.items() if segment in needed}
                known |= self._features(batch[group[0]], sorted(needed - known.keys()))
                found |= {at: self._columns([known[segment] for segment in spans[at]]) for at in group}
        return [found[at] for at in range(len(batch))]

    def _features(self, window: Window, segments: Sequence[int]) -> Features:
        """Of segments of the window's video, ascending; each run of neighbours is decoded in one go."""
        made: Features = {}
        for _, run in groupby(enumerate(segments), key=lambda one: one[1] - one[0]):
            places = [segment for _, segment in run]
            start_us, end_us = places[0] * STEP_US, places[-1] * STEP_US + SEGMENT_US
            assert window.look is not None
            frames = window.look(start_us=start_us, end_us=end_us, hz=HZ, short_px=SHORT_PX, side_px=SIDE_PX).images
            sound = sound_of(window.timeline, start_us, end_us, RATE_HZ)
            seen, heard = self.runner.features(_parts(frames, HZ), _parts(sound, RATE_HZ))
            made |= dict(zip(places, zip(seen, heard, strict=True), strict=True))
        return made

    def _columns(self, features: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> Columns:
        seen, heard = np.stack([rows for rows, _ in features]), np.stack([rows for _, rows in features])
        posterior = self.runner.offsets(seen, heard)
        likely = posterior[posterior > 0]
        return {
            "synchformer_offset_s": round(float(LATE_S[posterior.argmax()]), 6),
            "synchformer_p_in_sync": float(posterior[np.abs(LATE_S) < IN_SYNC_S + 1e-6].sum()),
            "synchformer_entropy": float(-(likely * np.log(likely)).sum() / np.log(len(posterior))),
            "synchformer_synchronisable": self.runner.synchronisable(seen, heard),
            "synchformer_segments": float(len(features)),
        }


def stretch(window: Window) -> range:
    """The segments that a window is judged by: the middle one lies in its middle, as far as the video reaches."""
    fitting = (window.timeline.duration_us - SEGMENT_US) // STEP_US + 1
    count = min(SEGMENTS, fitting)
    if count < LEAST:
        return range(0)
    length_us = (count - 1) * STEP_US + SEGMENT_US
    first = round(((window.start_us + window.end_us) / 2 - length_us / 2) / STEP_US)
    first = min(max(first, 0), fitting - count)
    return range(first, first + count)


def _parts(rows: NDArray[Any], hz: int) -> NDArray[Any]:
    """(n, length, ...) overlapping segments of (ticks, ...) rows at a rate."""
    length, step = SEGMENT_US * hz // 1_000_000, STEP_US * hz // 1_000_000
    return np.stack([rows[first : first + length] for first in range(0, len(rows) - length + 1, step)])
