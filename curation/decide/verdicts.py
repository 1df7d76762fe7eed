"""Calibration and the ledger: verdicts as examples, calibrations kept, and whether the last one still holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from curation.decide.calibrate import Calibration, Interval, calibrate, facts, weighted_share
from curation.decide.fitting import Array, Example
from curation.decide.odds import Odds, probability
from curation.decide.policy import IGNORED, Policy, Wanted
from curation.ledger.open import Ledger
from curation.ledger.tables import CalibrationRow, ClipRow, JudgedRow, ReviewRow, SourceEntry, VerdictRow
from curation.scores.base import Evidence
from curation.scores.synchrony.posterior import IN_SYNC_S
from curation.scores.trends import columns_of, trends, versions
from curation.verdicts.answers import Verdict
from shards.errors import BadInput

FITTED = frozenset(Odds.model_fields)
"""What a calibration changes in a policy, and in its `meaning`."""

BESIDE_THE_POINT = frozenset({"offensive", "personal"})
"""Reasons to reject a clip that say nothing about picture and sound."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What the policy in force promised about the verdicts that came since it was calibrated.

    `expected` is its mean P(good) over the clips it accepts of those, `observed` what people said of them; with no
    `accepted` clip among the verdicts it is None, and nothing can be said.
    """

    since: datetime
    verdicts: int
    accepted: int
    expected: float | None
    observed: Interval

    @property
    def alarming(self) -> bool:
        """Whether what it promised lies outside of what was seen."""
        return self.expected is not None and not self.observed.low <= self.expected <= self.observed.high


@dataclass(frozen=True, slots=True)
class Fits:
    """Calibrations of a policy: `general`, and for classes of which only meaning is wanted. At least one is there.

    `lacking` says why the other is not, where any verdict asks for it.
    """

    general: Calibration | None
    meaning: Calibration | None
    lacking: str = ""


def calibrate_policy(
    ledger: Ledger, policy: Policy, *, audit_share: float, target_precision: float, review_share: float
) -> Fits:
    """Fit the policy, and its odds of meaning, each to the verdicts on the clips that it judges.

    Both are drawn towards the recipe's own weights. Those in force were fitted on the same verdicts: drawn towards
    them, a fit would know the clips that it is judged by, and each calibration would believe the one before.

    Raises:
        BadInput: for neither are there enough verdicts.
    """
    fits: dict[bool, Calibration] = {}
    errors: dict[bool, BadInput] = {}
    asked = {
        meaning: examples(ledger, audit_share=audit_share, wanted=policy, meaning=meaning) for meaning in (False, True)
    }
    for meaning, found in asked.items():
        ways = {name: way for name, way in trends().items() if not meaning or name in columns_of(Evidence.MEANING)}
        odds = policy.meaning if meaning else policy
        try:
            fits[meaning] = calibrate(
                found, odds, trends=ways, target_precision=target_precision, review_share=review_share
            )
        except BadInput as error:
            errors[meaning] = error
    if not fits:
        raise errors[len(asked[True]) > len(asked[False])]
    lacking = "".join(error.message for meaning, error in errors.items() if asked[meaning])
    return Fits(fits.get(False), fits.get(True), lacking)


def examples(
    ledger: Ledger, *, audit_share: float, wanted: Policy, meaning: bool = False, after: int = 0
) -> list[Example]:
    """Every clip with a verdict of an id above `after`; audited ones stand for all that were accepted unseen.

    What a reviewer accepted only after moving its sound was not good as it was measured; clips that were trimmed or
    split are left out, since nothing measured what was accepted of them.

    Args:
        ledger: where clips, their scores and verdicts are.
        audit_share: of the accepted clips, that people saw.
        wanted: says what clips of a class must show; columns that do not count for a class are left out.
        meaning: clips of which only meaning is wanted, if it was measured, in place of all others.
        after: the last verdict that is not asked for.
    """
    rows = (
        select(ClipRow, VerdictRow, SourceEntry.label, ReviewRow.audit, JudgedRow.sound_late_us)
        .join(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .join(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .outerjoin(JudgedRow, JudgedRow.verdict_id == VerdictRow.id)
        .where(VerdictRow.reason.not_in(BESIDE_THE_POINT), VerdictRow.id > after)
        .order_by(ClipRow.id)
    )
    with ledger.session() as session:
        return [
            Example(
                columns={name: value for name, value in clip.scores.items() if name not in IGNORED[shown]},
                good=verdict.verdict == Verdict.ACCEPT
                and not _moved(verdict, clip.sound_late_us if heard is None else heard),
                group=clip.video_id,
                weight=1 / audit_share if audit and audit_share else 1.0,
            )
            for clip, verdict, label, audit, heard in session.execute(rows).tuples()
            if not verdict.parts
            and ((shown := wanted.wanted_of_class(label)) is Wanted.MEANING) is meaning
            and (not meaning or columns_of(Evidence.MEANING) & clip.scores.keys())
        ]


def _moved(verdict: VerdictRow, heard_late_us: int) -> bool:
    """Whether the reviewer moved the sound by more than what counts as in step."""
    late_us = verdict.sound_late_us
    return late_us is not None and abs(late_us - heard_late_us) > IN_SYNC_S * 1e6


def keep(ledger: Ledger, general: Calibration | None, meaning: Calibration | None = None) -> None:
    """Put calibrations in force; of what was not fitted the last one stays."""
    before = _newest(ledger)
    policy: dict[str, Any] = dict(before.policy) if before else {}
    report: dict[str, Any] = {}
    if general:
        policy |= _fitted(general.odds)
        report |= facts(general)
    if meaning:
        policy["meaning"] = _fitted(meaning.odds)
        report["meaning"] = facts(meaning)
    weighed = [name for one in (general, meaning) if one for name in one.odds.weights]
    report["scores"] = (before.report.get("scores", {}) if before else {}) | versions(frozenset(weighed))
    with ledger.session() as session:
        newest = session.scalar(select(func.max(VerdictRow.id))) or 0
        session.add(CalibrationRow(policy=policy, report=report, newest_verdict=newest))


def in_force(ledger: Ledger, policy: Policy) -> Policy:
    """The policy with the weights and edges of the newest calibration, if it asks for them and there is one that holds
    for what is measured now."""
    newest = _newest(ledger) if policy.calibrated else None
    return policy if newest is None or _changed(newest) else _with(policy, newest)


def lapsed(ledger: Ledger, policy: Policy) -> list[str]:
    """The scores of which another version measures now than the newest calibration was fitted on; none if it holds."""
    newest = _newest(ledger) if policy.calibrated else None
    return [] if newest is None else _changed(newest)


def drift(ledger: Ledger, policy: Policy, *, audit_share: float) -> Drift | None:
    """How the calibration in force fared on the verdicts that came after it; None without either."""
    newest = _newest(ledger)
    if newest is None:
        return None
    then = _with(policy, newest)
    fresh: list[Example] = []
    predicted, accepted = [np.zeros(0)], [np.zeros(0, bool)]
    for odds, meaning in ((then, False), (then.meaning, True)):
        found = examples(ledger, audit_share=audit_share, wanted=then, meaning=meaning, after=newest.newest_verdict)
        fresh += found
        predicted.append(np.array([probability(one.columns, odds) for one in found]))
        accepted.append(predicted[-1] >= odds.accept_at)
    if not fresh:
        return None
    return _drift(newest.at, fresh, np.concatenate(predicted), np.concatenate(accepted))


def _drift(since: datetime, fresh: list[Example], predicted: Array, accepted: NDArray[np.bool_]) -> Drift:
    good, weight = np.array([one.good for one in fresh])[accepted], np.array([one.weight for one in fresh])[accepted]
    expected = float(np.average(predicted[accepted], weights=weight)) if accepted.any() else None
    return Drift(since, len(fresh), int(accepted.sum()), expected, weighted_share(good, weight))


def _changed(calibration: CalibrationRow) -> list[str]:
    now = versions(frozenset(trends()))
    then: dict[str, int] = calibration.report.get("scores", {})
    return sorted(name for name, version in then.items() if now.get(name) != version)


def _fitted(odds: Odds) -> dict[str, Any]:
    return odds.model_dump(mode="json", include=set(FITTED))


def _with(policy: Policy, calibration: CalibrationRow) -> Policy:
    return Policy.model_validate(policy.model_dump() | calibration.policy)


def _newest(ledger: Ledger) -> CalibrationRow | None:
    with ledger.session() as session:
        row = session.scalars(select(CalibrationRow).order_by(CalibrationRow.id.desc()).limit(1)).first()
        session.expunge_all()
        return row
