"""The accounting identity: at every stage, what went in equals the sum of what came out, reason by reason."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from curation.decide.policy import Band
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, DecisionRow, SourceEntry, Video, WindowRow
from curation.outcomes import Outcome
from curation.review.queue import Verdict, latest_verdicts

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
            _cuts(session),
            _queue(session),
        ]


def _rows(session: Session) -> Stage:
    return Stage("source rows", _count(session, SourceEntry.id), _tally(session.scalars(select(SourceEntry.outcome))))


def _videos(session: Session) -> Stage:
    return Stage("videos fetched", _count(session, Video.id), _tally(session.scalars(select(Video.fetch))))


def _analysed(session: Session) -> Stage:
    fetched = select(Video.analysis).where(Video.fetch == Outcome.OK)
    entered = _tally(session.scalars(select(Video.fetch)))[Outcome.OK]
    return Stage("videos analysed", entered, _tally(session.scalars(fetched)))


def _spans(session: Session) -> Stage:
    rows = (
        select(SourceEntry.id, SourceEntry.proposal)
        .join(Video, Video.id == SourceEntry.video_id)
        .where(SourceEntry.outcome == Outcome.OK, Video.analysis == Outcome.OK)
    )
    found = session.execute(rows).tuples().all()
    return Stage("rows cut into windows", len(found), _tally(proposal for _, proposal in found))


def _windows(session: Session) -> Stage:
    decisions = session.execute(select(DecisionRow.band, DecisionRow.reasons)).tuples().all()
    outcomes = Counter({Band.ACCEPT.value: 0, Band.REVIEW.value: 0})
    outcomes.update(_decision_name(band, reasons) for band, reasons in decisions)
    if undecided := _count(session, WindowRow.id) - len(decisions):
        outcomes[UNTRIED] = undecided
    return Stage("windows decided", _count(session, WindowRow.id), dict(outcomes))


def _clips(session: Session) -> Stage:
    bands = session.scalars(select(ClipRow.band).where(ClipRow.current)).all()
    return Stage("clips merged", len(bands), Counter({Band.ACCEPT.value: 0, Band.REVIEW.value: 0}) + _tally(bands))


def _cuts(session: Session) -> Stage:
    accepted = select(ClipRow.cut).where(ClipRow.current, ClipRow.band == Band.ACCEPT)
    cuts = session.scalars(accepted).all()
    return Stage("accepted clips cut", len(cuts), _tally(cuts))


def _queue(session: Session) -> Stage:
    flagged = select(ClipRow.id).where(ClipRow.current, (ClipRow.band == Band.REVIEW) | ClipRow.audit)
    ids = session.scalars(flagged).all()
    verdicts = latest_verdicts(session)
    words = [f"{Verdict(verdicts[i].verdict)}ed" if i in verdicts else "waiting" for i in ids]
    return Stage("clips reviewed", len(ids), dict(Counter(words)))


def _decision_name(band: str, reasons: Sequence[str]) -> str:
    return f"reject: {reasons[0]}" if band == Band.REJECT else band


def _count(session: Session, column: object) -> int:
    return session.scalar(select(func.count(column))) or 0  # type: ignore[arg-type]


def _tally(values: Iterable[str | None]) -> Counter[str]:
    return Counter(UNTRIED if value is None else value for value in values)
