"""Decode a video once, cut its rows into windows, and measure every score that is missing.

Nothing is computed while a transaction is open: threads that measure side by side would wait for each other's, and a
long video would make them give up. Windows land first and scores after them, so a crash costs at most the scores of
the video at hand, which the next run finds lacking.

A video may be taken down while it is measured: every write asks for that first, and nothing of it is kept.
"""

from collections.abc import Callable, Sequence, Set
from functools import partial
from itertools import pairwise
from pathlib import Path

from sqlalchemy import Exists, Select, delete, exists, select
from sqlalchemy.orm import Session

from curation.clips import Span, clip_id, propose
from curation.dedup.fingerprint import fingerprint
from curation.dedup.ledger import remember
from curation.home.takedown import TakenDownMeanwhile, is_taken_down, unless_taken_down
from curation.ledger.open import Ledger
from curation.ledger.tables import DecisionRow, ScoreRow, SourceEntry, Video, WindowRow
from curation.ledger.upsert import upsert
from curation.media.analyse import analyse
from curation.media.failures import MediaFailure
from curation.media.look import Frames, look
from curation.media.shots import find_shots
from curation.media.timeline import Looker, Timeline, Window, undecoded
from curation.outcomes import Outcome
from curation.scores.base import Columns, Need, Score
from curation.settings.recipe import Recipe
from curation.sources.spans import span_of
from curation.steps.tracks import DECODED, TrackMaker, Tracks

Analyser = Callable[..., Timeline]
"""`curation.media.analyse.analyse`, or the same done elsewhere, such as in a sandboxed worker."""

Viewer = Callable[..., Frames]
"""`curation.media.look.look`, or the same done elsewhere."""


def videos_to_measure(ledger: Ledger, scores: Sequence[Score], *, recipe: Recipe) -> list[str]:
    """Ids of fetched videos never decoded, decoded under other settings, with new rows, or lacking a score."""
    fetched = select(Video.id).where(Video.fetch == Outcome.OK)
    other = fetched.where(Video.analysis_key.is_distinct_from(recipe.measuring_key()) | Video.analysis.is_(None))
    usable = fetched.where(Video.analysis == Outcome.OK)
    new_rows = usable.join(SourceEntry, SourceEntry.video_id == Video.id).where(
        SourceEntry.outcome == Outcome.OK, SourceEntry.proposal.is_(None)
    )
    with ledger.session() as session:
        stale = {*session.scalars(other), *session.scalars(new_rows)}
        for score in scores:
            stale.update(session.scalars(_videos_lacking(score)))
    return sorted(stale)


def measure_video(
    ledger: Ledger,
    video_id: str,
    scores: Sequence[Score],
    *,
    recipe: Recipe,
    analyser: Analyser = analyse,
    tracks: TrackMaker | None = None,
    viewer: Viewer = look,
) -> Outcome:
    """Decode one video and record its windows and scores, or why it cannot be decoded; never raises for that.

    Of a video that is taken down meanwhile nothing is recorded or kept.

    A video that was measured before and lacks some scores is decoded only as far as those need it; not at all if all
    they need are embeddings that `tracks`, which scores of meaning cannot do without, has kept.
    """
    try:
        return _look_and_measure(
            ledger, video_id, scores, recipe=recipe, analyser=analyser, tracks=tracks, viewer=viewer
        )
    except TakenDownMeanwhile:
        if tracks:
            tracks.store.remove(video_id)
        return Outcome.TAKEN_DOWN


def _look_and_measure(
    ledger: Ledger,
    video_id: str,
    scores: Sequence[Score],
    *,
    recipe: Recipe,
    analyser: Analyser,
    tracks: TrackMaker | None,
    viewer: Viewer,
) -> Outcome:
    """What `measure_video` does.

    Raises:
        TakenDownMeanwhile: the video was taken down before the last of it was written.
    """
    key = recipe.measuring_key()
    with ledger.session() as session:
        if is_taken_down(session, video_id):
            raise TakenDownMeanwhile(video_id)
        path = Path(session.get_one(Video, video_id).path or "")
        anew = _to_be_proposed(session, video_id, key)
        if not anew:
            scores = [score for score in scores if session.scalars(_windows_lacking(video_id, score).limit(1)).first()]
    needs = frozenset[Need]().union(*(score.needs for score in scores))
    found = tracks.kept(video_id, needs) if tracks and not anew else {}
    wanted = (needs - found.keys()) | {DECODED[need] for need in needs & DECODED.keys() - found.keys()}
    try:
        timeline = _decoded(ledger, video_id, path, wanted, anew=anew, recipe=recipe, analyser=analyser)
        if tracks:
            found |= tracks.make(video_id, timeline, needs - found.keys())
        if anew:
            shots, marks = find_shots(timeline, recipe.shots), fingerprint(timeline)
            with unless_taken_down(ledger, video_id) as session:
                remember(session, video_id, marks)
                _propose_all(session, video_id, timeline, shots, recipe)
        looker = partial(viewer, path, settings=recipe.analysis)
        window = _windows_of(timeline, found, looker, _takes(ledger, video_id, timeline))
        for score in scores:
            _measure(ledger, video_id, score, window)
    except MediaFailure as failure:
        return _record_failure(ledger, video_id, failure, key)
    return Outcome.OK


