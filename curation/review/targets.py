"""What classes lack of their targets, and the order of the queue that follows from it."""

from collections import defaultdict
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from curation.decide.asking import combined
from curation.ledger.tables import ReviewRow
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import State
from curation.verdicts.judged import accepted, left_out

DEFICIT_STEP = 0.05
"""A class is put into a new order only when what it lacks has changed by so much."""

CLASSES_AT_ONCE = 500
"""Classes in one statement. [ours]"""


def reorder_all(session: Session, settings: ReviewSettings) -> None:
    """Give the waiting clips of all classes with a target the value that what each lacks gives them."""
    by_lack: dict[float, list[str]] = defaultdict(list)
    for label, lacking in _deficits(session, settings).items():
        by_lack[lacking].append(label)
    for lacking, labels in by_lack.items():
        value = value_of_row(ReviewRow, lacking)
        for first in range(0, len(labels), CLASSES_AT_ONCE):
            some = ReviewRow.label.in_(labels[first : first + CLASSES_AT_ONCE])
            waiting = some, ReviewRow.state == State.WAITING, ReviewRow.value != value
            reordered = update(ReviewRow).where(*waiting).values(value=value)
            session.execute(reordered, execution_options={"synchronize_session": False})


def _deficits(session: Session, settings: ReviewSettings) -> dict[str, float]:
    """What each class with a target lacks, from 0 (nothing) to 1 (all)."""
    if not settings.per_class and not settings.targets:
        return {}
    labels = session.scalars(select(ReviewRow.label).distinct()).all()
    counted = accepted(ReviewRow.label, func.count()).where(left_out().is_(None)).group_by(ReviewRow.label)
    published = dict(session.execute(counted).tuples().all())
    return {label: _lack(published.get(label, 0), target) for label in labels if (target := settings.target(label))}


def deficit(session: Session, label: str, settings: ReviewSettings) -> float:
    """What one class lacks of clips that are published, in steps; 0 without a target."""
    target = settings.target(label)
    if not target:
        return 0.0
    published = session.scalar(accepted(func.count()).where(ReviewRow.label == label, left_out().is_(None)))
    return _lack(published or 0, target)


def _lack(published: int, target: int) -> float:
    return round(max(0.0, 1 - published / target) / DEFICIT_STEP) * DEFICIT_STEP


def reorder(session: Session, label: str, lacking: float) -> None:
    """Give the waiting clips of a class the value that what it lacks gives them."""
    base = ReviewRow.label == label, ReviewRow.state == State.WAITING
    session.execute(update(ReviewRow).where(*base).values(value=value_of_row(ReviewRow, lacking)))


def value_of_row(row: Any, lacking: float) -> Any:
    """`value_of_answer` from what the row (or its table) keeps, by the order that it was enrolled with."""
    return combined(row.uncertainty, row.disagreement, lacking)
