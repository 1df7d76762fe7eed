"""Writing answers: each a new row, each once, and where the clip stands worked out in the same transaction."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from curation.ledger.clock import now_in_ms
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ReviewRow, VerdictRow
from curation.review.queue import take
from curation.review.standings import add_verdict, hold_row, review_row, row_of
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import Answer, Edits, NotYours, RejectReason, Role, State, UnknownClip, Verdict
from shards.errors import BadInput
from shards.words import printable

__all__ = ["Answer", "Edits", "answer", "check", "check_parts", "make_golden", "record", "undo"]

Done = TypeVar("Done")
ATTEMPTS = 8
"""Each failed one means that somebody else's row came first: the clip's, then an answer's. [ours]"""

_KEY_IS_TAKEN = "this key was used for another answer"


def answer(ledger: Ledger, given: Answer, settings: ReviewSettings | None = None, *, from_desk: bool = False) -> int:
    """Write an answer, once for each key; returns the id of its row.

    Args:
        ledger: where it is written.
        given: the answer.
        settings: how the queue is mixed; which classes want how many.
        from_desk: it comes from a reviewer's desk, so the clip must not have gone to somebody else.

    Raises:
        UnknownClip: the ledger holds no such clip.
        NotYours: it comes from a desk, and another reviewer has the clip or answered it.
        BadInput: the answer contradicts itself, or its key came with another answer before.
    """
    given = given.in_print()
    check(given)
    chosen = settings or ReviewSettings()
    return _once(ledger, lambda session: _write(session, given, chosen, from_desk=from_desk), of=given.clip_id)


def record(
    ledger: Ledger, clip_ids: Sequence[str], verdict: Verdict, *, reviewer: str, reason: RejectReason | None = None
) -> None:
    """Write one final answer for each clip, all or none.

    Raises:
        BadInput: a clip is not known, or a rejection names no reason.
    """
    answers = [Answer(one, verdict, reviewer, reason, final=True).in_print() for one in clip_ids]
    for one in answers:
        check(one)
    with ledger.session() as session:
        for one in answers:
            _write(session, one, ReviewSettings())


def undo(
    ledger: Ledger, reviewer: str, settings: ReviewSettings | None = None, *, key: str | None = None, page: str = ""
) -> str | None:
    """Take back this reviewer's newest answer that still stands; returns its clip, or None if there is none.

    The same key takes back one answer, however often it is sent. The clip is leased to the reviewer at once, so that it
    can be answered anew.

    Raises:
        BadInput: the key is an answer's, or another reviewer's.
    """
    chosen = settings or ReviewSettings()
    return _once(ledger, lambda session: _take_back(session, reviewer, chosen, key, page), of="the last clip")


def make_golden(ledger: Ledger, clip_ids: Sequence[str], *, golden: bool = True) -> None:
    """Let the answer that counts on these clips be what other reviewers are measured by.

    Raises:
        BadInput: one of them has no answer that counts.
    """
    with ledger.session() as session:
        for clip_id in clip_ids:
            row = session.get(ReviewRow, clip_id)
            if row is None or row.verdict_id is None:
                raise BadInput(
                    f"{clip_id} has no answer that counts", remedy="answer it first: clapboard review accept"
                )
            row.golden = golden


def check(given: Answer) -> None:
    """Refuse an answer that contradicts itself.

    Raises:
        BadInput: it does.
    """
    if given.verdict is Verdict.UNDO:
        raise BadInput("an answer is not taken back by another one", remedy="use undo")
    if given.verdict is Verdict.REJECT and given.reason is None:
        raise BadInput("a rejection needs a reason", remedy=f"give --reason, one of: {', '.join(RejectReason)}")
    if given.verdict is not Verdict.REJECT and given.reason is not None:
        raise BadInput("only a rejection has a reason", remedy="reject instead, or leave the reason out")


