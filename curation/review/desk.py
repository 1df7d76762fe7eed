"""What lies on a reviewer's desk: one clip, how far the queue is, and the way back to the clip before.

Going back reads the ledger, not the browser, so it reaches any depth and survives a reload or a restart.
"""

from collections.abc import Set
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, VerdictRow
from curation.review.queue import Item, RejectReason, Verdict, flagged
from shards.errors import BadInput


class UnknownClip(BadInput):
    """A clip was asked for that the ledger does not hold, or that nobody is to review."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict that counts on a clip that is shown again."""

    verdict: Verdict
    reason: RejectReason | None
    reviewer: str


@dataclass(frozen=True, slots=True)
class Desk:
    """A clip (None when nothing waits), its present answer, and the queue around it."""

    item: Item | None
    answer: Answer | None
    waiting: int
    accepted: int
    rejected: int
    before: str | None
    after: str | None

    @property
    def done(self) -> int:
        """Flagged clips that have an answer."""
        return self.accepted + self.rejected

    @property
    def flagged(self) -> int:
        """Clips that the queue ever held."""
        return self.waiting + self.done


def lay_out(ledger: Ledger, *, reviewer: str, clip_id: str | None = None) -> Desk:
    """The desk with the next waiting clip on it, or with a given one.

    Raises:
        UnknownClip: the given clip is not one that was flagged.
    """
    items = {item.clip_id: item for item in flagged(ledger, waiting_only=False)}
    if clip_id is not None and clip_id not in items:
        raise UnknownClip(f"there is no flagged clip {clip_id}", remedy="go back to the queue")
    waiting = [item for item in items.values() if item.verdict is None]
    item = items[clip_id] if clip_id else next(iter(waiting), None)
    with ledger.session() as session:
        newest = _newest(session, item.clip_id) if item else None
        answer = _answer(newest) if newest else None
        before = _before(session, items.keys(), reviewer, newest)
    return Desk(
        item=item,
        answer=answer,
        waiting=len(waiting),
        accepted=sum(one.verdict is Verdict.ACCEPT for one in items.values()),
        rejected=sum(one.verdict is Verdict.REJECT for one in items.values()),
        before=before,
        after=next((one.clip_id for one in waiting if one is not item), None),
    )


def knows_clip(ledger: Ledger, clip_id: str) -> bool:
    """Whether the ledger holds a clip of this id."""
    with ledger.session() as session:
        return session.get(ClipRow, clip_id) is not None


def _newest(session: Session, clip_id: str) -> VerdictRow | None:
    answers = select(VerdictRow).where(VerdictRow.clip_id == clip_id).order_by(VerdictRow.id.desc())
    return session.scalars(answers.limit(1)).first()


def _before(session: Session, known: Set[str], reviewer: str, newest: VerdictRow | None) -> str | None:
    """The clip that this reviewer answered last, or last before the answer that is on the desk."""
    last = func.max(VerdictRow.id)
    answered = select(VerdictRow.clip_id).where(VerdictRow.reviewer == reviewer).group_by(VerdictRow.clip_id)
    if newest is not None:
        answered = answered.having(last < newest.id)
    return next((clip_id for clip_id in session.scalars(answered.order_by(last.desc())) if clip_id in known), None)


def _answer(row: VerdictRow) -> Answer:
    return Answer(Verdict(row.verdict), RejectReason(row.reason) if row.reason else None, row.reviewer)
