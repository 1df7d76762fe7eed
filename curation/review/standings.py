"""Rows of verdicts and where their clip stands: one is added, the other follows, in the same transaction."""

import uuid
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from curation.ledger.tables import ClipRow, ReviewRow, SourceEntry, VerdictRow
from curation.review.enrolling import lot_of
from curation.review.targets import deficit, reorder, value_of_row
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import Answer, Given, Role, State, Verdict, standing

DISPUTE_VALUE = 10.0
"""Above all values there are: a disagreement is settled before anything else is asked."""


def review_row(session: Session, clip: ClipRow) -> ReviewRow:
    """Where a clip stands; a clip that nobody flagged gets a row as well, once somebody answers it."""
    row = session.get(ReviewRow, clip.id, with_for_update=True)
    if row is None:
        label = session.scalar(select(SourceEntry.label).where(SourceEntry.id == clip.source_id)) or ""
        session.add(row := ReviewRow(clip_id=clip.id, label=label, shuffle=lot_of("order", clip.id), state=State.GONE))
        row.answers, row.wanted, row.audit, row.golden = 0, 1, clip.audit, False
    return row


def add_verdict(
    session: Session,
    row: ReviewRow,
    given: Answer,
    settings: ReviewSettings,
    *,
    role: Role | None = None,
    at: datetime | None = None,
    undoes: int | None = None,
) -> VerdictRow:
    """Add a row and work out where its clip stands. What it is for follows from that, unless `role` says it.

    `at` is when it was said, now if not given. Every row gets a key, so that it can be known again elsewhere.
    """
    verdict = row_of(given)
    verdict.role, verdict.undoes, verdict.key = role or _role(row, given), undoes, given.key or str(uuid.uuid4())
    if at is not None:
        verdict.at = at
    session.add(verdict)
    session.flush()
    _follow(session, row, given.reviewer, settings)
    return verdict


def row_of(given: Answer) -> VerdictRow:
    """An answer as a row that is in no ledger yet."""
    edits = given.edits
    return VerdictRow(
        clip_id=given.clip_id,
        reviewer=given.reviewer,
        verdict=given.verdict,
        reason=given.reason or "",
        key=given.key,
        label=edits.label,
        caption=edits.caption,
        parts=None if edits.parts is None else [list(part) for part in edits.parts],
        sound_late_us=edits.sound_late_us,
        seconds=given.seconds,
        page=given.page,
    )


def hold_row(session: Session, clip_id: str) -> None:
    """Let nobody else change where a clip stands until this transaction ends: a write that changes nothing."""
    held = update(ReviewRow).where(ReviewRow.clip_id == clip_id).values(label=ReviewRow.label)
    session.execute(held.execution_options(synchronize_session=False))


def _follow(session: Session, row: ReviewRow, reviewer: str, settings: ReviewSettings) -> None:
    """Bring the clip in line with its verdicts, end its reviewer's lease, and order its class anew if that matters."""
    accepted_before = _accepts(session, row)
    _stand(session, row, settings)
    if row.leased_to == reviewer:
        row.leased_to, row.leased_until_ms = None, 0
    if settings.target(row.label) and accepted_before != _accepts(session, row):
        session.flush()
        reorder(session, row.label, deficit(session, row.label, settings))


def _role(row: ReviewRow, given: Answer) -> Role:
    if given.final:
        return Role.FINAL
    if row.golden and row.verdict_id is not None:
        return Role.GOLDEN
    return Role.ADJUDICATION if row.state == State.DISPUTED else Role.ANSWER


def _stand(session: Session, row: ReviewRow, settings: ReviewSettings) -> None:
    """Work out anew where a clip stands, from its verdicts."""
    now = standing(_given(session, row.clip_id), wanted=row.wanted)
    left = row.state == State.GONE and now.state is State.WAITING
    row.state = State.GONE if left else now.state
    row.verdict_id, row.answers = now.counts, now.answers
    if now.state is State.DISPUTED:
        row.value = DISPUTE_VALUE
    elif row.value == DISPUTE_VALUE:
        row.value = value_of_row(row, deficit(session, row.label, settings))


def _given(session: Session, clip_id: str) -> list[Given]:
    rows = session.scalars(select(VerdictRow).where(VerdictRow.clip_id == clip_id).order_by(VerdictRow.id))
    return [Given(one.id, one.reviewer, Verdict(one.verdict), Role(one.role), one.undoes) for one in rows]


def _accepts(session: Session, row: ReviewRow) -> bool:
    if row.verdict_id is None:
        return False
    return session.get_one(VerdictRow, row.verdict_id).verdict == Verdict.ACCEPT
