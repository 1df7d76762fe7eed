"""Of each class the best so many: a thousand drums teach less than a hundred drums and nine hundred other things."""

from sqlalchemy import and_, exists, func, select, update

from curation.decide.policy import Band
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ReviewRow, SourceEntry, VerdictRow
from curation.outcomes import Outcome
from curation.verdicts.answers import Verdict


def fill_classes(ledger: Ledger, *, most: int) -> int:
    """Turn away accepted clips beyond the best `most` of their class (0: none); returns how many that were.

    Copies do not count, nor what people rejected. Clips of no class are one class.
    """
    if not most:
        return 0
    rank = func.row_number().over(partition_by=SourceEntry.label, order_by=(ClipRow.p_good.desc(), ClipRow.id))
    rejected = exists().where(
        ReviewRow.clip_id == ClipRow.id, VerdictRow.id == ReviewRow.verdict_id, VerdictRow.verdict == Verdict.REJECT
    )
    counts = and_(ClipRow.current, ClipRow.band == Band.ACCEPT, ClipRow.duplicate_of.is_(None), ~rejected)
    ranked = (
        select(ClipRow.id.label("id"), rank.label("rank"))
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .where(counts)
        .subquery()
    )
    beyond = select(ranked.c.id).where(ranked.c.rank > most)
    turned_away = (
        update(ClipRow)
        .where(ClipRow.id.in_(beyond))
        .values(band=Band.REJECT.value, reasons=[Outcome.CLASS_FULL.value], audit=False)
    )
    with ledger.session() as session:
        return session.execute(turned_away, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined,no-any-return]


def clips_by_band(ledger: Ledger) -> dict[Band, int]:
    """How many clips there are after all that: current ones that are no copies."""
    count = select(ClipRow.band, func.count()).where(ClipRow.current, ClipRow.duplicate_of.is_(None))
    with ledger.session() as session:
        found = dict(session.execute(count.group_by(ClipRow.band)).tuples().all())
    return {band: found.get(band, 0) for band in (Band.ACCEPT, Band.REVIEW)}
