"""What people judged, which outlives whatever is decided later: spans that are asked about once, clips that stay.

A clip that somebody answered is kept as it was then; see docs/decisions/0014.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, select
from sqlalchemy.orm import Session, aliased

from curation.clips import Span
from curation.ledger.tables import ClipRow, JudgedRow, ReviewRow, SourceEntry, VerdictRow, Video
from curation.ledger.upsert import insert_missing
from curation.outcomes import Outcome
from curation.verdicts.answers import Verdict


def answered() -> ColumnElement[bool]:
    """Whether somebody's word on a clip stands, be it in dispute."""
    return ReviewRow.verdict_id.is_not(None) | (ReviewRow.answers > 0)


def answered_spans(session: Session, first: str, last: str) -> Mapping[str, dict[str, Span]]:
    """Spans of the answered clips of the videos from `first` to `last`, by clip id, by video."""
    rows = (
        select(ClipRow.video_id, ClipRow.id, ClipRow.start_us, ClipRow.end_us)
        .join(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .where(ClipRow.video_id >= first, ClipRow.video_id <= last, answered())
    )
    found: dict[str, dict[str, Span]] = defaultdict(dict)
    for video_id, clip_id, start_us, end_us in session.execute(rows):
        found[video_id][clip_id] = (start_us, end_us)
    return found


def keep_as_judged(session: Session, video_id: str | None = None) -> None:
    """Note how late the sound of every judged clip, or of a video's, was for its reviewer; a decision may say else."""
    seen = (
        select(ReviewRow.verdict_id, ClipRow.sound_late_us)
        .join(ClipRow, ClipRow.id == ReviewRow.clip_id)
        .where(ReviewRow.verdict_id.is_not(None))
    )
    if video_id is not None:
        seen = seen.where(ClipRow.video_id == video_id)
    insert_missing(session, JudgedRow, ("verdict_id", "sound_late_us"), seen)


def accepted(*columns: Any) -> Select[Any]:
    """Of every clip that people accepted: the clip, the verdict that counts, its row, its video, how it was judged."""
    return (
        select(*columns)
        .select_from(ClipRow)
        .join(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .join(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .join(Video, Video.id == ClipRow.video_id)
        .outerjoin(JudgedRow, JudgedRow.verdict_id == ReviewRow.verdict_id)
        .where(VerdictRow.verdict == Verdict.ACCEPT)
    )


def left_out() -> ColumnElement[str | None]:
    """Why a clip that people accepted is not published; null where it is.

    A better copy keeps it out only where that is in a benchmark, or was accepted too: else nothing of it would be left.
    """
    better, review, verdict = aliased(ClipRow), aliased(ReviewRow), aliased(VerdictRow)
    known = exists().where(better.id == ClipRow.duplicate_of)
    accepted_too = exists().where(
        review.clip_id == ClipRow.duplicate_of, verdict.id == review.verdict_id, verdict.verdict == Verdict.ACCEPT
    )
    return case(
        (Video.fetch == Outcome.TAKEN_DOWN, Outcome.TAKEN_DOWN.value),
        (SourceEntry.outcome != Outcome.OK, SourceEntry.outcome),
        (ClipRow.duplicate_of.is_not(None) & (~known | accepted_too), Outcome.DUPLICATE_CLIP.value),
        else_=None,
    )
