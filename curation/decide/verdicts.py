"""Calibration and the ledger: verdicts as examples, calibrations kept, and whether the last one still holds."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import func, select

from curation.decide.calibrate import Calibration, Example, Interval, facts, weighted_share
from curation.decide.policy import Band, Policy, Wanted, probability
from curation.ledger.open import Ledger
from curation.ledger.tables import CalibrationRow, ClipRow, ReviewRow, SourceEntry, VerdictRow

FITTED = ("intercept", "weights", "centres", "accept_at", "review_at")
"""What a calibration changes in a policy."""

BESIDE_THE_POINT = frozenset({"offensive", "personal"})
"""Reasons to reject a clip that say nothing about picture and sound."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What the policy in force promised about the verdicts that came since it was calibrated.

    `expected` is its mean P(good) over the clips it accepts of those, `observed` what people said of them.
    """

    since: datetime
    verdicts: int
    expected: float
    observed: Interval

    @property
    def alarming(self) -> bool:
        """Whether what it promised lies outside of what was seen."""
        return not self.observed.low <= self.expected <= self.observed.high


def examples(ledger: Ledger, *, audit_share: float, wanted: Policy, after: int = 0) -> list[Example]:
    """Every clip with a verdict of an id above `after`; audited ones stand for all that were
    accepted unseen.

    Clips of classes that need not show both synchrony and meaning are judged by other rules, and left out.
    """
    rows = (
        select(ClipRow, VerdictRow, SourceEntry.label)
        .join(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .join(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .where(VerdictRow.reason.not_in(BESIDE_THE_POINT), VerdictRow.id > after)
        .order_by(ClipRow.id)
    )
    with ledger.session() as session:
        return [
            Example(
                columns=clip.scores,
                good=verdict.verdict == "accept",
                group=clip.video_id,
                weight=1 / audit_share if clip.band == Band.ACCEPT and audit_share else 1.0,
            )
            for clip, verdict, label in session.execute(rows).tuples()
            if wanted.wanted_of_class(label) is not Wanted.MEANING
        ]


def keep(ledger: Ledger, calibration: Calibration) -> None:
    """Put a calibration in force."""
    fitted = calibration.policy.model_dump(mode="json", include=set(FITTED))
    with ledger.session() as session:
        newest = session.scalar(select(func.max(VerdictRow.id))) or 0
        session.add(CalibrationRow(policy=fitted, report=facts(calibration), newest_verdict=newest))


def in_force(ledger: Ledger, policy: Policy) -> Policy:
    """The policy with the weights and edges of the newest calibration, if it asks for them and there is one."""
    newest = _newest(ledger) if policy.calibrated else None
    return policy if newest is None else policy.model_copy(update=newest.policy)


def drift(ledger: Ledger, policy: Policy, *, audit_share: float) -> Drift | None:
    """How the calibration in force fared on the verdicts that came after it; None without either."""
    newest = _newest(ledger)
    if newest is None:
        return None
    then = policy.model_copy(update=newest.policy)
    fresh = examples(ledger, audit_share=audit_share, wanted=then, after=newest.newest_verdict)
    if not fresh:
        return None
    predicted = np.array([probability(one.columns, then) for one in fresh])
    accepted = predicted >= then.accept_at
    good, weight = np.array([one.good for one in fresh]), np.array([one.weight for one in fresh])
    expected = float(np.average(predicted[accepted], weights=weight[accepted])) if accepted.any() else float("nan")
    return Drift(newest.at, len(fresh), expected, weighted_share(good[accepted], weight[accepted]))


def _newest(ledger: Ledger) -> CalibrationRow | None:
    with ledger.session() as session:
        row = session.scalars(select(CalibrationRow).order_by(CalibrationRow.id.desc()).limit(1)).first()
        session.expunge_all()
        return row
