"""The accounting identity: at every stage, what went in equals the sum of what came out, reason by reason."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, case, cast, exists, func, select, true
from sqlalchemy.orm import Session

from curation.decide.policy import Band
from curation.ledger.open import Ledger
from curation.ledger.tables import (
    ClipRow,
    DecisionRow,
    JudgedRow,
    ReviewRow,
    SourceEntry,
    VerdictRow,
    Video,
    WindowRow,
)
from curation.outcomes import Outcome
from curation.verdicts.answers import Verdict
from curation.verdicts.judged import accepted, left_out

UNTRIED = "not_tried_yet"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: how many items came in, and how many left by each outcome."""

    name: str
    entered: int
    outcomes: dict[str, int]

    @property
    def adds_up(self) -> bool:
        """Whether the outcomes sum to what came in."""
        return self.entered == sum(self.outcomes.values())


def funnel(ledger: Ledger) -> list[Stage]:
    """The ledger's whole story, stage by stage; the counts of `entered` come from their own queries."""
    with ledger.session() as session:
        return [
            _rows(session),
            _videos(session),
            _analysed(session),
            _spans(session),
            _windows(session),
            _clips(session),
            _kept(session),
            _cuts(session),
            _queue(session),
            _curated(session),
        ]


def _rows(session: Session) -> Stage:
    return Stage("source rows", _count(session, SourceEntry.id), _tally(session, SourceEntry.outcome))


def _videos(session: Session) -> Stage:
    return Stage("videos fetched", _count(session, Video.id), _tally(session, Video.fetch))


def _analysed(session: Session) -> Stage:
    fetched = Video.fetch == Outcome.OK
    return Stage("videos analysed", _count(session, Video.id, fetched), _tally(session, Video.analysis, fetched))


def _spans(session: Session) -> Stage:
    analysed = select(Video.id).where(Video.analysis == Outcome.OK)
    usable = (SourceEntry.outcome == Outcome.OK) & SourceEntry.video_id.in_(analysed)
    entered, outcomes = _count(session, SourceEntry.id, usable), _tally(session, SourceEntry.proposal, usable)
    return Stage("rows cut into windows", entered, outcomes)


def _windows(session: Session) -> Stage:
    # Reasons are compared as the database keeps them: there are few different ones, and a million windows.
    reasons = cast(DecisionRow.reasons, String)
    rows = session.execute(select(DecisionRow.band, reasons, func.count()).group_by(DecisionRow.band, reasons)).all()
    outcomes = Counter({Band.ACCEPT.value: 0, Band.REVIEW.value: 0})
    for band, why, count in rows:
        outcomes[_decision_name(band, json.loads(why))] += count
    entered = _count(session, WindowRow.id)
    if undecided := entered - outcomes.total():
        unwanted = _unwanted(session)
        outcomes += Counter(unwanted)
        if waiting := undecided - sum(unwanted.values()):
            outcomes[UNTRIED] = waiting
    return Stage("windows decided", entered, {Band.ACCEPT.value: 0, Band.REVIEW.value: 0, **outcomes})


def _unwanted(session: Session) -> dict[str, int]:
    """Windows of rows that came in once and are kept out now, by what keeps them out."""
    undecided = ~exists().where(DecisionRow.window_id == WindowRow.id)
    rows = (
        select(SourceEntry.outcome, func.count())
        # By video too, since that is what windows are found by.
        .join(WindowRow, (WindowRow.video_id == SourceEntry.video_id) & (WindowRow.source_id == SourceEntry.id))
        .where(SourceEntry.outcome != Outcome.OK, undecided)
        .group_by(SourceEntry.outcome)
    )
    return dict(session.execute(rows).tuples().all())


def _clips(session: Session) -> Stage:
    bands = {Band.ACCEPT.value: 0, Band.REVIEW.value: 0}
    return Stage(
        "clips merged",
        _count(session, ClipRow.id, ClipRow.current),
        bands | _tally(session, ClipRow.band, ClipRow.current),
    )


def _kept(session: Session) -> Stage:
    kept = case((ClipRow.duplicate_of.is_(None), Outcome.OK), else_=Outcome.DUPLICATE_CLIP)
    entered = _count(session, ClipRow.id, ClipRow.current)
    return Stage("clips without a better copy", entered, _tally(session, kept, ClipRow.current))


def _cuts(session: Session) -> Stage:
    accepted = ClipRow.current & (ClipRow.band == Band.ACCEPT) & ClipRow.duplicate_of.is_(None)
    return Stage("accepted clips cut", _count(session, ClipRow.id, accepted), _tally(session, ClipRow.cut, accepted))


def _queue(session: Session) -> Stage:
    """What is asked about now, and all that was answered under whatever policy."""
    flagged = ClipRow.current & ClipRow.duplicate_of.is_(None) & ((ClipRow.band == Band.REVIEW) | ClipRow.audit)
    rows = (
        select(VerdictRow.verdict, func.count())
        .select_from(ClipRow)
        .outerjoin(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .outerjoin(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
    )
    verdicts = session.execute(rows.where(flagged | VerdictRow.id.is_not(None)).group_by(VerdictRow.verdict)).tuples()
    outcomes = {"waiting" if verdict is None else f"{Verdict(verdict)}ed": count for verdict, count in verdicts}
    in_question = flagged | ClipRow.id.in_(select(ReviewRow.clip_id).where(ReviewRow.verdict_id.is_not(None)))
    return Stage("clips reviewed", _count(session, ClipRow.id, in_question), outcomes)


def _curated(session: Session) -> Stage:
    """Clips that people accepted: those of the curated snapshot, and what kept the others out of it."""
    entered = session.scalar(
        select(func.count(ReviewRow.clip_id))
        .join(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
        .where(VerdictRow.verdict == Verdict.ACCEPT)
    )
    one = accepted(func.coalesce(left_out(), JudgedRow.cut).label("outcome")).subquery().c
    rows = session.execute(select(one.outcome, func.count()).group_by(one.outcome)).tuples()
    outcomes = {outcome or UNTRIED: count for outcome, count in rows}
    return Stage("clips people accepted cut", entered or 0, outcomes)


def _decision_name(band: str, reasons: Sequence[str]) -> str:
    return f"reject: {reasons[0]}" if band == Band.REJECT else band


def _count(session: Session, column: Any, where: Any = true()) -> int:
    return session.scalar(select(func.count(column)).where(where)) or 0


def _tally(session: Session, column: Any, where: Any = true()) -> dict[str, int]:
    """How often each value occurs; what is not there yet was not tried."""
    rows = session.execute(select(column, func.count()).where(where).group_by(column))
    return {UNTRIED if value is None else str(value): count for value, count in rows}
