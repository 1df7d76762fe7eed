"""Score whole files, for a person who wants a number: no ledger, no windows, nothing is kept."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
    scores = build(names)
    for score in scores:
        score.check()
    with MediaWorkers(count=1) as workers:
        for file in files:
            yield {"file": str(file)} | _columns(file, scores, workers)


def _columns(file: Path, scores: Sequence[Score], workers: MediaWorkers) -> dict[str, Any]:
    try:
        timeline = workers.analyse(file, thumbnails=any(Need.THUMBNAILS in score.needs for score in scores))
    except MediaFailure as failure:
        return {"outcome": failure.outcome.value, "detail": failure.detail, "remedy": failure.remedy}
    window = Window(timeline, 0, timeline.duration_us)
    return {name: value for score in scores for name, value in score.score([window])[0].items()}
