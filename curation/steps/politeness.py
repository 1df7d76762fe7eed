"""What earlier runs mean for this one: a restart neither doubles a host's hour nor forgets that it turned us away."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, func, select

from curation.fetch.failures import TURNED_AWAY
from curation.fetch.governor import Governor
from curation.fetch.settings import FetchSettings
from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, Video
from curation.outcomes import Outcome
from curation.sources.lists import place_of


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
    lists = select(SourceEntry.table_name, SourceEntry.retry_at).where(SourceEntry.retry_at > now)
    with ledger.session() as session:
        for link, at in session.execute(asked.order_by(Video.fetched_at)):
            governor.remember(link, _utc(at))
        for link, until in session.execute(closed):
            governor.leave_alone(link, _utc(until))
        for source, until in session.execute(lists):
            if place := place_of(source):
                governor.leave_alone(place, _utc(until))
    return governor


def seconds_to_next_try(ledger: Ledger, sources: Sequence[str] = ()) -> float | None:
    """How long until the first host that turned us away may be asked again; None if none is waited for.

    Lists that turned us away are waited for if they are among `sources`.
    """
    now = datetime.now(UTC)
    listed = exists().where(SourceEntry.video_id == Video.id, SourceEntry.outcome == Outcome.OK)
    videos = select(func.min(Video.retry_at)).where(Video.retry_at > now, Video.fetch.in_(TURNED_AWAY), listed)
    lists = select(func.min(SourceEntry.retry_at)).where(
        SourceEntry.retry_at > now, SourceEntry.table_name.in_(sources)
    )
    with ledger.session() as session:
        firsts = [_utc(first) for first in (session.scalar(videos), session.scalar(lists)) if first]
    return (min(firsts) - now).total_seconds() if firsts else None


def lists_to_read_again(ledger: Ledger, sources: Sequence[str]) -> list[str]:
    """Those of the sources that turned us away and may be asked again by now."""
    due = select(SourceEntry.table_name).where(
        SourceEntry.retry_at <= datetime.now(UTC), SourceEntry.table_name.in_(sources)
    )
    with ledger.session() as session:
        return sorted(set(session.scalars(due)))


def _utc(at: datetime) -> datetime:
    """SQLite keeps no zones; everything there is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)
