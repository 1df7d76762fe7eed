"""Which videos want work, as conditions on the ledger: what is done is never planned again, by whomever it was done."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_
from sqlalchemy.sql.expression import literal

from curation.fetch.failures import PASSING
from curation.ledger.open import Ledger
from curation.ledger.tables import ScoreRow, SourceEntry, TakedownRow, Video, WindowRow
from curation.outcomes import Outcome
from curation.scores.base import Score
from curation.settings.recipe import Recipe


def to_fetch(*, retry: bool = False) -> ColumnElement[bool]:
    """Whether a video was never tried, or failed in a way that another try may mend.

    Videos of which no row is wanted any more are not among them. What has to wait until a set time is left alone until
    then. With `retry`, all that failed is tried again; what was taken down never is.
    """
    due = Video.retry_at.is_(None) | (Video.retry_at <= datetime.now(UTC))
    passed = Video.fetch.in_(PASSING) & due
    failed = Video.fetch.not_in((Outcome.OK, Outcome.TAKEN_DOWN))
    return and_(or_(Video.fetch.is_(None), failed if retry else passed), is_wanted())


def to_measure(scores: Sequence[Score], recipe: Recipe) -> ColumnElement[bool]:
    """Whether a fetched video was never decoded, was under other settings, has new rows, or lacks a score."""
    key = recipe.measuring_key()
    decoded = and_(Video.analysis.is_not(None), Video.analysis_key.is_not_distinct_from(key))
    new_rows = exists().where(
        SourceEntry.video_id == Video.id, SourceEntry.outcome == Outcome.OK, SourceEntry.proposal.is_(None)
    )
    usable = Video.analysis == Outcome.OK
    return and_(Video.fetch == Outcome.OK, or_(~decoded, and_(usable, or_(new_rows, _lacks_one_of(scores)))))


def is_due(scores: Sequence[Score], recipe: Recipe, *, retry: bool = False) -> ColumnElement[bool]:
    """Whether a video is to be fetched or to be measured."""
    return or_(to_fetch(retry=retry), and_(to_measure(scores, recipe), is_open_to_us()))


def is_wanted() -> ColumnElement[bool]:
    """Whether some row asks for the video, and nobody demanded its removal."""
    return and_(exists().where(SourceEntry.video_id == Video.id, SourceEntry.outcome == Outcome.OK), is_open_to_us())


def is_open_to_us() -> ColumnElement[bool]:
    """Whether nobody demanded its removal, be it that a fetch was recorded over the take-down."""
    return ~exists().where(TakedownRow.video_id == Video.id)


def videos_that(ledger: Ledger, condition: ColumnElement[bool]) -> list[str]:
    """The ids of the videos of which a condition holds, in order."""
    with ledger.session() as session:
        return list(session.scalars(select(Video.id).where(condition).order_by(Video.id)))


def count_of(ledger: Ledger, condition: ColumnElement[bool]) -> int:
    """How many videos a condition holds of."""
    with ledger.session() as session:
        return session.scalar(select(func.count()).select_from(Video).where(condition)) or 0


def _lacks_one_of(scores: Sequence[Score]) -> ColumnElement[bool]:
    """Whether a window of the video that is to be scored has not all of these scores."""
    if not scores:
        return literal(False)
    named = [(score.name, score.version, score.settings) for score in scores]
    has = (
        select(func.count())
        .where(ScoreRow.window_id == WindowRow.id)
        .where(tuple_(ScoreRow.name, ScoreRow.version, ScoreRow.settings).in_(named))
        .scalar_subquery()
    )
    return exists().where(WindowRow.video_id == Video.id, WindowRow.crosses_cut.is_(False), has < len(named))
