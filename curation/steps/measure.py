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

from sqlalchemy import delete, select
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
from curation.steps.due import to_measure, videos_that
from curation.steps.tracks import DECODED, TrackMaker, Tracks

Analyser = Callable[..., Timeline]
"""`curation.media.analyse.analyse`, or the same done elsewhere, such as in a sandboxed worker."""

Viewer = Callable[..., Frames]
"""`curation.media.look.look`, or the same done elsewhere."""


def videos_to_measure(ledger: Ledger, scores: Sequence[Score], *, recipe: Recipe) -> list[str]:
    """Ids of the videos that `due.to_measure` means, in order."""
    return videos_that(ledger, to_measure(scores, recipe))


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
            lacking = _lacking(session, video_id, scores)
            scores = [score for score, windows in zip(scores, lacking, strict=True) if windows]
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
        _measure(ledger, video_id, scores, window)
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
    if video.analysis_key != recipe.measuring_key() and _has_windows(session, video_id):
        _forget_windows(session, video_id)
    video.analysis, video.analysis_detail = Outcome.OK, timeline.notes
    video.analysis_key, video.duration_us = recipe.measuring_key(), timeline.duration_us
    video.cuts_us = [start for start, _ in shots[1:]]
    for entry in _rows_of(session, video_id):
        entry.proposal = _propose_windows(session, entry, span_of(entry, video), timeline, shots, recipe)
    session.flush()


def _lacking(session: Session, video_id: str, scores: Sequence[Score]) -> list[list[WindowRow]]:
    """For each score the windows of a video that have none of its version and settings, in order."""
    scored = select(WindowRow).where(WindowRow.video_id == video_id, WindowRow.crosses_cut.is_(False))
    windows = session.scalars(scored.order_by(WindowRow.start_us, WindowRow.id)).all()
    has = select(ScoreRow.window_id, ScoreRow.name, ScoreRow.version, ScoreRow.settings)
    mine = has.join(WindowRow, WindowRow.id == ScoreRow.window_id).where(WindowRow.video_id == video_id)
    measured = set(session.execute(mine).tuples())
    return [
        [row for row in windows if (row.id, score.name, score.version, score.settings) not in measured]
        for score in scores
    ]


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


def _measure(ledger: Ledger, video_id: str, scores: Sequence[Score], window: Callable[[int, int, str], Window]) -> None:
    """Measure the scores on the windows of a video that lack them; one transaction writes them all."""
    with ledger.session() as session:
        words = {entry.id: entry.caption or entry.label for entry in _rows_of(session, video_id)}
        lacking = _lacking(session, video_id, scores)
        wanted = {row.id: row for rows in lacking for row in rows}
        windows = {key: window(row.start_us, row.end_us, words.get(row.source_id, "")) for key, row in wanted.items()}
        ids = [[row.id for row in rows] for rows in lacking]
    found = []
    for score, lacks in zip(scores, ids, strict=True):
        measured = score.score([windows[one] for one in lacks]) if lacks else []
        what = {"name": score.name, "version": score.version, "settings": score.settings}
        found += [
            {"window_id": one, **what, "columns": _storable(columns)}
            for one, columns in zip(lacks, measured, strict=True)
        ]
    # Also where no window lacks any: a take-down leaves none, and embeddings may just have been kept.
    with unless_taken_down(ledger, video_id) as session:
        upsert(session, ScoreRow, found, update=("columns", "settings"))


def _storable(columns: Columns) -> dict[str, float | None]:
    """JSON knows no NaN: what could not be measured is null."""
    return {name: None if value != value else float(value) for name, value in columns.items()}


def _rows_of(session: Session, video_id: str) -> Sequence[SourceEntry]:
    rows = select(SourceEntry).where(SourceEntry.video_id == video_id, SourceEntry.outcome == Outcome.OK)
    return session.scalars(rows.order_by(SourceEntry.id)).all()


def _has_windows(session: Session, video_id: str) -> bool:
    return session.scalar(select(WindowRow.id).where(WindowRow.video_id == video_id).limit(1)) is not None


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
