"""The review queue: which clips wait for a person, and the answers, kept for ever.

A verdict is a new row, never a change; the newest row of a clip counts, so a second thought is just another verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from curation.decide.asking import value_of_answer
from curation.decide.policy import Band
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, SourceEntry, VerdictRow, Video
from curation.outcomes import Outcome
from shards.errors import BadInput


class Verdict(StrEnum):
    """A person's answer."""

    ACCEPT = "accept"
    REJECT = "reject"


class RejectReason(StrEnum):
    """Why a person rejects: the predecessor's three criteria [pred] and what reviewers meet besides."""

    CAMERA_MOTION = "camera_motion"
    NOT_SYNCHRONISED = "not_synchronised"
    MEANING = "meaning"
    OFF_SCREEN_SOUND = "off_screen_sound"
    WRONG_CLASS = "wrong_class"
    BAD_QUALITY = "bad_quality"
    OFFENSIVE = "offensive"
    PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Item:
    """A flagged clip as a reviewer sees it."""

    clip_id: str
    link: str
    caption: str
    label: str
    licence: str
    start_us: int
    end_us: int
    reasons: tuple[Outcome, ...]
    p_good: float
    scores: dict[str, float]
    verdict: Verdict | None


def flagged(ledger: Ledger, *, waiting_only: bool = True) -> list[Item]:
    """The queue, the clip whose answer is worth most first; with `waiting_only` just those without a verdict."""
    rows = (
        select(ClipRow, SourceEntry, Video)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .join(Video, Video.id == ClipRow.video_id)
        .where(ClipRow.current, ClipRow.duplicate_of.is_(None), (ClipRow.band == Band.REVIEW) | ClipRow.audit)
        .order_by(ClipRow.id)
    )
    with ledger.session() as session:
        verdicts = latest_verdicts(session)
        items = [_item(*row, verdicts.get(row[0].id)) for row in session.execute(rows).tuples()]
    items.sort(key=lambda item: -value_of_answer(item.p_good, columns=item.scores))
    return [item for item in items if item.verdict is None] if waiting_only else items


def record(
    ledger: Ledger, clip_ids: Sequence[str], verdict: Verdict, *, reviewer: str, reason: RejectReason | None = None
) -> None:
    """Write one verdict for each clip, all or none.

    Raises:
        BadInput: a clip is not known, or a rejection names no reason.
    """
    if verdict is Verdict.REJECT and reason is None:
        raise BadInput("a rejection needs a reason", remedy=f"give --reason, one of: {', '.join(RejectReason)}")
    if verdict is Verdict.ACCEPT and reason is not None:
        raise BadInput("an acceptance has no reason", remedy="reject instead, or leave the reason out")
    with ledger.session() as session:
        for clip_id in clip_ids:
            if session.get(ClipRow, clip_id) is None:
                raise BadInput(f"there is no clip {clip_id}", remedy="see `clapboard review list`")
            session.add(VerdictRow(clip_id=clip_id, reviewer=reviewer, verdict=verdict, reason=reason or ""))


def latest_verdicts(session: Session) -> dict[str, VerdictRow]:
    """The verdict that counts, by clip id."""
    newest = select(func.max(VerdictRow.id)).group_by(VerdictRow.clip_id)
    return {row.clip_id: row for row in session.scalars(select(VerdictRow).where(VerdictRow.id.in_(newest)))}


def _item(clip: ClipRow, entry: SourceEntry, video: Video, verdict: VerdictRow | None) -> Item:
    reasons = tuple(Outcome(reason) for reason in clip.reasons) or (Outcome.AUDIT,)
    return Item(
        clip_id=clip.id,
        link=video.link,
        caption=entry.caption,
        label=entry.label,
        licence=entry.licence,
        start_us=clip.start_us,
        end_us=clip.end_us,
        reasons=reasons,
        p_good=clip.p_good,
        scores=clip.scores,
        verdict=Verdict(verdict.verdict) if verdict else None,
    )
