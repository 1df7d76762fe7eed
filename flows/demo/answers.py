"""The demo's reviewer: answers the queue from the known truth of the planted films, and compares decisions with it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from curation.decide.policy import Band
from curation.ledger.open import Ledger
from curation.ledger.tables import DecisionRow, SourceEntry, Video, WindowRow
from curation.outcomes import Outcome
from curation.review.answers import record
from curation.review.queue import flagged
from curation.verdicts.answers import RejectReason, Verdict
from flows.demo.cast import Defect
from flows.demo.planted import Planted

REVIEWER = "known truth"
REASONS = {Defect.NARRATION: RejectReason.OFF_SCREEN_SOUND, Defect.SWAPPED_SOUND: RejectReason.MEANING}


@dataclass(frozen=True, slots=True)
class Answered:
    """How many clips the truth accepted, rejected, and left to a person because nobody knows it."""

    accepted: int
    rejected: int
    left: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A planted file, how it ought to leave the journey, and how it did.

    `found` is "accept", "review" or the reason that most of its windows were rejected for; for a file that never
    became windows, what stopped it.
    """

    planted: Planted
    found: str
    windows: dict[str, int]
    ok: bool


def answer_queue(ledger: Ledger, truth: Mapping[str, Planted]) -> Answered:
    """Give a verdict on every waiting clip whose file's truth is known; `truth` maps links to planted files."""
    accepted: list[str] = []
    rejected: list[tuple[str, RejectReason]] = []
    left = 0
    for item in flagged(ledger):
        planted = truth.get(item.link)
        if planted is None or planted.defect is Defect.UNJUDGED:
            left += 1
        elif planted.good:
            accepted.append(item.clip_id)
        else:
            rejected.append((item.clip_id, REASONS.get(planted.defect, RejectReason.NOT_SYNCHRONISED)))
    record(ledger, accepted, Verdict.ACCEPT, reviewer=REVIEWER)
    for clip_id, reason in rejected:
        record(ledger, [clip_id], Verdict.REJECT, reviewer=REVIEWER, reason=reason)
    return Answered(len(accepted), len(rejected), left)


def judge(ledger: Ledger, truth: Mapping[str, Planted]) -> list[Judged]:
    """Compare what was decided about every planted file with its truth, in the order of `truth`."""
    with ledger.session() as session:
        return [_judge_one(session, link, planted) for link, planted in truth.items()]


def _judge_one(session: Session, link: str, planted: Planted) -> Judged:
    video = session.scalar(select(Video).where(Video.link == link))
    if video is None:
        return Judged(planted, "not in the ledger", {}, ok=False)
    stopped = next((word for word in (video.fetch, video.analysis) if word not in (None, Outcome.OK)), None)
    proposals = set(session.scalars(select(SourceEntry.proposal).where(SourceEntry.video_id == video.id)))
    windows = _window_outcomes(session, video.id)
    if stopped is None and not windows:
        stopped = next((word for word in sorted(filter(None, proposals)) if word != Outcome.OK), "no windows")
    found = stopped or _summary(windows)
    return Judged(planted, found, dict(windows), ok=_fits(planted, found, windows))


def _window_outcomes(session: Session, video_id: str) -> Counter[str]:
    rows = select(DecisionRow.band, DecisionRow.reasons).join(WindowRow, WindowRow.id == DecisionRow.window_id)
    found = session.execute(rows.where(WindowRow.video_id == video_id)).tuples()
    return Counter(_name(band, reasons) for band, reasons in found)


def _name(band: str, reasons: Sequence[str]) -> str:
    if band != Band.REJECT and Outcome.OFFSET_CORRECTED in reasons:
        return Outcome.OFFSET_CORRECTED
    return reasons[0] if band == Band.REJECT else band


def _summary(windows: Counter[str]) -> str:
    for band in (Outcome.OFFSET_CORRECTED, Band.ACCEPT, Band.REVIEW):
        if windows[band]:
            return band
    return windows.most_common(1)[0][0]


def _fits(planted: Planted, found: str, windows: Counter[str]) -> bool:
    """Good films must not be lost; nothing of a defect may be accepted, and it must be found for its own reason, or be
    left to a person where no score can be sure of it."""
    if planted.expected is None:
        return True
    if planted.expected is Outcome.OFFSET_CORRECTED:
        return found == Outcome.OFFSET_CORRECTED
    if planted.good:
        return found in (Band.ACCEPT, Band.REVIEW)
    if planted.expected is Outcome.WEAK_SYNC:
        return found == Band.REVIEW
    if not windows:
        return found == planted.expected
    most = Counter({word: count for word, count in windows.items() if word not in set(Band)})
    return windows[Band.ACCEPT] == 0 and bool(most) and most.most_common(1)[0][0] == planted.expected


def links_of(planted: Sequence[Planted], base_url: str) -> dict[str, Planted]:
    """The link that the source list gives each planted file."""
    return {f"{base_url}/{one.file}": one for one in planted}
