"""What reviewing costs and how far it can be trusted: speed, agreement, precision, coverage, load."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from statistics import median

import numpy as np
from sqlalchemy import select

from curation.accounting.funnel import Stage, funnel
from curation.decide.calibrate import Interval, wilson
from curation.ledger.open import Ledger
from curation.ledger.tables import ReviewRow, VerdictRow
from curation.review.progress import Progress, progress
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import DECIDING, Given, RejectReason, Role, Verdict, still_said


@dataclass(frozen=True, slots=True)
class ReviewerNumbers:
    """One person's work. `per_hour` counts the time that clips were looked at; None where no time is known.

    `golden` is the share of clips of known answer that were answered so.
    """

    name: str
    answers: int
    accepted: int
    skipped: int
    undone: int
    median_s: float | None
    per_hour: float | None
    golden: Interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two or more people answer the same clips: 1 always, 0 as by chance. None where it cannot be told."""

    what: str
    clips: int
    alike: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Cohen's kappa of two reviewers on the clips that both answered."""

    one: str
    other: str
    clips: int
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """All of the numbers page."""

    progress: Progress
    reviewers: tuple[ReviewerNumbers, ...]
    agreement: tuple[Agreement, ...]
    pairs: tuple[Pair, ...]
    days: tuple[tuple[date, int], ...]
    reasons: tuple[tuple[RejectReason, int], ...]
    stages: tuple[Stage, ...]


def numbers(ledger: Ledger, settings: ReviewSettings) -> Numbers:
    """Read everything from the ledger."""
    with ledger.session() as session:
        rows = list(session.scalars(select(VerdictRow).order_by(VerdictRow.id)))
        truth = dict(
            session.execute(
                select(ReviewRow.clip_id, VerdictRow.verdict)
                .join(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
                .where(ReviewRow.golden)
            )
            .tuples()
            .all()
        )
        session.expunge_all()
    said = _still_said(rows)
    answers = _by_clip(said)
    return Numbers(
        progress=progress(ledger, settings),
        reviewers=tuple(_reviewer(name, rows, said, truth) for name in sorted({row.reviewer for row in rows})),
        agreement=_agreement(answers),
        pairs=_pairs(answers),
        days=tuple(sorted(Counter(row.at.date() for row in said if row.verdict in DECIDING).items())),
        reasons=tuple(
            (RejectReason(reason), count)
            for reason, count in Counter(row.reason for row in said if row.reason).most_common()
        ),
        stages=tuple(funnel(ledger)),
    )


def alpha(answers: Sequence[Mapping[str, str]]) -> float | None:
    """Krippendorff's alpha of nominal answers, one mapping from reviewer to answer for each clip."""
    import krippendorff

    people = sorted({name for one in answers for name in one})
    values = sorted({value for one in answers for value in one.values()})
    pairable = [one for one in answers if len(one) > 1]
    # Where everybody always says the same there is nothing to tell agreement from.
    if not pairable or len({value for one in pairable for value in one.values()}) < 2:
        return None
    table = np.full((len(people), len(answers)), np.nan)
    for at, one in enumerate(answers):
        for name, value in one.items():
            table[people.index(name), at] = values.index(value)
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two people's answers to the same questions."""
    if not pairs:
        return None
    seen = sum(one == other for one, other in pairs) / len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[value] * second[value] for value in first) / len(pairs) ** 2
    return None if chance >= 1 else (seen - chance) / (1 - chance)


def _still_said(rows: Sequence[VerdictRow]) -> list[VerdictRow]:
    given = [Given(row.id, row.reviewer, Verdict(row.verdict), Role(row.role), row.undoes) for row in rows]
    kept = {one.id for one in still_said(given)}
    return [row for row in rows if row.id in kept]


def _by_clip(said: Sequence[VerdictRow]) -> list[dict[str, VerdictRow]]:
    """For each clip that two or more answered without knowing of each other, their answers by name."""
    found: dict[str, dict[str, VerdictRow]] = defaultdict(dict)
    for row in said:
        if row.verdict in DECIDING and row.role == Role.ANSWER:
            found[row.clip_id][row.reviewer] = row
    return [one for one in found.values() if len(one) > 1]


def _agreement(answers: Sequence[Mapping[str, VerdictRow]]) -> tuple[Agreement, ...]:
    verdicts = [{name: row.verdict for name, row in one.items()} for one in answers]
    found = [_agreed("accept or reject", verdicts)]
    for reason in RejectReason:
        marked = [{name: str(row.reason == reason) for name, row in one.items()} for one in answers]
        if any("True" in one.values() for one in marked):
            found.append(_agreed(reason, marked))
    return tuple(found)


def _agreed(what: str, answers: Sequence[Mapping[str, str]]) -> Agreement:
    alike = sum(len(set(one.values())) == 1 for one in answers) / len(answers) if answers else None
    return Agreement(what, len(answers), alike, alpha(answers))


def _pairs(answers: Sequence[Mapping[str, VerdictRow]]) -> tuple[Pair, ...]:
    both: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for one in answers:
        for pair in combinations(sorted(one), 2):
            both[pair].append((one[pair[0]].verdict, one[pair[1]].verdict))
    return tuple(Pair(*pair, len(given), kappa(given)) for pair, given in sorted(both.items()))


def _reviewer(
    name: str, rows: Sequence[VerdictRow], said: Sequence[VerdictRow], truth: Mapping[str, str]
) -> ReviewerNumbers:
    mine = [row for row in said if row.reviewer == name]
    deciding = [row for row in mine if row.verdict in DECIDING]
    seconds = [row.seconds for row in deciding if row.seconds]
    golden = [row for row in deciding if row.role == Role.GOLDEN and row.clip_id in truth]
    return ReviewerNumbers(
        name=name,
        answers=len(deciding),
        accepted=sum(row.verdict == Verdict.ACCEPT for row in deciding),
        skipped=sum(row.verdict == Verdict.SKIP for row in mine),
        undone=sum(row.reviewer == name and row.verdict == Verdict.UNDO for row in rows),
        median_s=median(seconds) if seconds else None,
        per_hour=3600 * len(seconds) / sum(seconds) if seconds else None,
        golden=wilson(sum(row.verdict == truth[row.clip_id] for row in golden), len(golden)),
    )
