"""Does the picture strike when the sound does? Counted on films whose sounds are known: drawn ones [ours].

Strikes are found in the frames alone (`training.evaluate.events`, whose accuracy on true films bounds the figure from
above) and compared with the true times of the sounds. What begins in the first frame, which is given, does not count.
"""

import numpy as np

from shards.errors import BadInput
from training.evaluate.events import detect_events
from training.evaluate.films import EvaluatedClip, Times
from training.evaluate.metrics.matching import pairs


class EventF1:
    """2 x pairs / (strikes seen + sounds), a pair being at most a frame apart; NaN where there is neither."""

    name = "event_f1"
    higher_is_better = True
    hears = sees = True
    protocol = "strikes seen (appearing light, v1) and true sounds at most one frame apart, first frame left out"

    def check(self) -> None:
        """Always available."""

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002 (the clip has the sound)
        """F1 of one clip."""
        seen, heard = strikes_and_sounds(clip)
        if not len(seen) + len(heard):
            return float("nan")
        return 2 * len(pairs(heard, seen, within_s=1 / clip.fps, inclusive=True)) / (len(seen) + len(heard))


class EventError:
    """Mean distance in seconds of each sound to the nearest strike seen, at most half a second; NaN without sounds."""

    name = "event_error_s"
    higher_is_better = False
    hears = sees = True
    protocol = "seconds from each true sound to the nearest strike seen (appearing light, v1), at most 0.5"

    def check(self) -> None:
        """Always available."""

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        seen, heard = strikes_and_sounds(clip)
        if not len(heard):
            return float("nan")
        far = np.full(len(heard), 0.5)
        if len(seen):
            far = np.minimum(np.abs(heard[:, None] - seen[None, :]).min(axis=1), 0.5)
        return float(far.mean())


def strikes_and_sounds(clip: EvaluatedClip) -> tuple[Times, Times]:
    """When the picture strikes and when the sounds begin, after the first frame.

    Raises:
        BadInput: nobody knows when the sounds begin.
    """
    if clip.sounds_s is None:
        raise BadInput(
            f"nobody knows when the sounds of {clip.name} begin", remedy="event metrics are for --benchmark drawn"
        )
    after = 1 / clip.fps - 1e-6
    return detect_events(clip.frames, clip.fps), clip.sounds_s[clip.sounds_s >= after]
