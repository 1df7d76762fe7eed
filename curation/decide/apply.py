"""Apply a policy to the whole ledger: decide every window, then merge neighbours of one band into clips.

Reads scores only: no file is opened, nothing is decoded, so changing a threshold costs seconds. Some hundred videos are
in memory at a time, whatever the ledger's size.
"""

import gc
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Text, cast, delete, select, update
from sqlalchemy.orm import Session

from curation.clips import Span
from curation.decide.correction import constant_offset_s, corrected
from curation.decide.merging import Judged, clips_of
from curation.decide.policy import Band, Policy, decide
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, DecisionRow, ScoreRow, SourceEntry, Video, WindowRow
from curation.ledger.upsert import append, upsert
from curation.outcomes import Outcome
from curation.verdicts.judged import answered_spans, keep_as_judged

# Whole-ledger reads take plain rows: mapped objects would cost several times as much as all the rest.
WINDOW, SCORE, SOURCE = WindowRow.__table__, ScoreRow.__table__, SourceEntry.__table__

VIDEOS_AT_ONCE = 256

DECIDED_ANEW = (
    "video_id", "source_id", "start_us", "end_us", "band", "reasons", "p_good", "scores", "policy", "audit", "current",
    "sound_late_us",
)  # fmt: skip
"""What a decision says about a clip; what was cut and which clip it duplicates stays."""


@dataclass(frozen=True, slots=True)
class Decided:
    """How many windows each band got, and how many clips they became."""

    windows: dict[Band, int]
    clips: dict[Band, int]


@dataclass(frozen=True, slots=True)
class Merging:
    """How neighbouring windows become clips.

    Attributes:
        max_clip_us: longest clip; longer ones are split.
        audit_share: of the accepted clips, drawn by their id, so always the same ones, to be reviewed too.
        max_clips_per_video: keep the best so many of each band; 0 keeps all.
    """

    max_clip_us: int
    audit_share: float
    max_clips_per_video: int = 0


def decide_all(ledger: Ledger, policy: Policy, merging: Merging) -> Decided:
    """Decide all windows anew and rebuild the list of clips; verdicts and cut files stay valid by clip id.

    Windows of rows that are no longer wanted are not decided. Clips that people answered stay as they are, whether the
    policy still proposes them or not.

    Args:
        ledger: where scores are read and decisions written, in one transaction.
        policy: gates, prior and band edges.
        merging: how windows become clips.
    """
    windows: Counter[Band] = Counter(dict.fromkeys(Band, 0))
    clips: Counter[Band] = Counter({Band.ACCEPT: 0, Band.REVIEW: 0})
    with ledger.session() as session, _no_collector():
        keep_as_judged(session)
        session.execute(delete(DecisionRow))
        session.execute(update(ClipRow).where(ClipRow.current).values(current=False))
        for some in _some_videos(session):
            judged, found = _decide(session, policy, some, merging)
            windows.update(one.decision.band for one in judged)
            clips.update(Band(clip["band"]) for clip in found)
    return Decided(dict(windows), dict(clips))


def decide_video(session: Session, video_id: str, policy: Policy, merging: Merging) -> None:
    """Decide one video's windows and rebuild its clips, as `decide_all` does it for all."""
    keep_as_judged(session, video_id)
    mine = select(WindowRow.id).where(WindowRow.video_id == video_id)
    session.execute(delete(DecisionRow).where(DecisionRow.window_id.in_(mine)))
    session.execute(update(ClipRow).where(ClipRow.video_id == video_id, ClipRow.current).values(current=False))
    if session.scalar(mine.limit(1)) is not None:
        _decide(session, policy, [video_id], merging)


def _decide(
    session: Session, policy: Policy, videos: Sequence[str], merging: Merging
) -> tuple[list[Judged], list[dict[str, Any]]]:
    """Write what the policy says of some videos that follow each other; returns their windows and their clips."""
    by_video, answered = _judge(session, policy, videos[0], videos[-1])
    judged = [one for video in by_video.values() for one in video]
    _write_decisions(session, judged, policy)
    found = [
        clip
        for video_id, video in by_video.items()
        for clip in clips_of(
            video,
            policy,
            max_clip_us=merging.max_clip_us,
            audit_share=merging.audit_share,
            most=merging.max_clips_per_video,
            answered=answered.get(video_id),
        )
    ]
    upsert(session, ClipRow, found, update=DECIDED_ANEW)
    return judged, found


class PlacedWindow(NamedTuple):
    """A window as the ledger has it."""

    id: str
    video_id: str
    source_id: str
    shot: int
    start_us: int
    end_us: int
    crosses_cut: bool


class _Entry(NamedTuple):
    id: str
    video_id: str
    label: str
    start_us: int | None
    end_us: int | None


_Answered = Mapping[str, dict[str, Span]]


def _some_videos(session: Session) -> Iterator[Sequence[str]]:
    """The videos that have windows, some at a time, in order."""
    after = ""
    rows = select(WindowRow.video_id).distinct().order_by(WindowRow.video_id).limit(VIDEOS_AT_ONCE)
    while some := session.scalars(rows.where(WindowRow.video_id > after)).all():
        yield some
        after = some[-1]


def _judge(session: Session, policy: Policy, first: str, last: str) -> tuple[dict[str, list[Judged]], _Answered]:
    """The windows of the videos from `first` to `last`, decided, by video; and what people answered of them."""
    columns, entries = _columns(session, first, last), _entries(session, first, last)
    length_us = _lengths_us(session, first, last)
    judged = {
        video_id: judge_video(_wanted(windows, entries.get(video_id, ())), columns, policy, length_us[video_id])
        for video_id, windows in groupby(_windows(session, first, last), key=lambda one: one.video_id)
    }
    return judged, answered_spans(session, first, last)