def check_parts(given: Answer, clip: ClipRow) -> None:
    """Refuse parts that are none of this clip.

    Raises:
        BadInput: they overlap, or lie outside.
    """
    parts = given.edits.parts
    if parts is None:
        return
    edges = [edge for part in parts for edge in part]
    if not parts or any(start >= end for start, end in parts) or edges != sorted(edges):
        raise BadInput("the parts of a clip follow each other", remedy="give starts before ends, in order")
    if edges[0] < clip.start_us or edges[-1] > clip.end_us:
        raise BadInput(
            f"parts lie within the clip, {clip.start_us} to {clip.end_us} us",
            remedy="move the trim marks, or reset them",
        )


def _once(ledger: Ledger, write: Callable[[Session], Done], *, of: str) -> Done:
    for _ in range(ATTEMPTS):
        try:
            with ledger.session() as session:
                return write(session)
        except IntegrityError:
            # Another connection wrote this key, or this clip's row, a moment ago; now it can be seen.
            continue
    raise BadInput(f"the answer on {of} could not be written", remedy="send it again")


def _write(session: Session, given: Answer, settings: ReviewSettings, *, from_desk: bool = False) -> int:
    if (known := _known(session, given)) is not None:
        return known
    clip = session.get(ClipRow, given.clip_id)
    if clip is None:
        raise UnknownClip(f"there is no clip {given.clip_id}", remedy="see `clapboard review list`")
    check_parts(given, clip)
    if from_desk and not take(session, given.reviewer, clip.id):
        # The same answer, sent twice at once: the other one was written while this one waited for the clip.
        if (known := _known(session, given)) is not None:
            return known
        raise _not_yours(session, given)
    return add_verdict(session, review_row(session, clip), given, settings).id


def _known(session: Session, given: Answer) -> int | None:
    """The row that this answer was written to before.

    Raises:
        BadInput: its key came with something else.
    """
    row = session.scalar(select(VerdictRow).where(VerdictRow.key == given.key)) if given.key else None
    if row is not None and _said(row) != _said(row_of(given)):
        raise BadInput(_KEY_IS_TAKEN, remedy="reload the page")
    return None if row is None else row.id


def _said(row: VerdictRow) -> tuple[object, ...]:
    words = row.clip_id, row.verdict, row.reviewer, row.reason, row.label, row.caption
    return *words, row.parts, row.sound_late_us, row.seconds, row.page


def _not_yours(session: Session, given: Answer) -> NotYours:
    row = session.get(ReviewRow, given.clip_id)
    why = "another reviewer has this clip now"
    if row is None or row.state == State.GONE:
        why = "this clip has left the queue"
    elif row.state == State.DONE:
        why = "this clip was answered in the meantime"
    return NotYours(why, remedy="Your answer was not needed; go on with the next clip")


def _take_back(session: Session, reviewer: str, settings: ReviewSettings, key: str | None, page: str) -> str | None:
    if key and (known := session.scalar(select(VerdictRow).where(VerdictRow.key == key))):
        if known.verdict != Verdict.UNDO or known.reviewer != reviewer:
            raise BadInput(_KEY_IS_TAKEN, remedy="reload the page")
        return known.clip_id
    last = _newest_standing(session, reviewer)
    while last is not None:
        hold_row(session, last.clip_id)
        # While this one waited for the clip, another undo may have taken the same answer back.
        found = _newest_standing(session, reviewer)
        if found is last:
            break
        last = found
    if last is None:
        return None
    row = session.get_one(ReviewRow, last.clip_id, populate_existing=True)
    undone = Answer(last.clip_id, Verdict.UNDO, reviewer, key=key, page=printable(page))
    add_verdict(session, row, undone, settings, role=Role.ANSWER, undoes=last.id)
    row.leased_to, row.leased_until_ms = reviewer, now_in_ms(session) + round(settings.lease_s * 1000)
    return last.clip_id


def _newest_standing(session: Session, reviewer: str) -> VerdictRow | None:
    taken_back = aliased(VerdictRow)
    mine = select(VerdictRow).where(VerdictRow.reviewer == reviewer, VerdictRow.verdict != Verdict.UNDO)
    standing_rows = mine.where(~exists().where(taken_back.undoes == VerdictRow.id))
    return session.scalar(standing_rows.order_by(VerdictRow.id.desc()).limit(1))
