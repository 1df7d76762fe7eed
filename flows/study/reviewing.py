"""Simulated reviewers: they answer the queue by the films' known labels, with errors, and their minutes are counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.decide.fitting import Array, Example, folds, from_outside, usable
from curation.decide.policy import Policy
from curation.home.folder import Home
from curation.review.answers import record
from curation.review.queue import Item, flagged
from curation.scores.trends import trends
from curation.verdicts.answers import RejectReason, Verdict
from flows.study.settings import StudySettings
from training.world import Fault

REVIEWER = "simulated"
_SEED = 8_955


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What reviewers were shown, and what they did.

    Attributes:
        shown: clips that were answered.
        accepted: of them.
        wrongly: accepted clips whose film is not in sync.
        orders: by order of asking, per answer whether the clip is a good one: what a minute yields.
    """

    shown: int
    accepted: int
    wrongly: int
    orders: dict[str, list[bool]]


def review(home: Home, truth: Mapping[str, Fault], policy: Policy, settings: StudySettings) -> Reviewed:
    """Answer all waiting clips of these films.

    Args:
        home: whose queue.
        truth: what is wrong with each film, by its file's name; clips of other films are left alone.
        policy: what decided; a calibration starts from its weights.
        settings: how often reviewers err.
    """
    random = np.random.default_rng(_SEED)
    verdicts: dict[Verdict, list[Item]] = {Verdict.ACCEPT: [], Verdict.REJECT: []}
    with home.ledger(must_exist=True) as ledger:
        # A killed study finds clips that it answered before: they are counted, and not answered again.
        queue = [item for item in flagged(ledger, waiting_only=False) if name_of(item) in truth]
        for item in sorted(queue, key=lambda item: item.clip_id):
            errs = bool(random.uniform() < settings.reviewer_error)
            good = truth[name_of(item)].in_sync != errs
            verdicts[Verdict.ACCEPT if good else Verdict.REJECT].append(item)
        for verdict, some in verdicts.items():
            reason = RejectReason.NOT_SYNCHRONISED if verdict is Verdict.REJECT else None
            waiting = [item.clip_id for item in some if item.verdict is None]
            record(ledger, waiting, verdict, reviewer=REVIEWER, reason=reason)
    accepted = verdicts[Verdict.ACCEPT]
    return Reviewed(
        shown=len(queue),
        accepted=len(accepted),
        wrongly=sum(not truth[name_of(item)].in_sync for item in accepted),
        orders=_orders(queue, frozenset(item.clip_id for item in accepted), truth, policy, random),
    )


def name_of(item: Item) -> str:
    """The name of a clip's film."""
    return Path(item.link).name


def _orders(
    queue: Sequence[Item],
    accepted: frozenset[str],
    truth: Mapping[str, Fault],
    policy: Policy,
    random: np.random.Generator,
) -> dict[str, list[bool]]:
    def good(items: Sequence[Item]) -> list[bool]:
        return [truth[name_of(item)].in_sync for item in items]

    films = [fault.in_sync for fault in truth.values()]
    learnt = _calibrated(queue, accepted, policy)
    return {
        "without curation": [films[at] for at in random.permutation(len(films))],
        "curated, in any order": good([queue[at] for at in random.permutation(len(queue))]),
        "curated, order: learn": good(queue),
        "curated, order: collect": good(sorted(queue, key=lambda item: -item.p_good)),
        "calibrated, order: collect": good([queue[at] for at in np.argsort(-learnt, kind="stable")]),
    }


def _calibrated(queue: Sequence[Item], accepted: frozenset[str], policy: Policy) -> Array:
    """(clips,) P(good) of each by a calibration on the answers that were given to clips of other videos."""
    answers = [Example(item.scores, item.clip_id in accepted, group=name_of(item)) for item in queue]
    ways = trends()
    predicted = from_outside(answers, folds(answers), policy, usable(answers, ways), ways) if answers else np.zeros(0)
    # Where the answers are too few to learn from, the policy's own word stands.
    return np.where(np.isnan(predicted), [item.p_good for item in queue], predicted)
