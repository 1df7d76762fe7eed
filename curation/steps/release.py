"""Let the files of fetched videos leave that nothing needs any more; `curation.home.store` says how long they stay."""

from pathlib import Path

from sqlalchemy import ColumnElement, and_, exists, or_, select

from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.leases import claim_videos, give_back
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, JudgedRow, ReviewRow, VerdictRow, Video
from curation.outcomes import Outcome
from curation.verdicts.answers import Verdict

VIDEOS_AT_ONCE = 256


def release(ledger: Ledger, home: Home, video_id: str) -> int:
    """Let a video's file leave, if nothing needs it any more; returns how many bytes that frees.

    Whoever calls this has claimed the video.
    """
    with ledger.session() as session:
        video = session.scalar(select(Video).where(Video.id == video_id, may_leave()))
        path = Path(video.path) if video and video.path else None
        if video is None or path is None or path.parent != home.videos:
            return 0
        size = path.stat().st_size if path.is_file() else 0
        # The row first: whoever finds the file gone looks there.
        video.path = None
    path.unlink(missing_ok=True)
    return size


def release_all(ledger: Ledger, home: Home, *, holder: str) -> int:
    """Let every file leave that nothing needs any more and nobody works with; returns how many bytes that frees."""
    freed, after = 0, ""
    while videos := claim_videos(
        ledger, and_(Video.path.is_not(None), may_leave()), holder=holder, most=VIDEOS_AT_ONCE, after=after
    ):
        freed += sum(release(ledger, home, video_id) for video_id in videos)
        give_back(ledger, holder, videos)
        after = videos[-1]
    return freed


def may_leave() -> ColumnElement[bool]:
    """Whether nothing needs a video's file: it is decided, what was accepted is cut, and nobody is to be asked."""
    done = and_(Video.fetch == Outcome.OK, Video.analysis.is_not(None))
    mine = and_(ClipRow.video_id == Video.id, ClipRow.duplicate_of.is_(None))
    uncut = exists().where(mine, ClipRow.current, ClipRow.band == Band.ACCEPT, ClipRow.cut.is_(None))
    answered = exists().where(ReviewRow.clip_id == ClipRow.id, ReviewRow.verdict_id.is_not(None))
    asked = exists().where(mine, ClipRow.current, or_(ClipRow.band == Band.REVIEW, ClipRow.audit), ~answered)
    # What people accepted is cut as they left it, by the publication of `curated`.
    cut = exists().where(JudgedRow.verdict_id == VerdictRow.id, JudgedRow.cut.is_not(None))
    judged = exists().where(
        mine, ReviewRow.clip_id == ClipRow.id, VerdictRow.id == ReviewRow.verdict_id,
        VerdictRow.verdict == Verdict.ACCEPT, ~cut,
    )  # fmt: skip
    return and_(done, ~uncut, ~asked, ~judged)