def _decoded(
    ledger: Ledger, video_id: str, path: Path, wanted: Set[Need], *, anew: bool, recipe: Recipe, analyser: Analyser
) -> Timeline:
    """As much of the video as is wanted, which may be nothing."""
    if not anew and not wanted & {Need.CURVES, Need.THUMBNAILS, Need.WAVEFORM}:
        with ledger.session() as session:
            return undecoded(session.get_one(Video, video_id).duration_us or 0)
    return analyser(
        path,
        settings=recipe.analysis,
        thumbnails=Need.THUMBNAILS in wanted,
        pictures=anew or bool(wanted & {Need.CURVES, Need.THUMBNAILS}),
    )


def _to_be_proposed(session: Session, video_id: str, key: str) -> bool:
    """Whether the windows of some row of a video have to be found, which takes its pictures."""
    video = session.get_one(Video, video_id)
    if video.analysis != Outcome.OK or video.analysis_key != key:
        return True
    return any(entry.proposal is None for entry in _rows_of(session, video_id))


def _propose_all(
    session: Session, video_id: str, timeline: Timeline, shots: Sequence[tuple[int, int]], recipe: Recipe
) -> None:
    """Record what the decode pass says about a video, and the windows of all its rows."""
    video = session.get_one(Video, video_id)
    if video.analysis_key != recipe.measuring_key():
        _forget_windows(session, video_id)
    video.analysis, video.analysis_detail = Outcome.OK, timeline.notes
    video.analysis_key, video.duration_us = recipe.measuring_key(), timeline.duration_us
    video.cuts_us = [start for start, _ in shots[1:]]
    for entry in _rows_of(session, video_id):
        entry.proposal = _propose_windows(session, entry, span_of(entry, video), timeline, shots, recipe)
    session.flush()


def _videos_lacking(score: Score) -> Select[tuple[str]]:
    usable = select(Video.id).where(Video.fetch == Outcome.OK, Video.analysis == Outcome.OK)
    rows = select(WindowRow.video_id).where(WindowRow.crosses_cut.is_(False), ~_has(score))
    return rows.where(WindowRow.video_id.in_(usable)).distinct()


def _windows_lacking(video_id: str, score: Score) -> Select[tuple[WindowRow]]:
    order = select(WindowRow).order_by(WindowRow.start_us, WindowRow.id)
    return order.where(WindowRow.video_id == video_id, WindowRow.crosses_cut.is_(False), ~_has(score))


def _has(score: Score) -> Exists:
    return exists().where(
        ScoreRow.window_id == WindowRow.id,
        ScoreRow.name == score.name,
        ScoreRow.version == score.version,
        ScoreRow.settings == score.settings,
    )


def _propose_windows(
    session: Session,
    entry: SourceEntry,
    span: Span | None,
    timeline: Timeline,
    shots: Sequence[tuple[int, int]],
    recipe: Recipe,
) -> Outcome:
    if span is None:
        return Outcome.SPAN_OUTSIDE
    first, last = span
    settings = recipe.clips
    if last - first < settings.window_s * 1_000_000:
        return Outcome.TOO_SHORT
    rows = []
    for proposal in propose(
        shots,
        window_us=round(settings.window_s * 1_000_000),
        stride_us=round(settings.stride_s * 1_000_000),
        frame_us=timeline.frame_us,
        span_us=span,
    ):
        rows.append(
            {
                "id": clip_id(entry.video_id or "", proposal.start_us, proposal.end_us),
                "video_id": entry.video_id,
                "source_id": entry.id,
                "shot": proposal.shot,
                "start_us": proposal.start_us,
                "end_us": proposal.end_us,
                "crosses_cut": proposal.crosses_cut,
            }
        )
    upsert(session, WindowRow, rows, update=())
    return Outcome.OK


def _takes(ledger: Ledger, video_id: str, timeline: Timeline) -> list[Span]:
    """The shots of a video, as they were found when it was decoded."""
    with ledger.session() as session:
        cuts_us = session.get_one(Video, video_id).cuts_us or []
    return list(pairwise([0, *cuts_us, timeline.duration_us]))


def _windows_of(
    timeline: Timeline, tracks: Tracks, looker: Looker, takes: Sequence[Span]
) -> Callable[[int, int, str], Window]:
    """Makes the windows of one video: of start, end and words."""
    seen, heard = tracks.get(Need.PICTURE_TRACK), tracks.get(Need.SOUND_TRACK)

    def window(start_us: int, end_us: int, words: str) -> Window:
        take = next((one for one in takes if one[0] <= start_us < one[1]), None)
        return Window(timeline, start_us, end_us, words, seen, heard, looker, take)

    return window


def _measure(ledger: Ledger, video_id: str, score: Score, window: Callable[[int, int, str], Window]) -> None:
    """Measure one score on the windows of a video that lack it."""
    with ledger.session() as session:
        words = {entry.id: entry.caption or entry.label for entry in _rows_of(session, video_id)}
        lacking = {
            row.id: window(row.start_us, row.end_us, words.get(row.source_id, ""))
            for row in session.scalars(_windows_lacking(video_id, score))
        }
    measured = score.score(list(lacking.values())) if lacking else []
    what = {"name": score.name, "version": score.version, "settings": score.settings}
    rows = [
        {"window_id": window_id, **what, "columns": _storable(columns)}
        for window_id, columns in zip(lacking, measured, strict=True)
    ]
    # Also where no window lacks it: a take-down leaves none, and embeddings may just have been kept.
    with unless_taken_down(ledger, video_id) as session:
        upsert(session, ScoreRow, rows, update=("columns", "settings"))


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
    with unless_taken_down(ledger, video_id) as session:
        _forget_windows(session, video_id)
        video = session.get_one(Video, video_id)
        video.analysis, video.analysis_detail, video.analysis_key = failure.outcome, failure.detail, key
    return failure.outcome
