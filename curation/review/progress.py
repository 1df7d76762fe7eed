"""How far the queue is, what classes have and lack, and whether enough is known to stop."""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, select

from curation.decide.calibrate import Interval, wilson
from curation.decide.policy import Band
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ReviewRow, SourceEntry, VerdictRow, Video
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import OPEN, State, Verdict
from curation.verdicts.judged import left_out


class Enough(StrEnum):
    """Why a reviewer may stop."""

    TARGETS_MET = "targets_met"
    PRECISION_PROVEN = "precision_proven"
    NOTHING_WAITS = "nothing_waits"


@dataclass(frozen=True, slots=True)
class ClassProgress:
    """Clips of one class; `target` 0 wants all."""

    label: str
    accepted: int
    rejected: int
    waiting: int
    target: int

    @property
    def met(self) -> bool:
        """Whether it has what it should."""
        return bool(self.target) and self.accepted >= self.target


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of the queue.

    Attributes:
        waiting, disputed: clips that need an answer; of those, on how many two reviewers disagree.
        accepted, rejected: clips with an answer that counts; of the accepted ones those that are published.
        classes: the same by class.
        precision: share of the audited clips that people accept: the precision of what was accepted unseen, by the
            policy that is in force.
        enough: why one may stop, if one may.
        saved: about how many answers fewer than a random order would have taken to as many accepted clips.
    """

    waiting: int
    disputed: int
    accepted: int
    rejected: int
    classes: tuple[ClassProgress, ...]
    precision: Interval
    enough: Enough | None
    saved: int

    @property
    def done(self) -> int:
        """Clips with an answer that counts."""
        return self.accepted + self.rejected


def progress(ledger: Ledger, settings: ReviewSettings) -> Progress:
    """Read the state of the queue."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    audited, audits_good, hoped = 0, 0, 0.0
    with ledger.session() as session:
        for label, state, audit, verdict, unpublished, count, p_good in session.execute(_queue()):
            of_class = counts[label]
            if state in OPEN:
                of_class["waiting"] += count
                of_class["disputed"] += count if state == State.DISPUTED else 0
                hoped += 0 if verdict else p_good
            if verdict is not None:
                of_class[verdict] += 0 if unpublished and verdict == Verdict.ACCEPT else count
                audited += count if audit else 0
                audits_good += count if audit and verdict == Verdict.ACCEPT else 0
    classes = tuple(
        ClassProgress(label, one[Verdict.ACCEPT], one[Verdict.REJECT], one["waiting"], settings.target(label))
        for label, one in sorted(counts.items())
    )
    accepted, rejected = (sum(getattr(one, name) for one in classes) for name in ("accepted", "rejected"))
    waiting = sum(one.waiting for one in classes)
    precision = wilson(audits_good, audited)
    return Progress(
        waiting=waiting,
        disputed=sum(one["disputed"] for one in counts.values()),
        accepted=accepted,
        rejected=rejected,
        classes=classes,
        precision=precision,
        enough=_enough(classes, precision, waiting, settings),
        saved=max(0, round(_answers_at_random(accepted, hoped, accepted + rejected + waiting) - accepted - rejected)),
    )


def _queue() -> Select[Any]:
    """The queue counted by class, state, whether a clip is an audit of the policy in force, verdict, and what keeps it
    from being published."""
    audit = ReviewRow.audit & ClipRow.current & (ClipRow.band == Band.ACCEPT) & ClipRow.duplicate_of.is_(None)
    unpublished = left_out().label("unpublished")
    one = (
        select(ReviewRow.label, ReviewRow.state, audit.label("audit"), VerdictRow.verdict, unpublished, ClipRow.p_good)
        .join(ClipRow, ClipRow.id == ReviewRow.clip_id)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .join(Video, Video.id == ClipRow.video_id)
        .outerjoin(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
        .where((ReviewRow.state != State.GONE) | ReviewRow.verdict_id.is_not(None))
        .subquery()
        .c
    )
    keys = one.label, one.state, one.audit, one.verdict, one.unpublished
    return select(*keys, func.count(), func.sum(one.p_good)).group_by(*keys)


def _enough(
    classes: tuple[ClassProgress, ...], precision: Interval, waiting: int, settings: ReviewSettings
) -> Enough | None:
    if not waiting:
        return Enough.NOTHING_WAITS
    with_target = [one for one in classes if one.target]
    # A class of which nothing is left to ask cannot be filled by asking.
    if with_target and all(one.met or not one.waiting for one in with_target) and any(one.met for one in with_target):
        return Enough.TARGETS_MET
    return Enough.PRECISION_PROVEN if precision.low >= settings.target_precision else None


def _answers_at_random(accepted: int, hoped: float, clips: int) -> float:
    """Expected answers until so many good ones are found in a random order (negative hypergeometric), where as many
    clips are good as were accepted and are hoped for."""
    return accepted * (clips + 1) / (accepted + hoped + 1)
