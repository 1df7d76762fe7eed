"""What classes lack of their targets, and the order of the queue that follows from it."""

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


def deficits(session: Session, settings: ReviewSettings) -> dict[str, float]:
    """What each class with a target lacks, from 0 (nothing) to 1 (all)."""
    labels = session.scalars(select(ReviewRow.label).distinct())
    return {label: deficit(session, label, settings) for label in labels if settings.target(label)}


def deficit(session: Session, label: str, settings: ReviewSettings) -> float:
    """What one class lacks of clips that are published, in steps; 0 without a target."""
    target = settings.target(label)
    if not target:
        return 0.0
    published = session.scalar(accepted(func.count()).where(ReviewRow.label == label, left_out().is_(None)))
    lacking = max(0.0, 1 - (published or 0) / target)
    return round(lacking / DEFICIT_STEP) * DEFICIT_STEP


def reorder(session: Session, label: str, lacking: float) -> None:
    """Give the waiting clips of a class the value that what it lacks gives them."""
    base = ReviewRow.label == label, ReviewRow.state == State.WAITING
    session.execute(update(ReviewRow).where(*base).values(value=value_of_row(ReviewRow, lacking)))


def value_of_row(row: Any, lacking: float) -> Any:
    """`value_of_answer` from what the row (or its table) keeps, by the order that it was enrolled with."""
    return combined(row.uncertainty, row.disagreement, lacking)
