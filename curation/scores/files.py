"""Score whole files, for a person who wants a number: no ledger, no windows, nothing is kept."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from curation.encoders.semantics import Semantics
from curation.media.failures import MediaFailure
from curation.media.sandbox import MediaWorkers
from curation.media.timeline import Window
from curation.scores.base import Need, Score
from curation.scores.registry import build


def score_files(files: Sequence[Path], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One record a file: `file` and a key per score column, or `outcome`, `detail` and `remedy` if it cannot be read.

    Raises:
        BadInput: no such score.
        Unavailable: a score that this machine cannot compute.
    """
    semantics = Semantics()
    scores = build(names, semantics=semantics)
    for score in scores:
        score.check()
    with MediaWorkers(count=1) as workers:
        for file in files:
            yield {"file": str(file)} | _columns(file, scores, workers, semantics)


def _columns(file: Path, scores: Sequence[Score], workers: MediaWorkers, semantics: Semantics) -> dict[str, Any]:
    needs = frozenset[Need]().union(*(score.needs for score in scores))
    try:
        timeline = workers.analyse(file, thumbnails=bool(needs & {Need.THUMBNAILS, Need.PICTURE_TRACK}))
    except MediaFailure as failure:
        return _failed(failure)
    looker = partial(workers.look, file) if Need.FRAMES in needs else None
    window = Window(
        timeline,
        0,
        timeline.duration_us,
        picture_track=semantics.picture_track(timeline) if Need.PICTURE_TRACK in needs else None,
        sound_track=semantics.sound_track(timeline) if Need.SOUND_TRACK in needs else None,
        look=looker,
    )
    try:
        return {name: value for score in scores for name, value in score.score([window])[0].items()}
    except MediaFailure as failure:
        return _failed(failure)


def _failed(failure: MediaFailure) -> dict[str, Any]:
    return {"outcome": failure.outcome.value, "detail": failure.detail, "remedy": failure.remedy}
