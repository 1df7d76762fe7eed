"""The full story of one item, from its link to its decision, as one nested record."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from curation.home.names import videos_published_as
from curation.ledger.open import Ledger
from curation.ledger.tables import (
    ClipRow,
    DecisionRow,
    ScoreRow,
    SourceEntry,
    TakedownRow,
    VerdictRow,
    Video,
    WindowRow,
)
from curation.outcomes import Outcome
from curation.sources.base import ids_of, path_from_here
from curation.sources.spans import TAKEN_WHOLE, is_cut_already
from shards.errors import BadInput

VERDICT_FACTS = (
    "verdict", "reviewer", "reason", "role", "undoes", "label", "caption", "parts", "sound_late_us", "seconds", "at",
)  # fmt: skip


def explain(ledger: Ledger, item: str) -> dict[str, Any]:
    """All that the ledger knows about a clip id, window id, video id, link in any spelling, path, or start of an id.

    Raises:
        BadInput: nothing of that name is in the ledger.
    """
    with ledger.session() as session:
        video_id = _video_id(session, item)
        if video_id is None:
            raise BadInput(f"the ledger knows no {item!r}", remedy="give a clip id, a video id, a link or a path")
        return {"asked": item, **_video_story(session, video_id)}


def scores_of_clips(ledger: Ledger, video_id: str) -> dict[str, dict[str, Any]]:
    """The scores of a video's clips by clip id: those of the window that a clip's decision rests on."""
    with ledger.session() as session:
        rows = session.execute(select(ClipRow.id, ClipRow.scores).where(ClipRow.video_id == video_id))
        return dict(rows.tuples().all())


def _video_id(session: Session, item: str) -> str | None:
    # Paths last: they have no index.
    for known in (
        Video.link == item,
        Video.id.in_({item, *ids_of(item)}),
        Video.path.in_({item, path_from_here(item)}),
    ):
        if found := session.scalar(select(Video.id).where(known).limit(1)):
            return found
    if found := next(iter(videos_published_as(session, item)), None):
        return found
    for table in (ClipRow, WindowRow):
        if found := session.scalar(select(table.video_id).where(table.id == item)):
            return found
    if len(item) >= 4:
        # A range, unlike LIKE, is what an index answers; ids are hexadecimal, so "g" lies behind them all.
        for column, video in ((ClipRow.id, ClipRow.video_id), (Video.id, Video.id)):
            if found := session.scalar(select(video).where(column >= item, column < f"{item}g").limit(1)):
                return found
    return None


def _video_story(session: Session, video_id: str) -> dict[str, Any]:
    video = session.get_one(Video, video_id)
    entries = session.scalars(select(SourceEntry).where(SourceEntry.video_id == video_id)).all()
    clips = session.scalars(select(ClipRow).where(ClipRow.video_id == video_id).order_by(ClipRow.start_us)).all()
    return {
        "link": video.link,
        "video_id": video.id,
        "rows": [_row_story(entry, video) for entry in entries],
        "fetch": _step(video.fetch, video.fetch_detail)
        | {"path": video.path, "sha256": video.sha256, "bytes": video.bytes, "at": video.fetched_at}
        | {"retry_at": video.retry_at, "title": video.title, "uploader": video.uploader, "by": video.extractor}
        | {"site_licence": video.site_licence, "taken_down": _takedowns(session, video_id)},
        "analysis": _step(video.analysis, video.analysis_detail)
        | {"seconds": _seconds(video.duration_us), "cuts_s": [_seconds(cut) for cut in video.cuts_us]},
        "windows": _window_stories(session, video_id),
        "clips": [_clip_story(session, clip) for clip in clips],
    }


def _row_story(entry: SourceEntry, video: Video) -> dict[str, Any]:
    names = ("table_name", "row", "caption", "label", "licence")
    return {name: getattr(entry, name) for name in names} | {
        "start_s": _seconds(entry.start_us),
        "end_s": _seconds(entry.end_us),
        "read": _step(entry.outcome, entry.detail),
        "windows": _step(entry.proposal, TAKEN_WHOLE if is_cut_already(entry, video) else ""),
    }


def _window_stories(session: Session, video_id: str) -> list[dict[str, Any]]:
    of_video = select(WindowRow, DecisionRow).outerjoin(DecisionRow, DecisionRow.window_id == WindowRow.id)
    windows = session.execute(of_video.where(WindowRow.video_id == video_id).order_by(WindowRow.start_us)).all()
    measured = select(ScoreRow).join(WindowRow, WindowRow.id == ScoreRow.window_id)
    scores: dict[str, list[ScoreRow]] = defaultdict(list)
    for score in session.scalars(measured.where(WindowRow.video_id == video_id).order_by(ScoreRow.version)):
        scores[score.window_id].append(score)
    return [_window_story(window, decision, scores[window.id]) for window, decision in windows]


def _window_story(window: WindowRow, decision: DecisionRow | None, scores: Sequence[ScoreRow]) -> dict[str, Any]:
    return {
        "id": window.id,
        "start_s": _seconds(window.start_us),
        "end_s": _seconds(window.end_us),
        "scores": {name: value for score in scores for name, value in score.columns.items()},
        "score_versions": {score.name: score.version for score in scores},
        "band": decision.band if decision else None,
        "p_good": decision.p_good if decision else None,
        "reasons": [_step(reason, "") for reason in decision.reasons] if decision else [],
        "policy": decision.policy if decision else None,
    }


def _takedowns(session: Session, video_id: str) -> list[dict[str, Any]]:
    rows = session.scalars(select(TakedownRow).where(TakedownRow.video_id == video_id).order_by(TakedownRow.id))
    return [{"at": row.at, "reason": row.reason, "snapshots": row.snapshots} for row in rows]


def _clip_story(session: Session, clip: ClipRow) -> dict[str, Any]:
    verdicts = session.scalars(select(VerdictRow).where(VerdictRow.clip_id == clip.id).order_by(VerdictRow.id)).all()
    return {
        "id": clip.id,
        "start_s": _seconds(clip.start_us),
        "end_s": _seconds(clip.end_us),
        "band": clip.band,
        "current": clip.current,
        "audit": clip.audit,
        "cut": clip.cut,
        "sound_late_s": _seconds(clip.sound_late_us),
        "duplicate_of": clip.duplicate_of,
        "verdicts": [
            {name: getattr(one, name) for name in VERDICT_FACTS if getattr(one, name) not in (None, "")}
            for one in verdicts
        ],
    }


def _step(outcome: str | None, detail: str) -> dict[str, Any]:
    if outcome is None:
        return {"outcome": None}
    return {"outcome": outcome, "detail": detail, "remedy": Outcome(outcome).remedy}


def _seconds(time_us: int | None) -> float | None:
    return None if time_us is None else time_us / 1e6
