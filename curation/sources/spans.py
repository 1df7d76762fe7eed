"""What part of its file a row means.

Lists say it on the file's own clock. Data sets whose videos were cut already keep the span of the video that each was
cut from beside it: ten seconds that begin with second 30 of nothing that is here. The file's own length tells.
"""

from curation.clips import Span
from curation.ledger.tables import SourceEntry, Video
from curation.sources.base import split_member

TAKEN_WHOLE = "its span is of the video that it was cut from, so it is taken whole"

SLACK_US = 1_000_000
"""How far lengths may be apart [ours]: cutters keep to key frames and to whole packets of sound."""


def span_of(entry: SourceEntry, video: Video) -> Span | None:
    """The part of a video, whose length is known, that a row means; None if it lies behind its end."""
    duration_us = video.duration_us or 0
    if is_cut_already(entry, video):
        return 0, duration_us
    first = entry.start_us or 0
    return (first, min(entry.end_us or duration_us, duration_us)) if first < duration_us else None


def is_cut_already(entry: SourceEntry, video: Video) -> bool:
    """Whether a row's span is not of the file but of what it was cut from.

    So it is with members of tars, where the span begins behind the file's end, or is as long as the file and ends
    behind it.
    """
    duration_us, start_us, end_us = video.duration_us, entry.start_us or 0, entry.end_us
    if not video.local or not split_member(video.link)[1] or not duration_us or end_us is None:
        return False
    as_long = abs(end_us - start_us - duration_us) <= SLACK_US
    return start_us >= duration_us or (as_long and end_us > duration_us + SLACK_US)
