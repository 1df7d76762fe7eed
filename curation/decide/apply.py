"""Apply a policy to the whole ledger: decide every window, then merge neighbours of one band into clips.

Reads scores only: no file is opened, nothing is decoded, so changing a threshold costs seconds.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from curation.clips import clip_id, merge
from curation.decide.policy import Band, Decision, Policy, decide
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, DecisionRow, ScoreRow, WindowRow
from curation.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Decided:
    """How many windows each band got, and how many clips they became."""

    windows: dict[Band, int]
    clips: dict[Band, int]


@dataclass(frozen=True, slots=True)
class _Judged:
    window: WindowRow
    columns: dict[str, float]
    decision: Decision


def decide_all(ledger: Ledger, policy: Policy, *, max_clip_us: int, audit_share: float) -> Decided:
    """Decide all windows anew and rebuild the list of clips; verdicts and cut files stay valid by clip id.

    `audit_share` of the accepted clips are drawn (by their id, so always the same ones) to be reviewed too.
    """
    windows: dict[Band, int] = dict.fromkeys(Band, 0)
    clips: list[ClipRow] = []
    with ledger.session() as session:
        session.execute(delete(DecisionRow))
        for judged in _judge(session, policy):
            for one in judged:
                windows[one.decision.band] += 1
                session.add(_decision_row(one, policy))
            clips += _clips_of(judged, policy, max_clip_us=max_clip_us, audit_share=audit_share)
        _replace_clips(session, clips)
        count = {band: sum(clip.band == band for clip in clips) for band in (Band.ACCEPT, Band.REVIEW)}
    return Decided(windows, count)


def in_audit(clip: str, share: float) -> bool:
    """Whether a clip belongs to the random share, as a pure function of its id."""
    return int(clip[:8], 16) / 0x1_0000_0000 < share


def _judge(session: Session, policy: Policy) -> list[list[_Judged]]:
    """All windows with their scores decided, grouped by video."""
    columns: dict[str, dict[str, float]] = defaultdict(dict)
    for row in session.scalars(select(ScoreRow).order_by(ScoreRow.version)):
        columns[row.window_id].update({name: float("nan") if v is None else v for name, v in row.columns.items()})
    groups: dict[str, list[_Judged]] = defaultdict(list)
    order = select(WindowRow).order_by(WindowRow.video_id, WindowRow.start_us)
    for window in session.scalars(order):
        found = columns.get(window.id, {})
        groups[window.video_id].append(_Judged(window, found, decide(found, policy, crosses_cut=window.crosses_cut)))
    return list(groups.values())


def _decision_row(one: _Judged, policy: Policy) -> DecisionRow:
    return DecisionRow(
        window_id=one.window.id,
        policy=policy.digest(),
        band=one.decision.band,
        reasons=list(one.decision.reasons),
        p_good=one.decision.p_good,
    )


def _clips_of(judged: Sequence[_Judged], policy: Policy, *, max_clip_us: int, audit_share: float) -> list[ClipRow]:
    """Merge one video's accepted windows, then those for review that no accepted clip overlaps.

    What an accepted clip already covers in part is not asked about: the reviewer's minute is the scarcest resource.
    """
    accepted = _merge_band(judged, Band.ACCEPT, (), max_clip_us)
    spans = [(start, end) for start, end, _ in accepted]
    review = _merge_band(judged, Band.REVIEW, spans, max_clip_us)
    clips = [_clip_row(span, Band.ACCEPT, policy, audit_share) for span in accepted]
    return clips + [_clip_row(span, Band.REVIEW, policy, audit_share) for span in review]


def _merge_band(
    judged: Sequence[_Judged], band: Band, taken: Sequence[tuple[int, int]], max_clip_us: int
) -> list[tuple[int, int, list[_Judged]]]:
    by_shot: dict[int, list[_Judged]] = defaultdict(list)
    for one in judged:
        free = all(one.window.end_us <= start or one.window.start_us >= end for start, end in taken)
        if one.decision.band == band and free:
            by_shot[one.window.shot].append(one)
    found = []
    for ones in by_shot.values():
        for start, end in merge([(one.window.start_us, one.window.end_us) for one in ones], max_us=max_clip_us):
            inside = [one for one in ones if one.window.start_us < end and one.window.end_us > start]
            found.append((start, end, inside))
    return found


def _clip_row(span: tuple[int, int, list[_Judged]], band: Band, policy: Policy, audit_share: float) -> ClipRow:
    start, end, ones = span
    worst = min(ones, key=lambda one: one.decision.p_good)
    key = clip_id(worst.window.video_id, start, end)
    return ClipRow(
        id=key,
        video_id=worst.window.video_id,
        source_id=worst.window.source_id,
        start_us=start,
        end_us=end,
        band=band,
        reasons=sorted({Outcome(reason) for one in ones for reason in one.decision.reasons}),
        p_good=worst.decision.p_good,
        scores={name: value for name, value in worst.columns.items() if value == value},
        policy=policy.digest(),
        audit=band is Band.ACCEPT and in_audit(key, audit_share),
        current=True,
        cut=None,
    )


def _replace_clips(session: Session, clips: Sequence[ClipRow]) -> None:
    session.execute(update(ClipRow).values(current=False))
    cuts = dict(session.execute(select(ClipRow.id, ClipRow.cut)).tuples().all())
    for clip in clips:
        clip.cut = cuts.get(clip.id)
        session.merge(clip)
