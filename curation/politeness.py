"""What earlier runs mean for this one: a restart neither doubles a host's hour nor forgets that it turned us away."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, select

from curation.fetch.failures import TURNED_AWAY
from curation.fetch.governor import Governor
from curation.fetch.settings import FetchSettings
from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, Video
from curation.outcomes import Outcome


def governor_of(ledger: Ledger, settings: FetchSettings) -> Governor:
    """A governor that knows what was fetched in the last hour, and which hosts are to be left alone until when."""
    governor = Governor(
        videos_per_hour=settings.videos_per_hour,
        pause_s=settings.pause_s,
        jitter=settings.jitter,
        cool_s=settings.cool_s,
    )
    now = datetime.now(UTC)
    asked = select(Video.link, Video.fetched_at).where(
        Video.local.is_(False), Video.fetched_at > now - timedelta(hours=1)
    )
    closed = select(Video.link, Video.retry_at).where(Video.retry_at > now, Video.fetch.in_(TURNED_AWAY))
    with ledger.session() as session:
        for link, at in session.execute(asked.order_by(Video.fetched_at)):
            governor.remember(link, _utc(at))
        for link, until in session.execute(closed):
            governor.leave_alone(link, _utc(until))
    return governor


def seconds_to_next_try(ledger: Ledger) -> float | None:
    """How long until the first host that turned us away may be asked again; None if none is waited for."""
    now = datetime.now(UTC)
    listed = exists().where(SourceEntry.video_id == Video.id, SourceEntry.outcome == Outcome.OK)
    waiting = select(Video.retry_at).where(Video.retry_at > now, Video.fetch.in_(TURNED_AWAY), listed)
    with ledger.session() as session:
        first = session.scalars(waiting.order_by(Video.retry_at).limit(1)).first()
    return (_utc(first) - now).total_seconds() if first else None


def _utc(at: datetime) -> datetime:
    """SQLite keeps no zones; everything there is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)
