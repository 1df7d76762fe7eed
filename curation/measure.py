"""Decode a video once, cut its rows into windows, and measure every score that is missing.

All rows of a video land in one transaction, so a crash costs at most the video at hand.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Select, delete, exists, select
from sqlalchemy.orm import Session

from curation.clips import clip_id, propose
from curation.ledger.open import Ledger
from curation.ledger.tables import DecisionRow, ScoreRow, SourceEntry, Video, WindowRow
from curation.media.analyse import analyse
from curation.media.failures import MediaFailure
from curation.media.shots import find_shots
from curation.media.timeline import Timeline, Window
from curation.outcomes import Outcome
from curation.recipe import Recipe
from curation.scores.base import Columns, Score


def videos_to_measure(ledger: Ledger, scores: Sequence[Score], *, recipe: Recipe) -> list[str]:
    """Ids of fetched videos never decoded, decoded under other settings, with new rows, or lacking a score."""
    key = recipe.measuring_key()
    with ledger.session() as session:
        videos = session.scalars(select(Video).where(Video.fetch == Outcome.OK).order_by(Video.id)).all()
        return [video.id for video in videos if _is_stale(session, video, scores, key)]


def measure_video(ledger: Ledger, video_id: str, scores: Sequence[Score], *, recipe: Recipe) -> Outcome:
    """Decode one video and record its windows and scores, or why it cannot be decoded; never raises for that."""
    with ledger.session() as session:
        path = Path(session.get_one(Video, video_id).path or "")
    try:
        timeline = analyse(path, settings=recipe.analysis)
    except MediaFailure as failure:
        return _record_failure(ledger, video_id, failure, recipe.measuring_key())
    shots = find_shots(timeline)
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        if video.analysis_key != recipe.measuring_key():
            _forget_windows(session, video_id)
        video.analysis, video.analysis_detail = Outcome.OK, ""
        video.analysis_key, video.duration_us = recipe.measuring_key(), timeline.duration_us
        video.cuts_us = [start for start, _ in shots[1:]]
        for entry in _rows_of(session, video_id):
            entry.proposal = _propose_windows(session, entry, timeline, shots, recipe)
        session.flush()
        _score_windows(session, video_id, timeline, scores)
    return Outcome.OK


def _is_stale(session: Session, video: Video, scores: Sequence[Score], key: str) -> bool:
    if video.analysis is None or video.analysis_key != key:
        return True
    if video.analysis != Outcome.OK:
        return False
    if any(entry.proposal is None for entry in _rows_of(session, video.id)):
        return True
    return any(session.scalars(_windows_lacking(video.id, score).limit(1)).first() for score in scores)


def _windows_lacking(video_id: str, score: Score) -> Select[tuple[WindowRow]]:
    has = exists().where(
        ScoreRow.window_id == WindowRow.id, ScoreRow.name == score.name, ScoreRow.version == score.version
    )
    order = select(WindowRow).order_by(WindowRow.start_us, WindowRow.id)
    return order.where(WindowRow.video_id == video_id, WindowRow.crosses_cut.is_(False), ~has)


def _propose_windows(
    session: Session,
    entry: SourceEntry,
    timeline: Timeline,
    shots: Sequence[tuple[int, int]],
    recipe: Recipe,
) -> Outcome:
    first, last = entry.start_us or 0, min(entry.end_us or timeline.duration_us, timeline.duration_us)
    if first >= timeline.duration_us:
        return Outcome.SPAN_OUTSIDE
    settings = recipe.clips
    if last - first < settings.window_s * 1_000_000:
        return Outcome.TOO_SHORT
    for proposal in propose(
        shots,
        window_us=round(settings.window_s * 1_000_000),
        stride_us=round(settings.stride_s * 1_000_000),
        frame_us=timeline.frame_us,
        span_us=(first, last),
    ):
        key = clip_id(entry.video_id or "", proposal.start_us, proposal.end_us)
        if session.get(WindowRow, key) is None:
            session.add(
                WindowRow(
                    id=key,
                    video_id=entry.video_id,
                    source_id=entry.id,
                    shot=proposal.shot,
                    start_us=proposal.start_us,
                    end_us=proposal.end_us,
                    crosses_cut=proposal.crosses_cut,
                )
            )
    return Outcome.OK


def _score_windows(session: Session, video_id: str, timeline: Timeline, scores: Sequence[Score]) -> None:
    words = {entry.id: entry.caption or entry.label for entry in _rows_of(session, video_id)}
    for score in scores:
        rows = session.scalars(_windows_lacking(video_id, score)).all()
        if not rows:
            continue
        windows = [Window(timeline, row.start_us, row.end_us, words.get(row.source_id, "")) for row in rows]
        for row, columns in zip(rows, score.score(windows), strict=True):
            session.add(ScoreRow(window_id=row.id, name=score.name, version=score.version, columns=_storable(columns)))


def _storable(columns: Columns) -> dict[str, float | None]:
    """JSON knows no NaN: what could not be measured is null."""
    return {name: None if value != value else float(value) for name, value in columns.items()}


def _rows_of(session: Session, video_id: str) -> Sequence[SourceEntry]:
    rows = select(SourceEntry).where(SourceEntry.video_id == video_id, SourceEntry.outcome == Outcome.OK)
    return session.scalars(rows.order_by(SourceEntry.id)).all()


def _forget_windows(session: Session, video_id: str) -> None:
    ids = select(WindowRow.id).where(WindowRow.video_id == video_id)
    session.execute(delete(ScoreRow).where(ScoreRow.window_id.in_(ids)))
    session.execute(delete(DecisionRow).where(DecisionRow.window_id.in_(ids)))
    session.execute(delete(WindowRow).where(WindowRow.video_id == video_id))


def _record_failure(ledger: Ledger, video_id: str, failure: MediaFailure, key: str) -> Outcome:
    with ledger.session() as session:
        _forget_windows(session, video_id)
        video = session.get_one(Video, video_id)
        video.analysis, video.analysis_detail, video.analysis_key = failure.outcome, failure.detail, key
    return failure.outcome
