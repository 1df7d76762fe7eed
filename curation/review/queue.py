"""The review queue: which clip a reviewer gets next, and who holds which.

Each clip that a person is to see has a row that says where it stands. A reviewer claims clips by lease; no two hold the
same, and what is not answered comes back. The order is the value of the answer, mixed with a random share of what was
accepted unseen (so that its precision is known) and with clips whose answer is known (so that reviewers are).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Update, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from curation.ledger.clock import now_in_ms
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ReviewRow, SourceEntry, VerdictRow, Video
from curation.outcomes import Outcome
from curation.review.enrolling import enrol, lot_of, still_open
from curation.settings.review import LONGEST_LEASE_S, ReviewSettings
from curation.verdicts.answers import DECIDING, State, UnknownClip, Verdict

__all__ = ["Item", "claim", "enrol", "flagged", "hold", "items", "let_go", "lot_of", "take"]

CANDIDATES = 16


@dataclass(frozen=True, slots=True)
class Item:
    """A flagged clip as a reviewer sees it."""

    clip_id: str
    link: str
    title: str
    uploader: str
    caption: str
    label: str
    licence: str
    start_us: int
    end_us: int
    sound_late_us: int
    reasons: tuple[Outcome, ...]
    p_good: float
    scores: dict[str, float]
    state: State
    verdict: Verdict | None


def claim(
    ledger: Ledger, reviewer: str, settings: ReviewSettings, *, count: int = 1, now_ms: int | None = None
) -> list[str]:
    """Ids of up to `count` clips that this reviewer now holds, those held before first.

    Nobody else gets them until the lease ends. What the reviewer skipped comes again only when nothing else is left.
    """
    with ledger.session() as session:
        now = now_ms if now_ms is not None else now_in_ms(session)
        held = list(
            session.scalars(
                select(ReviewRow.clip_id)
                .where(ReviewRow.leased_to == reviewer, ~_run_out(now))
                .where(still_open() | ReviewRow.golden)
                .order_by(ReviewRow.leased_until_ms, ReviewRow.value.desc(), ReviewRow.clip_id)
            )
        )[:count]
        answered = session.scalar(select(func.count()).where(VerdictRow.reviewer == reviewer)) or 0
    while len(held) < count:
        got = _lease_one(ledger, reviewer, settings, lot=answered + len(held), taken=held, now=now)
        if got is None:
            break
        held.append(got)
    return held


def hold(
    ledger: Ledger, reviewer: str, clip_ids: Collection[str], settings: ReviewSettings, *, now_ms: int | None = None
) -> list[str]:
    """Renew the leases of clips that are still on this reviewer's desk; returns those that are.

    A lease that ran out lives again if nobody else took the clip in the meantime.
    """
    wanted = (ReviewRow.state != State.DONE) | ReviewRow.golden
    mine = ReviewRow.clip_id.in_(clip_ids), ReviewRow.leased_to == reviewer, wanted
    with ledger.session() as session:
        until = (now_ms if now_ms is not None else now_in_ms(session)) + round(settings.lease_s * 1000)
        session.execute(update(ReviewRow).where(*mine).values(leased_until_ms=until))
        return list(session.scalars(select(ReviewRow.clip_id).where(*mine)))


def take(session: Session, reviewer: str, clip_id: str) -> bool:
    """Make sure that a clip is this reviewer's to answer, within the transaction that writes the answer.

    It is if nobody else holds it and it still wants an answer: also when the lease ran out, or was given back.
    """
    mine = ReviewRow.leased_to == reviewer
    free = or_(mine, ReviewRow.leased_to.is_(None), _run_out(now_in_ms(session)))
    wanted = or_(still_open(), ReviewRow.golden, and_(mine, ReviewRow.state == State.GONE))
    # One conditional update, like a claim: what comes at the same time waits for it, on either kind of ledger.
    taken = update(ReviewRow).where(ReviewRow.clip_id == clip_id, free, wanted).values(leased_to=reviewer)
    return bool(session.execute(taken).rowcount)  # type: ignore[attr-defined]


def let_go(ledger: Ledger, reviewer: str, clip_ids: Collection[str] | None = None) -> None:
    """Give back clips, or all that this reviewer holds."""
    mine = [ReviewRow.leased_to == reviewer]
    if clip_ids is not None:
        mine.append(ReviewRow.clip_id.in_(clip_ids))
    with ledger.session() as session:
        session.execute(update(ReviewRow).where(*mine).values(leased_to=None, leased_until_ms=0))


def items(ledger: Ledger, clip_ids: Sequence[str]) -> list[Item]:
    """What a reviewer sees of these clips, in the order asked for.

    Raises:
        UnknownClip: one of them is not in the queue.
    """
    with ledger.session() as session:
        found = {row[0].id: _item(*row) for row in session.execute(_shown(ReviewRow.clip_id.in_(clip_ids))).tuples()}
    for clip_id in clip_ids:
        if clip_id not in found:
            raise UnknownClip(f"there is no flagged clip {clip_id}", remedy="go back to the queue")
    return [found[clip_id] for clip_id in clip_ids]


def flagged(ledger: Ledger, *, waiting_only: bool = True) -> list[Item]:
    """The queue, the clip whose answer is worth most first; with `waiting_only` just those that need an answer."""
    chosen = still_open() if waiting_only else ReviewRow.state != State.GONE
    with ledger.session() as session:
        return [_item(*row) for row in session.execute(_shown(chosen)).tuples()]


def _lease_one(
    ledger: Ledger, reviewer: str, settings: ReviewSettings, *, lot: int, taken: Sequence[str], now: int
) -> str | None:
    drawn = lot_of("mix", reviewer, str(lot))
    order = _USUAL
    if drawn < settings.golden_mix:
        order = (_GOLDEN, *_USUAL)
    elif drawn < settings.golden_mix + settings.audit_mix:
        order = (_AUDITS, *_USUAL)
    until = now + round(settings.lease_s * 1000)
    asked = {"reviewer": reviewer, "now": now, "taken": list(taken)}
    for found_by, leased_by in order:
        # Another connection may be quicker; then the next candidate is tried, and at last a new list of them.
        for _ in range(CANDIDATES):
            with ledger.session() as session:
                found = session.scalars(found_by, asked).all()
                for clip_id in found:
                    # Between the two it may have been leased, or leased and answered.
                    mine = asked | {"clip": clip_id, "until": until}
                    if session.execute(leased_by, mine).rowcount:  # type: ignore[attr-defined]
                        return clip_id
            if len(found) < CANDIDATES:
                break
    return None


def _answered(verdicts: Iterable[Verdict]) -> ColumnElement[bool]:
    """Whether the reviewer who asks gave such an answer that still stands."""
    taken_back = aliased(VerdictRow)
    return exists().where(
        VerdictRow.clip_id == ReviewRow.clip_id,
        VerdictRow.reviewer == bindparam("reviewer"),
        VerdictRow.verdict.in_(list(verdicts)),
        ~exists().where(taken_back.undoes == VerdictRow.id),
    )


def _pick(chosen: ColumnElement[bool], *order: Any) -> tuple[Select[tuple[str]], Update]:
    """How candidates are found, and how one of them is leased. Made once: building them takes longer than asking."""
    free = and_(
        or_(ReviewRow.leased_to.is_(None), _run_out(bindparam("now", type_=BigInteger))),
        ReviewRow.clip_id.not_in(bindparam("taken", expanding=True)),
    )
    found = select(ReviewRow.clip_id).where(free, chosen).order_by(*order, ReviewRow.clip_id).limit(CANDIDATES)
    leased = update(ReviewRow).where(ReviewRow.clip_id == bindparam("clip"), free, chosen)
    leased = leased.values(leased_to=bindparam("reviewer"), leased_until_ms=bindparam("until"))
    return found, leased.execution_options(synchronize_session=False)


def _run_out(now_ms: Any) -> ColumnElement[bool]:
    """Whether a lease is over, or was given by a clock that was wrong."""
    latest = now_ms + LONGEST_LEASE_S * 1000
    return or_(ReviewRow.leased_until_ms <= now_ms, ReviewRow.leased_until_ms > latest)


_NEW_TO_ME = ~_answered((*DECIDING, Verdict.SKIP))
_ONLY_SKIPPED = ~_answered(DECIDING)
_AUDITS = _pick(and_(ReviewRow.state == State.WAITING, ReviewRow.audit, _NEW_TO_ME), ReviewRow.shuffle)
_GOLDEN = _pick(and_(ReviewRow.golden, ReviewRow.state == State.DONE, _NEW_TO_ME), ReviewRow.shuffle)
# A state at a time, so that the index gives the order.
_USUAL = tuple(
    _pick(and_(ReviewRow.state == state, mine), ReviewRow.value.desc())
    for mine in (_NEW_TO_ME, _ONLY_SKIPPED)
    for state in (State.DISPUTED, State.WAITING)
)


def _shown(chosen: ColumnElement[bool]) -> Any:
    return (
        select(ClipRow, SourceEntry, Video, ReviewRow, VerdictRow)
        .join(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .join(Video, Video.id == ClipRow.video_id)
        .outerjoin(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
        .where(chosen)
        .order_by(ReviewRow.value.desc(), ClipRow.id)
    )


def _item(clip: ClipRow, entry: SourceEntry, video: Video, review: ReviewRow, verdict: VerdictRow | None) -> Item:
    reasons = tuple(Outcome(reason) for reason in clip.reasons) or (Outcome.AUDIT,)
    return Item(
        clip_id=clip.id,
        link=video.link,
        title=video.title or "",
        uploader=video.uploader or "",
        caption=entry.caption,
        label=entry.label,
        licence=entry.licence,
        start_us=clip.start_us,
        end_us=clip.end_us,
        sound_late_us=clip.sound_late_us,
        reasons=reasons,
        p_good=clip.p_good,
        scores=clip.scores,
        state=State(review.state),
        verdict=Verdict(verdict.verdict) if verdict else None,
    )