def _windows(session: Session, first: str, last: str) -> Iterator[PlacedWindow]:
    rows = (
        select(*(WINDOW.c[name] for name in PlacedWindow._fields))
        .where(WINDOW.c.video_id >= first, WINDOW.c.video_id <= last)
        .order_by(WINDOW.c.video_id, WINDOW.c.start_us, WINDOW.c.id)
    )
    return map(PlacedWindow._make, session.execute(rows))


def _lengths_us(session: Session, first: str, last: str) -> dict[str, int]:
    """How long the videos are, by id."""
    rows = select(Video.id, Video.duration_us).where(Video.id >= first, Video.id <= last)
    return {video_id: duration_us or 0 for video_id, duration_us in session.execute(rows)}


def _columns(session: Session, first: str, last: str) -> dict[str, dict[str, float]]:
    """The score columns of each window, by window id; of two versions the newer counts."""
    rows = session.execute(
        select(SCORE.c.window_id, cast(SCORE.c.columns, Text))
        .join(WINDOW, WINDOW.c.id == SCORE.c.window_id)
        .where(WINDOW.c.video_id >= first, WINDOW.c.video_id <= last)
        .order_by(SCORE.c.version)
    ).all()
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (window_id, _), columns in zip(rows, _parsed([text for _, text in rows]), strict=True):
        if None in columns.values():
            columns = {name: math.nan if value is None else value for name, value in columns.items()}
        found[window_id].update(columns)  # type: ignore[arg-type]
    return found


def _parsed(texts: Sequence[str]) -> list[dict[str, float | None]]:
    """JSON leaves the database as text: one parse of many documents is several times faster than many parses."""
    return json.loads(f"[{','.join(texts)}]")  # type: ignore[no-any-return]


def _entries(session: Session, first: str, last: str) -> Mapping[str, list[_Entry]]:
    """The wanted rows of the videos, by video."""
    rows = (
        select(*(SOURCE.c[name] for name in _Entry._fields))
        .where(SOURCE.c.video_id >= first, SOURCE.c.video_id <= last, SOURCE.c.outcome == Outcome.OK)
        .order_by(SOURCE.c.id)
    )
    found: dict[str, list[_Entry]] = defaultdict(list)
    for entry in map(_Entry._make, session.execute(rows)):
        found[entry.video_id].append(entry)
    return found


def _wanted(windows: Iterable[PlacedWindow], entries: Sequence[_Entry]) -> list[tuple[PlacedWindow, str]]:
    """The windows that lie in a wanted row, with the class of that; a window's own row comes first."""
    own = {entry.id: entry for entry in entries}
    found = []
    for window in windows:
        entry = own.get(window.source_id) or next((one for one in entries if _covers(one, window)), None)
        if entry is not None:
            found.append((window if entry.id == window.source_id else window._replace(source_id=entry.id), entry.label))
    return found


def _covers(entry: _Entry, window: PlacedWindow) -> bool:
    return (entry.start_us or 0) <= window.start_us and (entry.end_us is None or window.end_us <= entry.end_us)


def judge_video(
    windows: Sequence[tuple[PlacedWindow, str]], columns: Mapping[str, dict[str, float]], policy: Policy, length_us: int
) -> list[Judged]:
    """The windows of one video, decided; a constant offset of its sound is taken out first.

    At an end of the video a sound that is moved lacks a part: such windows are judged, and cut, as they are.

    Args:
        windows: each with its class.
        columns: what was measured, by window id.
        policy: the rules.
        length_us: how long the video is.
    """
    measured = [columns.get(window.id, {}) for window, _ in windows]
    spans = [(window.start_us, window.end_us) for window, _ in windows]
    late_s = constant_offset_s(measured, spans, policy.correction)
    late_us = round((late_s or 0.0) * 1e6)
    whole = [window.start_us + late_us >= 0 and window.end_us + late_us <= length_us for window, _ in windows]
    return [
        _judged(window, own, policy, label=label, late_s=late_s if there else None)
        for (window, label), own, there in zip(windows, measured, whole, strict=True)
    ]


def _judged(
    window: PlacedWindow, columns: dict[str, float], policy: Policy, *, label: str, late_s: float | None
) -> Judged:
    moved = columns if late_s is None else corrected(columns, late_s, policy.correction)
    mended = late_s is not None and moved != columns
    decision = decide(moved, policy, crosses_cut=window.crosses_cut, label=label, offset_corrected=mended)
    return Judged(
        window_id=window.id,
        video_id=window.video_id,
        source_id=window.source_id,
        shot=window.shot,
        start_us=window.start_us,
        end_us=window.end_us,
        columns=moved | {"offset_before_s": columns["offset_s"], "sync_before": columns["sync_at_zero"]}
        if mended
        else columns,
        decision=decision,
        sound_late_us=round((late_s or 0.0) * 1e6) if mended else 0,
    )


@contextmanager
def _no_collector() -> Iterator[None]:
    """Nothing here is cyclic, yet the collector would walk through millions of rows again and again: a third more."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _write_decisions(session: Session, judged: Sequence[Judged], policy: Policy) -> None:
    digest = policy.digest()
    rows = [
        {
            "window_id": one.window_id,
            "policy": digest,
            "band": one.decision.band.value,
            "reasons": [reason.value for reason in one.decision.reasons],
            "p_good": one.decision.p_good,
        }
        for one in judged
    ]
    append(session, DecisionRow, rows)
