"""Line by line what became of the sources: faults, videos that could not be used, and what was odd about the rest."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, or_, select

from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, Video
from curation.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Told:
    """What is to be told about a line of a source; row 0 stands for all of it. `outcome` is `OK` where it is taken."""

    table: str
    row: int
    outcome: Outcome
    detail: str

    @property
    def remedy(self) -> str:
        """What mends it; nothing where it was taken all the same."""
        return "" if self.outcome is Outcome.OK else self.outcome.remedy


def told_lines(ledger: Ledger) -> Iterator[Told]:
    """Every line about which there is something to tell, by source and row."""
    # The first stage at which it stopped is what happened to it.
    stopped = [SourceEntry.outcome, Video.fetch, Video.analysis, SourceEntry.proposal]
    details = (SourceEntry.detail, Video.fetch_detail, Video.analysis_detail, "")
    odd = or_(SourceEntry.detail != "", *(column != Outcome.OK for column in stopped))
    rows = (
        select(SourceEntry.table_name, SourceEntry.row, *stopped, *details[:3])
        .outerjoin(Video, Video.id == SourceEntry.video_id)
        .where(odd)
        .order_by(SourceEntry.table_name, SourceEntry.row, SourceEntry.id)
    )
    with ledger.session() as session:
        for table, row, *found in session.execute(rows.execution_options(yield_per=10_000)):
            stages = zip(found[:4], [*found[4:], ""], strict=True)
            first = next(((Outcome(one), why) for one, why in stages if one not in (None, Outcome.OK)), None)
            yield Told(table, row, *(first or (Outcome.OK, found[4])))


def count_told(ledger: Ledger) -> int:
    """How many lines of sources are faults, or were taken with a note."""
    with ledger.session() as session:
        odd = or_(SourceEntry.outcome != Outcome.OK, SourceEntry.detail != "")
        return session.scalar(select(func.count(SourceEntry.id)).where(odd)) or 0
