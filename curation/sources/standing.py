"""A project's standing sources: what a run takes that names none, a schedule's above all.

They are kept in the ledger, which all machines of a project share, as they were given: with whatever keys a link holds.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select

from curation.ledger.open import Ledger
from curation.ledger.tables import StandingRow
from curation.ledger.upsert import upsert
from curation.sources.read import is_path, is_there
from shards.errors import BadInput


def standing_sources(ledger: Ledger) -> list[str]:
    """All of them, in the order in which they came."""
    with ledger.session() as session:
        return list(session.scalars(select(StandingRow.source).order_by(StandingRow.at, StandingRow.id)))


def add_standing(ledger: Ledger, sources: Sequence[str]) -> int:
    """Add sources, paths absolute; one that is there already stays. Returns how many are new.

    Raises:
        BadInput: a path names nothing.
    """
    for one in sources:
        if is_path(one) and not is_there(one):
            raise BadInput(f"there is no file or folder {one}", remedy="check the path; links begin with https://")
    known = set(standing_sources(ledger))
    new = [one for one in dict.fromkeys(sources) if one not in known]
    rows = [{"id": _digest(one), "source": one, "at": datetime.now(UTC)} for one in new]
    with ledger.session() as session:
        upsert(session, StandingRow, rows, update=())
    return len(new)


def remove_standing(ledger: Ledger, sources: Sequence[str]) -> None:
    """Remove sources; what came of them stays in the ledger.

    Raises:
        BadInput: one is not among them; none is removed then.
    """
    known = set(standing_sources(ledger))
    if lacking := [one for one in sources if one not in known]:
        raise BadInput(f"{lacking[0]} is no standing source", remedy="see which there are: clapboard sources list")
    with ledger.session() as session:
        session.execute(delete(StandingRow).where(StandingRow.id.in_([_digest(one) for one in sources])))


def _digest(source: str) -> str:
    return hashlib.sha1(source.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
