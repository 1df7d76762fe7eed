"""Score whole files, for a person who wants a number: no ledger, no windows, nothing is kept."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from curation.media.analyse import analyse
from curation.media.failures import MediaFailure
from curation.media.timeline import Window
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
    for file in files:
        try:
            timeline = analyse(file)
        except MediaFailure as failure:
            lost = {"outcome": failure.outcome.value, "detail": failure.detail, "remedy": failure.remedy}
            yield {"file": str(file)} | lost
            continue
        window = Window(timeline, 0, timeline.duration_us)
        columns = {name: value for score in scores for name, value in score.score([window])[0].items()}
        yield {"file": str(file)} | columns
