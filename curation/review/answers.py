"""Writing answers: each a new row, each once, and where the clip stands worked out in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ReviewRow, SourceEntry, VerdictRow
from curation.review.queue import lot_of, now_in_ms
from curation.review.settings import ReviewSettings
from curation.review.targets import deficit, reorder, value_of_row
from curation.review.verdicts import Given, RejectReason, Role, State, UnknownClip, Verdict, standing
from shards.errors import BadInput

DISPUTE_VALUE = 10.0
"""Above all values there are: a disagreement is settled before anything else is asked."""


@dataclass(frozen=True, slots=True)
class Edits:
    """What a reviewer changed about a clip; None is left as it was.

    Attributes:
        label, caption: other words.
        parts: spans of the source in microseconds, in order, apart from each other, within the clip.
        sound_late_us: how late the sound is in the source, which the cut shall mend.
    """

    label: str | None = None
    caption: str | None = None
    parts: tuple[tuple[int, int], ...] | None = None
    sound_late_us: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one reviewer, as it is sent. `key` makes it count once however often it is sent."""

    clip_id: str
    verdict: Verdict
    reviewer: str
    reason: RejectReason | None = None
    key: str | None = None
    edits: Edits = field(default_factory=Edits)
    seconds: float | None = None
    page: str = ""
    final: bool = False


def answer(ledger: Ledger, given: Answer, settings: ReviewSettings | None = None) -> int:
    """Write an answer, once for each key; returns the id of its row.

    Raises:
        UnknownClip: the ledger holds no such clip.
        BadInput: the answer contradicts itself, or its key came with another answer before.
    """
    _check(given)
    for _ in range(2):
        try:
            with ledger.session() as session:
                return _write(session, given, settings or ReviewSettings())
        except IntegrityError:
            # Another connection wrote this key, or this clip's row, a moment ago; now it can be seen.
            continue
    raise BadInput(f"the answer on {given.clip_id} could not be written", remedy="send it again")


def record(
    ledger: Ledger, clip_ids: Sequence[str], verdict: Verdict, *, reviewer: str, reason: RejectReason | None = None
) -> None:
    """Write one final answer for each clip, all or none.

    Raises:
        BadInput: a clip is not known, or a rejection names no reason.
    """
    answers = [Answer(one, verdict, reviewer, reason, final=True) for one in clip_ids]
    for one in answers:
        _check(one)
    with ledger.session() as session:
        for one in answers:
            _write(session, one, ReviewSettings())


def undo(ledger: Ledger, reviewer: str, *, key: str | None = None, page: str = "") -> str | None:
    """Take back this reviewer's newest answer that still stands; returns its clip, or None if there is none.

    The clip is leased to the reviewer at once, so that it can be answered anew.
    """
    taken_back = aliased(VerdictRow)
    standing_rows = (
        select(VerdictRow)
        .where(VerdictRow.reviewer == reviewer, VerdictRow.verdict != Verdict.UNDO)
        .where(~exists().where(taken_back.undoes == VerdictRow.id))
        .order_by(VerdictRow.id.desc())
        .limit(1)
    )
    settings = ReviewSettings()
    with ledger.session() as session:
        if key and (known := session.scalar(select(VerdictRow).where(VerdictRow.key == key))):
            return known.clip_id
        last = session.scalar(standing_rows)
        if last is None:
            return None
        row = session.get_one(ReviewRow, last.clip_id, with_for_update=True)
        session.add(
            VerdictRow(
                clip_id=last.clip_id, reviewer=reviewer, verdict=Verdict.UNDO, undoes=last.id, key=key, page=page
            )
        )
        session.flush()
        _stand(session, row, settings)
        row.leased_to, row.leased_until_ms = reviewer, now_in_ms() + round(settings.lease_s * 1000)
        return last.clip_id


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


def _write(session: Session, given: Answer, settings: ReviewSettings) -> int:
    if given.key and (known := session.scalar(select(VerdictRow).where(VerdictRow.key == given.key))):
        if (known.clip_id, known.verdict, known.reviewer) != (given.clip_id, given.verdict, given.reviewer):
            raise BadInput("this key was used for another answer", remedy="reload the page")
        return known.id
    clip = session.get(ClipRow, given.clip_id)
    if clip is None:
        raise UnknownClip(f"there is no clip {given.clip_id}", remedy="see `clapboard review list`")
    _check_parts(given, clip)
    row = session.get(ReviewRow, given.clip_id, with_for_update=True)
    if row is None:
        label = session.scalar(select(SourceEntry.label).where(SourceEntry.id == clip.source_id)) or ""
        session.add(row := ReviewRow(clip_id=clip.id, label=label, shuffle=lot_of("order", clip.id), state=State.GONE))
        row.answers, row.wanted, row.audit, row.golden = 0, 1, False, False
    edits = given.edits
    verdict = VerdictRow(
        clip_id=given.clip_id,
        reviewer=given.reviewer,
        verdict=given.verdict,
        reason=given.reason or "",
        role=_role(row, given),
        key=given.key,
        label=edits.label,
        caption=edits.caption,
        parts=None if edits.parts is None else [list(part) for part in edits.parts],
        sound_late_us=edits.sound_late_us,
        seconds=given.seconds,
        page=given.page,
    )
    session.add(verdict)
    session.flush()
    accepted_before = _accepts(session, row)
    _stand(session, row, settings)
    if row.leased_to == given.reviewer:
        row.leased_to, row.leased_until_ms = None, 0
    if settings.target(row.label) and accepted_before != _accepts(session, row):
        session.flush()
        reorder(session, row.label, deficit(session, row.label, settings))
    return verdict.id


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


def _check(given: Answer) -> None:
    if given.verdict is Verdict.UNDO:
        raise BadInput("an answer is not taken back by another one", remedy="use undo")
    if given.verdict is Verdict.REJECT and given.reason is None:
        raise BadInput("a rejection needs a reason", remedy=f"give --reason, one of: {', '.join(RejectReason)}")
    if given.verdict is not Verdict.REJECT and given.reason is not None:
        raise BadInput("only a rejection has a reason", remedy="reject instead, or leave the reason out")


def _check_parts(given: Answer, clip: ClipRow) -> None:
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
