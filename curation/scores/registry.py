"""All scores by name. A new score is a new file and a line here; nothing is imported until it is asked for."""

from collections.abc import Sequence
from importlib import import_module

from curation.scores.base import Score
from shards.errors import BadInput

SCORES = {
    "motion": "curation.scores.motion:MotionScore",
    "loudness": "curation.scores.loudness:LoudnessScore",
    "sync": "curation.scores.sync:SyncScore",
    "sync_net": "curation.scores.sync_net:SyncNetScore",
    "av_align": "curation.scores.av_align:AVAlignScore",
    "clip": "curation.scores.clip:ClipScore",
    "clap": "curation.scores.clap:ClapScore",
}


def build(names: Sequence[str]) -> list[Score]:
    """The named scores, ready to check and to measure.

    Raises:
        BadInput: there is no score of that name; the remedy lists those there are.
    """
    scores: list[Score] = []
    for name in names:
        if name not in SCORES:
            raise BadInput(f"there is no score {name!r}", remedy=f"one of: {', '.join(SCORES)}")
        module, _, made_by = SCORES[name].partition(":")
        scores.append(getattr(import_module(module), made_by)())
    return scores
