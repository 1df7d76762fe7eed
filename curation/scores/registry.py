"""All scores by name. A new score is a new file and a line here; nothing is imported until it is asked for."""

from collections.abc import Sequence
from importlib import import_module

from curation.encoders.semantics import Semantics
from curation.scores.base import Evidence, Score
from shards.errors import BadInput

SCORES = {
    "motion": "curation.scores.motion:MotionScore",
    "loudness": "curation.scores.loudness:LoudnessScore",
    "missing": "curation.scores.missing:MissingScore",
    "sync": "curation.scores.sync:SyncScore",
    "synchformer": "curation.scores.synchformer:SynchformerScore",
    "av_align": "curation.scores.av_align:AVAlignScore",
    "diegesis": "curation.scores.diegesis:DiegesisScore",
    "speech": "curation.scores.speech:SpeechScore",
    "clip": "curation.scores.clip:ClipScore",
    "clap": "curation.scores.clap:ClapScore",
    "pe_av": "curation.scores.pe_av:PeAvScore",
    "agreement": "curation.scores.agreement:AgreementScore",
}


def build(names: Sequence[str], *, semantics: Semantics | None = None) -> list[Score]:
    """The named scores, ready to check and to measure; those that compare meanings share `semantics`.

    Raises:
        BadInput: there is no score of that name; the remedy lists those there are.
    """
    semantics = semantics or Semantics()
    scores: list[Score] = []
    for name in names:
        if name not in SCORES:
            raise BadInput(f"there is no score {name!r}", remedy=f"one of: {', '.join(SCORES)}")
        module, _, made_by = SCORES[name].partition(":")
        made_of = getattr(import_module(module), made_by)
        scores.append(made_of(semantics) if made_of.evidence is Evidence.MEANING else made_of())
    return scores
