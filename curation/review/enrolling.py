"""Bring the queue in line with what the policy decided, however many clips there are.

Clips are read once, with what the queue knows of each, and only what changed is written, some thousand changes at a
time: no more is in memory, and reviewers who answer meanwhile do not wait for the rest.
"""

import hashlib
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from curation.decide.asking import combined, worth_of_answer
from curation.decide.policy import Band
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ReviewRow, SourceEntry
from curation.ledger.upsert import upsert
from curation.review.targets import reorder_all
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import OPEN, State

READ_AT_ONCE = 1_000
WRITTEN_AT_ONCE = 10_000
"""Rows in memory, and changes in one transaction: more of them write an index's page less often. [ours]"""


def enrol(ledger: Ledger, settings: ReviewSettings) -> int:
    """Bring the queue in line with what the policy decided; returns how many clips wait for a person.

    Clips that are flagged no longer leave the queue unless somebody answered; nothing that was answered is lost. May be
    killed anywhere and repeated.
    """
    changes = _Changes()
    with ledger.session() as reading:
        found = reading.execute(_flagged_clips().execution_options(yield_per=READ_AT_ONCE))
        for clip in map(_Flagged._make, found):
            changes.note(clip, settings)
            if len(changes) >= WRITTEN_AT_ONCE:
                changes.write(ledger)
                changes = _Changes()
    changes.write(ledger)
    with ledger.session() as session:
        _let_go_of_others(session)
        reorder_all(session, settings)
        return session.scalar(select(func.count()).select_from(ReviewRow).where(still_open())) or 0


def still_open() -> ColumnElement[bool]:
    """Whether a clip needs an answer."""
    return ReviewRow.state.in_(OPEN)


def lot_of(*names: str) -> float:
    """A number in [0, 1) that is random and yet always the same for these names."""
    return int.from_bytes(hashlib.sha256("\0".join(names).encode()).digest()[:7], "big") / 2**56


class _Flagged(NamedTuple):
    """A clip that is to be asked about, and its row in the queue; `state` is None where it has none."""

    clip_id: str
    band: str
    p_good: float
    scores: dict[str, Any]
    label: str
    state: str | None
    answers: int
    known_label: str
    audit: bool
    uncertainty: float
    disagreement: float
    value: float


def _flagged_clips() -> Select[Any]:
    clip = ClipRow.id, ClipRow.band, ClipRow.p_good, ClipRow.scores, SourceEntry.label
    row = ReviewRow.state, ReviewRow.answers, ReviewRow.label, ReviewRow.audit
    worth = ReviewRow.uncertainty, ReviewRow.disagreement, ReviewRow.value
    return (
        select(*clip, *row, *worth)
        .select_from(ClipRow)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .outerjoin(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .where(_is_flagged())
    )


def _is_flagged() -> ColumnElement[bool]:
    in_question = (ClipRow.band == Band.REVIEW) | ClipRow.audit
    return ClipRow.current & ClipRow.duplicate_of.is_(None) & in_question


@dataclass(slots=True)
class _Changes:
    """What is to be written: rows that are new, come back, have another class or worth, or are audits now."""

    new: list[dict[str, Any]] = field(default_factory=list)
    back: list[dict[str, Any]] = field(default_factory=list)
    rated: list[dict[str, Any]] = field(default_factory=list)
    audits: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.new) + len(self.back) + len(self.rated) + len(self.audits)

    def note(self, clip: _Flagged, settings: ReviewSettings) -> None:
        """Compare a clip with its row."""
        worth = worth_of_answer(clip.p_good, clip.scores, order=settings.order)
        value, is_audit = combined(*worth, 0.0), clip.band == Band.ACCEPT
        if clip.state is None:
            self.new.append(_new_row(clip, worth, value, is_audit=is_audit, settings=settings))
            return
        if clip.state == State.GONE:
            self.back.append({"clip": clip.clip_id})
        if not clip.answers and clip.audit != is_audit:
            self.audits.append({"clip": clip.clip_id, "is_audit": is_audit})
        if clip.state in (State.WAITING, State.GONE) and settings.target(clip.label):
            # Classes with targets that wait are put in order once all are in line.
            value = clip.value
        if (clip.label, *worth, value) != (clip.known_label, clip.uncertainty, clip.disagreement, clip.value):
            told = {"class": clip.label, "first": worth[0], "second": worth[1], "whole": value}
            self.rated.append({"clip": clip.clip_id} | told)

    def write(self, ledger: Ledger) -> None:
        """Write it; answers that came since it was read are left as they are."""
        if not len(self):
            return
        with ledger.session() as session:
            # In order of key, a page of the table's index is written once.
            upsert(session, ReviewRow, sorted(self.new, key=itemgetter("clip_id")), update=())
            for statement, rows in ((_COMES_BACK, self.back), (_RATED, self.rated), (_AUDIT, self.audits)):
                if rows:
                    session.connection().execute(statement, rows)


def _new_row(
    clip: _Flagged, worth: tuple[float, float], value: float, *, is_audit: bool, settings: ReviewSettings
) -> dict[str, Any]:
    return {
        "clip_id": clip.clip_id,
        "label": clip.label,
        "state": State.WAITING.value,
        "answers": 0,
        "wanted": 2 if lot_of("double", clip.clip_id) < settings.double_share else 1,
        "audit": is_audit,
        "golden": False,
        "uncertainty": worth[0],
        "disagreement": worth[1],
        "value": value,
        "shuffle": lot_of("order", clip.clip_id),
        "leased_until_ms": 0,
    }


def _let_go_of_others(session: Session) -> None:
    """Clips that are flagged no longer leave, unless somebody answered."""
    flagged = (
        exists()
        .where(ClipRow.id == ReviewRow.clip_id, SourceEntry.id == ClipRow.source_id, _is_flagged())
        .correlate(ReviewRow)
    )
    gone = still_open(), ReviewRow.answers == 0, ~flagged
    session.execute(update(ReviewRow).where(*gone).values(state=State.GONE.value), execution_options=_PLAIN)


_PLAIN = {"synchronize_session": False}

_ITS_ROW = update(ReviewRow).where(ReviewRow.clip_id == bindparam("clip"))
_COMES_BACK = _ITS_ROW.where(ReviewRow.state == State.GONE).values(state=State.WAITING.value)
_RATED = _ITS_ROW.values(
    label=bindparam("class"), uncertainty=bindparam("first"), disagreement=bindparam("second"), value=bindparam("whole")
)
# Why it was asked about stays with the answer, whatever is decided later: so much does it stand for.
_AUDIT = _ITS_ROW.where(ReviewRow.answers == 0).values(audit=bindparam("is_audit"))
